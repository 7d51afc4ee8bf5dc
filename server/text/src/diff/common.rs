//! What two texts have in common at both ends, and the lines in between.

use ropey::Rope;
use ropey::iter::Chunks;

/// Returns true if two texts are equal. Where one was made of the other, that takes much less than comparing all
/// bytes, as `==` does.
pub fn same_text(a: &Rope, b: &Rope) -> bool {
    let n_bytes = a.len_bytes();
    a.is_instance(b)
        || n_bytes == b.len_bytes() && common_bytes(a.chunks(), b.chunks(), Side::Start) == n_bytes
}

/// Returns how many bytes two texts have in common from the start, in whole characters.
pub(super) fn common_prefix(a: &Rope, b: &Rope) -> usize {
    if a.is_instance(b) {
        return a.len_bytes();
    }
    let common = common_bytes(a.chunks(), b.chunks(), Side::Start);
    a.char_to_byte(a.byte_to_char(common))
}

/// Returns how many bytes two texts have in common from the end, in whole characters and not
/// counting the first `prefix` bytes of either.
pub(super) fn common_suffix(a: &Rope, b: &Rope, prefix: usize) -> usize {
    let most = a.len_bytes().min(b.len_bytes()) - prefix;
    if a.is_instance(b) {
        return most;
    }
    let (a_chunks, ..) = a.chunks_at_byte(a.len_bytes());
    let (b_chunks, ..) = b.chunks_at_byte(b.len_bytes());
    let common = common_bytes(a_chunks.reversed(), b_chunks.reversed(), Side::End);
    let start = a.len_bytes() - common.min(most);
    let char_idx = a.byte_to_char(start);
    let is_boundary = a.char_to_byte(char_idx) == start;
    a.len_bytes() - a.char_to_byte(if is_boundary { char_idx } else { char_idx + 1 })
}

/// From where texts are compared.
#[derive(Clone, Copy)]
enum Side {
    Start,
    End,
}

impl Side {
    /// Splits a chunk into the `n` bytes on this side and the rest.
    fn split(self, chunk: &[u8], n: usize) -> (&[u8], &[u8]) {
        match self {
            Self::Start => chunk.split_at(n),
            Self::End => {
                let (rest, taken) = chunk.split_at(chunk.len() - n);
                (taken, rest)
            }
        }
    }

    fn common(self, a: &[u8], b: &[u8]) -> usize {
        let equal = |pair: &(&u8, &u8)| pair.0 == pair.1;
        match self {
            Self::Start => a.iter().zip(b).take_while(equal).count(),
            Self::End => a.iter().rev().zip(b.iter().rev()).take_while(equal).count(),
        }
    }
}

/// Compares chunk by chunk, because comparing slices is many times faster than comparing bytes.
fn common_bytes(mut a_chunks: Chunks<'_>, mut b_chunks: Chunks<'_>, side: Side) -> usize {
    let (mut a, mut b): (&[u8], &[u8]) = (&[], &[]);
    let mut common = 0;
    loop {
        if a.is_empty() {
            let Some(chunk) = a_chunks.next() else {
                return common;
            };
            a = chunk.as_bytes();
        }
        if b.is_empty() {
            let Some(chunk) = b_chunks.next() else {
                return common;
            };
            b = chunk.as_bytes();
        }
        let n = a.len().min(b.len());
        let (a_taken, a_rest) = side.split(a, n);
        let (b_taken, b_rest) = side.split(b, n);
        // A text and what was made of it share most of their chunks.
        if !std::ptr::eq(a_taken, b_taken) && a_taken != b_taken {
            return common + side.common(a_taken, b_taken);
        }
        common += n;
        (a, b) = (a_rest, b_rest);
    }
}

/// The lines that hold all differences of two texts, and some equal ones around them.
pub(super) struct Middle {
    /// Where the lines begin: the same byte and line in both texts, as all before it is equal.
    pub(super) start: usize,
    pub(super) first_line_idx: usize,
    pub(super) old: String,
    pub(super) new: String,
}

impl Middle {
    /// `prefix` and `suffix` are the bytes in common; `n_context` equal lines are added on each side.
    pub(super) fn new(old: &Rope, new: &Rope, prefix: usize, suffix: usize, n_context: usize) -> Self {
        // A `\r` in common may be a line break in one text and half of one in the other.
        let first_line_idx = old.byte_to_line(line_start(old, prefix).min(line_start(new, prefix)));
        let kept = lines_kept(old, suffix).min(lines_kept(new, suffix));
        let end_line_idx = match kept {
            0 => old.len_lines(),
            _ => old.byte_to_line(old.len_bytes() - kept),
        };

        let first_line_idx = first_line_idx.saturating_sub(n_context);
        let start = old.line_to_byte(first_line_idx);
        let old_end = old.line_to_byte((end_line_idx + n_context).min(old.len_lines()));
        let new_end = new.len_bytes() - (old.len_bytes() - old_end);
        Self {
            start,
            first_line_idx,
            old: old.byte_slice(start..old_end).to_string(),
            new: new.byte_slice(start..new_end).to_string(),
        }
    }
}

fn line_start(text: &Rope, offset: usize) -> usize {
    text.line_to_byte(text.byte_to_line(offset))
}

/// How many of the last `suffix` bytes are whole lines.
fn lines_kept(text: &Rope, suffix: usize) -> usize {
    let offset = text.len_bytes() - suffix;
    let line_idx = text.byte_to_line(offset);
    let start = text.line_to_byte(line_idx);
    let next = if start == offset { start } else { text.line_to_byte(line_idx + 1) };
    text.len_bytes() - next
}
