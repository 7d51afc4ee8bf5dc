//! Texts as the editor has them: positions, changes, edits, diffs, encodings and paths.
//!
//! Every rule about what a line, a position or a match is stands here once, so that what the
//! model reads, what the editor is sent and what is written to disk agree to the byte.
//!
//! Deliberately absent: IO, waiting, LSP and wire types. A caller brings texts and takes texts;
//! that keeps everything here testable with tables and random input.
//!
//! Offsets are bytes of UTF-8. Lines end at `\n`, `\r\n` and `\r` and nowhere else, as in LSP; only positions
//! may be counted otherwise, by clients that do ([`position::LineEnds`]).

pub mod path;
pub mod position;

pub mod document;
pub mod edit;

pub mod diff;
pub mod merge;
pub mod replace;

pub mod decode;
pub mod excerpt;
pub mod line_end;
pub mod name;
pub mod notice;
pub mod printable;
pub mod same;

#[cfg(test)]
mod testing;

pub use decode::{DecodeError, Decoded, Encoding, decode, encode, encode_rope};
pub use diff::{Hunk, UnifiedDiff, hunks, revert_hunk, same_text, smallest_edits, unified};
pub use document::{Change, ChangeError, Document, DocumentVersion};
pub use edit::{Edit, EditError, EditSet, Landing, ProposedEdit, Step, differs_only_outside};
pub use excerpt::{
    ControlFilter, Excerpt, ExcerptError, HeadTail, Utf8Chunks, excerpt, nearest_names, strip_controls,
};
pub use line_end::{LineEnding, dominant_line_ending, keep_line_ends, with_line_ends_of};
pub use merge::{Conflict, ConflictRegion, merge};
pub use name::{NameError, find_name};
pub use notice::added_notice;
pub use path::{AbsPath, PathError, UriError};
pub use position::{
    Counting, LineEnds, Position, PositionEncoding, PositionRange, has_lone_cr, to_offset, to_position,
};
pub use printable::{Printable, abridge, cut, printable, printable_line, rows};
pub use replace::{MAX_REPLACEMENTS, Region, ReplaceError, Replacement, replace};
/// The text type of the whole crate: cheap to clone, cheap to edit in the middle.
pub use ropey::Rope;
pub use same::{can_be_decoded_from, same_lines};
