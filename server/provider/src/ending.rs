//! Why a model stopped, whatever its service calls it.
//!
//! Each family has one closed list of the reasons that its services are known to give. A reason that is in
//! no list ends an answer that is kept, and the user is told of it.

use crate::StopReason;
use crate::classify::{Class, Failure, plain};

/// Longest unknown reason that is shown.
const MAX_REASON_CHARS: usize = 60;

/// What a reason means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The model was done, or calls tools.
    Done,
    /// The output limit was reached.
    Length,
    /// The service paused a long answer, and the model is to go on.
    Paused,
    /// The service or the model withheld the rest.
    Filtered,
    /// The conversation and the answer do not fit the window.
    Overflow,
    /// The service failed within the answer.
    Broken,
}

/// The reasons of a family, in lower case.
pub(crate) type Endings = [(&'static str, Ending)];

/// What an answer that ends for this reason is. `None`: its blocks tell.
///
/// # Errors
/// A failure, if it is none.
pub(crate) fn stop(reason: Option<&str>, endings: &Endings) -> Result<Option<StopReason>, Failure> {
    let Some(reason) = reason else { return Ok(None) };
    let known = endings.iter().find(|(known, _)| known.eq_ignore_ascii_case(reason));
    let Some((known, ending)) = known else {
        let reason = plain(reason).chars().take(MAX_REASON_CHARS).collect();
        return Ok(Some(StopReason::Unknown(reason)));
    };
    match ending {
        Ending::Done => Ok(None),
        Ending::Length => Ok(Some(StopReason::Length)),
        Ending::Paused => Ok(Some(StopReason::Paused)),
        Ending::Filtered => {
            let named = if *known == "content_filter" { String::new() } else { format!(" ({known})") };
            let message = format!("the answer was stopped by a content filter{named}");
            Err(Failure::new(Class::ContentFilter, message))
        }
        Ending::Overflow => {
            let message = "the answer ran into the end of the context window";
            Err(Failure::new(Class::ContextOverflow, message))
        }
        Ending::Broken => {
            let message = format!("the service broke the answer off ({known})");
            Err(Failure::new(Class::Server, message))
        }
    }
}
