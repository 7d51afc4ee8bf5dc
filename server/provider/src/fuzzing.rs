//! The decoders of streams, for the fuzzers in `tests/fuzz`.

use std::sync::Arc;

use crate::draft::Draft;
use crate::service::{Decode, Progress, Wire};
use crate::{AnswerEvent, Initiator, Request, classify, sse};

/// Plays a stream of the Responses API; returns all that came of it.
pub fn responses(pieces: &[&[u8]]) -> Vec<String> {
    play(&crate::responses::Responses::default(), pieces)
}

/// Plays a stream of the Chat Completions API; returns all that came of it.
pub fn chat(pieces: &[&[u8]]) -> Vec<String> {
    play(&crate::chat::Chat::compatible(), pieces)
}

/// Plays a stream of the Messages API; returns all that came of it.
pub fn anthropic(pieces: &[&[u8]]) -> Vec<String> {
    play(&crate::anthropic::Anthropic::default(), pieces)
}

fn play<W: Wire>(wire: &W, pieces: &[&[u8]]) -> Vec<String> {
    let mut stream = sse::Decoder::default();
    let mut decoder = wire.decoder(Draft::new(&request(), "fuzzed"));
    let mut events: Vec<AnswerEvent> = Vec::new();
    let mut progress = Progress::More;
    let mut take = |event: sse::Event<'_>| {
        if progress == Progress::More {
            progress = decoder.event(&event, &mut events)?;
        }
        Ok::<(), classify::Failure>(())
    };
    let fed = pieces.iter().try_for_each(|piece| stream.feed(piece, &mut take));
    let ended = fed.and_then(|()| stream.finish(&mut take));
    let ended = match ended {
        Ok(()) if progress == Progress::More => decoder.end(&mut events),
        ended => ended,
    };
    let mut told: Vec<String> = events.iter().map(|event| format!("{event:?}")).collect();
    told.extend(ended.err().map(|failure| format!("{failure:?}")));
    told
}

fn request() -> Request {
    Request {
        model: "fuzzed".into(),
        instructions: "".into(),
        tools: [].into(),
        items: Arc::default(),
        thinking: None,
        cache_key: "".into(),
        max_output_tokens: None,
        context_window: None,
        images: None,
        streams: true,
        initiator: Initiator::User,
    }
}
