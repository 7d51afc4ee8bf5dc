//! "Did you mean": names near to one that does not exist.

use strsim::osa_distance;

/// Returns the names that `wanted` may have meant, nearest first, at most `max`.
///
/// A name counts if a third of its characters or fewer differ (rustc's rule for suggestions), or
/// if one contains the other; case does not matter. Equal names come first.
pub fn nearest_names<'a>(wanted: &str, names: impl Iterator<Item = &'a str>, max: usize) -> Vec<&'a str> {
    let wanted = wanted.to_lowercase();
    let n_wanted = wanted.chars().count();
    let mut near: Vec<(usize, &str)> = names
        .filter_map(|name| {
            let lower = name.to_lowercase();
            let n_chars = lower.chars().count();
            let contains = n_chars.min(n_wanted) >= MIN_CONTAINED_CHARS
                && (lower.contains(&wanted) || wanted.contains(&lower));
            let allowed = n_chars.max(n_wanted).max(3) / 3;
            if !contains && n_chars.abs_diff(n_wanted) > allowed {
                return None;
            }
            let distance = osa_distance(&wanted, &lower);
            (contains || distance <= allowed).then_some((distance, name))
        })
        .collect();
    near.sort();
    near.dedup();
    near.into_iter().take(max).map(|(_, name)| name).collect()
}

/// Below this, one name contains another by chance.
const MIN_CONTAINED_CHARS: usize = 3;
