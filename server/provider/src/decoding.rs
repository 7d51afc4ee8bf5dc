//! An answer while it is decoded: what is the same for every family between a stream's events and those of
//! the answer.

use std::time::Duration;

use tokio::time::Instant;

use crate::classify::{Class, Failure};
use crate::halves::Halves;
use crate::service::{Decode, Progress};
use crate::{AnswerEvent, sse};

#[derive(Debug)]
pub(crate) struct Decoding<D> {
    pub(crate) decoder: D,
    halves: Halves,
    progress: Progress,
    /// How long the rest may take once the model has stopped. `None`: the reason that was given is no end, as
    /// more of the answer came behind it.
    grace: Option<Duration>,
    /// When the answer is taken to be whole, whatever else comes.
    whole_at: Option<Instant>,
    /// Bytes of text, and of the data of events that added none.
    size: (usize, usize),
}

/// Bytes of text in one answer, thinking included; no model gives a tenth of it. What a service sends without an
/// end would fill memory and disk.
pub(crate) const MAX_TEXT: usize = 16 << 20;

/// Bytes of events that add no text. The arguments of a call come a token at a time, in events of some 200 bytes.
const MAX_SILENT: usize = 128 << 20;

impl<D: Decode> Decoding<D> {
    pub(crate) fn new(decoder: D, grace: Duration) -> Self {
        Self {
            decoder,
            halves: Halves::default(),
            progress: Progress::More,
            grace: Some(grace),
            whole_at: None,
            size: (0, 0),
        }
    }

    /// Takes an event. Those after the last are not looked at.
    pub(crate) fn event(
        &mut self,
        event: &sse::Event<'_>,
        out: &mut Vec<AnswerEvent>,
    ) -> Result<(), Failure> {
        if self.progress == Progress::Finished {
            return Ok(());
        }
        let since = out.len();
        let taken = match self.halves.mend(&event.data) {
            Some(data) => self.decoder.event(&sse::Event { name: event.name, data: data.into() }, out),
            None => self.decoder.event(event, out),
        };
        match taken {
            Ok(progress) => self.came_to(progress),
            // All of the answer is there; what else was to come is known to be missing.
            Err(failure) if self.progress == Progress::Ending && failure.class == Class::Cut => {
                self.end(out)?
            }
            Err(failure) => return Err(self.told(failure)),
        }
        self.count(event, &out[since..]);
        if self.progress != Progress::Finished && (self.size.0 > MAX_TEXT || self.size.1 > MAX_SILENT) {
            self.decoder.cut_short(out).map_err(|failure| self.told(failure))?;
            self.progress = Progress::Finished;
        }
        self.halves.join(out, since);
        Ok(())
    }

    fn count(&mut self, event: &sse::Event<'_>, added: &[AnswerEvent]) {
        let text = added.iter().map(|event| match event {
            AnswerEvent::TextDelta(delta) | AnswerEvent::ThinkingDelta(delta) => delta.len(),
            _ => 0,
        });
        match text.sum() {
            0 => self.size.1 += event.data.len(),
            n_bytes => self.size.0 += n_bytes,
        }
    }

    fn came_to(&mut self, progress: Progress) {
        match (progress, self.grace) {
            (Progress::Ending, Some(grace)) => {
                // Not later for what only keeps the connection alive.
                self.whole_at.get_or_insert_with(|| Instant::now() + grace);
            }
            (Progress::More, _) if self.progress == Progress::Ending => {
                self.grace = None;
                self.whole_at = None;
            }
            _ => {}
        }
        self.progress = progress;
    }

    /// Takes an answer that came as one JSON text.
    pub(crate) fn whole(&mut self, body: &str, out: &mut Vec<AnswerEvent>) -> Result<(), Failure> {
        let mended = self.halves.mend(body);
        let since = out.len();
        self.decoder.whole(mended.as_deref().unwrap_or(body), out).map_err(|failure| self.told(failure))?;
        self.finished(out, since);
        Ok(())
    }

    /// The stream is over. Finishes the answer if all of it is there.
    pub(crate) fn end(&mut self, out: &mut Vec<AnswerEvent>) -> Result<(), Failure> {
        if self.progress != Progress::Finished {
            let since = out.len();
            self.decoder.end(out).map_err(|failure| self.told(failure))?;
            self.finished(out, since);
        }
        Ok(())
    }

    fn finished(&mut self, out: &mut Vec<AnswerEvent>, since: usize) {
        self.progress = Progress::Finished;
        self.halves.join(out, since);
    }

    pub(crate) fn progress(&self) -> Progress {
        self.progress
    }

    pub(crate) fn whole_at(&self) -> Option<Instant> {
        self.whole_at
    }

    fn told(&self, mut failure: Failure) -> Failure {
        self.halves.join_message(&mut failure.message);
        failure
    }
}
