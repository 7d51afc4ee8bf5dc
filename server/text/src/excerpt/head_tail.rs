//! The two ends of an output that may be endless.

use crate::notice;

/// What is kept of a long output by default: about 7,500 tokens.
const DEFAULT_LIMIT: usize = 30_000;

/// Keeps the first and the last half of a limit's worth of characters, whatever is pushed.
///
/// Memory is bounded by a few times the limit; everything is counted.
#[derive(Debug, Clone)]
pub struct HeadTail {
    half: usize,
    head: String,
    head_chars: usize,
    tail: String,
    tail_chars: usize,
    total_chars: usize,
}

impl Default for HeadTail {
    fn default() -> Self {
        Self::new()
    }
}

impl HeadTail {
    /// Keeps 30,000 characters.
    pub fn new() -> Self {
        Self::with_limit(DEFAULT_LIMIT)
    }

    /// Keeps `limit` characters, rounded down to an even number.
    pub fn with_limit(limit: usize) -> Self {
        Self {
            half: limit / 2,
            head: String::new(),
            head_chars: 0,
            tail: String::new(),
            tail_chars: 0,
            total_chars: 0,
        }
    }

    pub fn push(&mut self, text: &str) {
        let room = self.half - self.head_chars;
        let split = text.char_indices().nth(room).map_or(text.len(), |(at, _)| at);
        let (head, rest) = text.split_at(split);
        let head_chars = head.chars().count();
        self.head.push_str(head);
        self.head_chars += head_chars;

        let rest_chars = rest.chars().count();
        self.total_chars += head_chars + rest_chars;
        if rest_chars >= self.half {
            self.tail.clear();
            self.tail.push_str(last_chars(rest, rest_chars, self.half));
            self.tail_chars = self.half;
            return;
        }
        self.tail.push_str(rest);
        self.tail_chars += rest_chars;
        // Dropping only when it has doubled makes the cost per character constant.
        if self.tail_chars > 2 * self.half {
            let kept = last_chars(&self.tail, self.tail_chars, self.half).len();
            self.tail.drain(..self.tail.len() - kept);
            self.tail_chars = self.half;
        }
    }

    /// All characters pushed so far.
    pub fn total_chars(&self) -> usize {
        self.total_chars
    }

    /// Characters that [`finish`](Self::finish) leaves out.
    pub fn left_out(&self) -> usize {
        self.total_chars.saturating_sub(2 * self.half)
    }

    /// Returns what was kept, with a line between the halves that says how much is missing.
    pub fn finish(&self) -> String {
        let tail = last_chars(&self.tail, self.tail_chars, self.half);
        let left_out = self.left_out();
        if left_out == 0 {
            return format!("{}{tail}", self.head);
        }
        let before = if self.head.is_empty() || self.head.ends_with('\n') { "" } else { "\n" };
        format!("{}{before}{}\n{tail}", self.head, notice::left_out(left_out))
    }
}

/// The last `n` of the `total` characters of `text`.
fn last_chars(text: &str, total: usize, n: usize) -> &str {
    let skip = total.saturating_sub(n);
    text.char_indices().nth(skip).map_or("", |(at, _)| &text[at..])
}
