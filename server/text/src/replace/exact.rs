//! The search for a text word for word.

use std::ops::Range;

use memchr::memmem::Finder;
use ropey::Rope;

use super::Wanted;
use crate::edit::inside_crlf;

/// How much is searched at a time: large against a rope's chunks of about 1 KB, small enough to
/// stay in the processor's cache.
const WINDOW_BYTES: usize = 64 * 1024;

/// Returns where `needle`, which is not empty, stands in the text.
///
/// The text is passed through one small window. A match that begins or ends between `\r` and `\n`
/// is none: replacing it would tear the line break apart.
pub(super) fn find_exact(text: &Rope, needle: &str, wanted: Wanted) -> Vec<Range<usize>> {
    let needle = needle.as_bytes();
    let finder = Finder::new(needle);
    let mut found = Vec::new();
    let mut chunks = text.chunks();
    let mut window: Vec<u8> = Vec::with_capacity(WINDOW_BYTES + 2 * needle.len());
    let mut window_start = 0;
    let mut from = 0;
    loop {
        let is_last = !fill(&mut window, &mut chunks, WINDOW_BYTES + needle.len());
        while let Some(at) = window.get(from - window_start..).and_then(|rest| finder.find(rest)) {
            let start = from + at;
            let span = start..start + needle.len();
            if inside_crlf(text, span.start) || inside_crlf(text, span.end) {
                from = start + 1;
                continue;
            }
            found.push(span);
            if wanted.is_enough(found.len()) {
                return found;
            }
            from = start + wanted.step(needle);
        }
        if is_last {
            return found;
        }
        // A match may begin in the last bytes of this window and end in the next.
        let n_done = window.len() + 1 - needle.len();
        window.drain(..n_done);
        window_start += n_done;
        from = from.max(window_start);
    }
}

/// Returns whether there may be more.
fn fill<'a>(window: &mut Vec<u8>, chunks: &mut impl Iterator<Item = &'a str>, len: usize) -> bool {
    while window.len() < len {
        match chunks.next() {
            Some(chunk) => window.extend_from_slice(chunk.as_bytes()),
            None => return false,
        }
    }
    true
}
