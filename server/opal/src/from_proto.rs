//! Wire types to Opal's own. Boring on purpose.

use agent::client::Answer;
use agent::event::Attachment;
use agent::permission::Mode;
use protocol as wire;
use provider::ThinkingLevel;
use text::{Counting, Position, PositionRange};

pub(crate) fn position_range(range: wire::Range) -> PositionRange {
    let position = |position: wire::Position| Position::new(position.line, position.character);
    PositionRange::new(position(range.start), position(range.end))
}

pub(crate) fn attachment(attachment: wire::Attachment, counting: Counting) -> Attachment {
    match attachment {
        wire::Attachment::File { uri } => Attachment::File { uri },
        wire::Attachment::Selection { uri, range } => {
            Attachment::Selection { uri, range: position_range(range), counting }
        }
        wire::Attachment::Image { mime_type, data } => Attachment::Image { mime_type, data },
    }
}

pub(crate) fn mode(mode: wire::PermissionMode) -> Mode {
    match mode {
        wire::PermissionMode::Ask => Mode::Ask,
        wire::PermissionMode::AutoEdit => Mode::AutoEdit,
        wire::PermissionMode::Full => Mode::Full,
        wire::PermissionMode::ReadOnly => Mode::ReadOnly,
    }
}

pub(crate) fn thinking_level(level: wire::ThinkingLevel) -> ThinkingLevel {
    match level {
        wire::ThinkingLevel::Off => ThinkingLevel::Off,
        wire::ThinkingLevel::Minimal => ThinkingLevel::Minimal,
        wire::ThinkingLevel::Low => ThinkingLevel::Low,
        wire::ThinkingLevel::Medium => ThinkingLevel::Medium,
        wire::ThinkingLevel::High => ThinkingLevel::High,
        wire::ThinkingLevel::XHigh => ThinkingLevel::XHigh,
        wire::ThinkingLevel::Max => ThinkingLevel::Max,
    }
}

pub(crate) fn confirmed(result: wire::ConfirmResult) -> Answer {
    let word = result.message.filter(|word| !word.trim().is_empty());
    match result.action {
        wire::ConfirmAction::Allow => Answer::Allow { word, for_session: false },
        wire::ConfirmAction::AllowSession => Answer::Allow { word, for_session: true },
        wire::ConfirmAction::Deny => Answer::Deny { word },
    }
}
