//! What to show when a text was not found. A hint only: nothing is replaced on its account.

use std::borrow::Cow;
use std::collections::HashMap;

use ropey::{Rope, RopeSlice};
use strsim::sorensen_dice;

use crate::notice;

/// Bounds on the search, so that a wrong guess at a huge text is answered at once. Lines beyond
/// them are not looked at.
const MAX_WANTED_LINES: usize = 200;
const MAX_VOTES: usize = 200_000;
const MAX_LINES_COMPARED: usize = 20_000;
/// Starts that are compared in full.
const MAX_CANDIDATES: usize = 5;
/// Below this a region is not like what was wanted; showing it would mislead.
const MIN_LIKENESS: f64 = 0.4;
/// Bounds on what is shown and compared.
const MAX_REGION_LINES: usize = 30;
const MAX_LINE_CHARS: usize = 300;
/// Shorter lines (a brace, `end`) stand everywhere and say nothing about the place.
const MIN_TELLING_CHARS: usize = 4;

/// A piece of a text as it stands: at most 30 lines, none longer than 300 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// 1-based.
    pub first_line: usize,
    /// The lines, with `\n` between them.
    pub text: String,
}

/// Returns the region of as many lines as `wanted` that is most like it, if any is.
pub(super) fn nearest(text: &Rope, wanted: &str) -> Option<Region> {
    let wanted: Vec<&str> = wanted.trim_end().lines().map(str::trim).take(MAX_WANTED_LINES).collect();
    let mut starts = starts_by_equal_lines(text, &wanted);
    if starts.is_empty() {
        starts = starts_by_longest_line(text, &wanted);
    }
    let n_lines = wanted.len().min(MAX_REGION_LINES);
    let wanted: Vec<String> = wanted[..n_lines].iter().map(|line| cut(line)).collect();
    let wanted = wanted.join("\n");
    let mut nearest = None;
    let mut nearest_likeness = MIN_LIKENESS;
    for start in starts {
        let region: Vec<String> = text.lines_at(start).take(n_lines).map(shown).collect();
        let trimmed: Vec<&str> = region.iter().map(|line| line.trim()).collect();
        let likeness = sorensen_dice(&wanted, &trimmed.join("\n"));
        if likeness > nearest_likeness {
            nearest_likeness = likeness;
            nearest = Some(Region { first_line: start + 1, text: region.join("\n").trim_end().to_owned() });
        }
    }
    nearest
}

/// Each line that is wanted word for word votes, by its length, for where the region would start.
fn starts_by_equal_lines(text: &Rope, wanted: &[&str]) -> Vec<usize> {
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (line_idx, line) in wanted.iter().enumerate().filter(|(_, line)| line.len() >= MIN_TELLING_CHARS) {
        places.entry(line).or_default().push(line_idx);
    }
    let mut votes: HashMap<usize, usize> = HashMap::new();
    let mut n_votes = 0;
    for (line_idx, line) in text.lines().enumerate() {
        let line = Cow::from(line);
        let line = line.trim();
        for place in places.get(line).into_iter().flatten() {
            *votes.entry(line_idx.saturating_sub(*place)).or_default() += line.len();
            n_votes += 1;
        }
        if n_votes > MAX_VOTES {
            break;
        }
    }
    best(votes.into_iter().collect())
}

fn starts_by_longest_line(text: &Rope, wanted: &[&str]) -> Vec<usize> {
    let longest = wanted.iter().enumerate().max_by_key(|(_, line)| line.len());
    let Some((place, longest)) = longest.filter(|(_, line)| line.len() >= MIN_TELLING_CHARS) else {
        return Vec::new();
    };
    let longest = cut(longest);
    let mut likenesses = Vec::new();
    for (line_idx, line) in text.lines().enumerate().take(MAX_LINES_COMPARED) {
        let n_bytes = line.len_bytes();
        if n_bytes > 4 * MAX_LINE_CHARS || n_bytes * 2 < longest.len() {
            continue;
        }
        let likeness = sorensen_dice(&longest, Cow::from(line).trim());
        if likeness > MIN_LIKENESS {
            likenesses.push((line_idx.saturating_sub(place), (likeness * 1000.0) as usize));
        }
    }
    best(likenesses)
}

/// The starts with the highest scores, of equal ones the first.
fn best(mut scores: Vec<(usize, usize)>) -> Vec<usize> {
    scores.sort_by_key(|(start, score)| (std::cmp::Reverse(*score), *start));
    scores.into_iter().take(MAX_CANDIDATES).map(|(start, _)| start).collect()
}

fn cut(line: &str) -> String {
    line.chars().take(MAX_LINE_CHARS).collect()
}

fn shown(line: RopeSlice<'_>) -> String {
    let mut shown = String::from(line.slice(..line.len_chars().min(MAX_LINE_CHARS)));
    shown.truncate(shown.trim_end_matches(['\r', '\n']).len());
    if line.len_chars() > MAX_LINE_CHARS + 2 {
        shown.push_str(&notice::more_characters(line.len_chars() - MAX_LINE_CHARS));
    }
    shown
}
