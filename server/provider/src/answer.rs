//! What a model answers.

use std::collections::HashSet;

/// A piece of an answer, in the order in which a reader should see it.
#[derive(Debug, Clone, PartialEq)]
pub enum AnswerEvent {
    /// The service has accepted the request and begun to answer.
    Started,
    ThinkingDelta(String),
    /// The end of one thinking block, with its whole text.
    ThinkingEnd(String),
    /// Text for the user. A blank line between two text blocks is part of the delta that begins the
    /// second, so the deltas joined are [`Answer::text`].
    TextDelta(String),
    /// The terminal event: the answer as it is to be kept. Authoritative where deltas differ.
    Finished(Box<Answer>),
}

/// One complete answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Who gave it; what can be replayed depends on it. The provider's name, with a mark of the account
    /// where the service binds thinking to one (`copilot#1f2e3d4c`).
    pub provider: String,
    /// The model as the service last reported it.
    pub model: String,
    pub response_id: Option<String>,
    /// In the service's final order.
    pub blocks: Vec<Block>,
    pub stop: StopReason,
    pub usage: Option<Usage>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    Thinking {
        text: String,
        /// What must go back to the service unchanged, as JSON text in the service's own shape.
        /// `None`: cannot be replayed.
        replay: Option<String>,
    },
    Text {
        text: String,
        /// `commentary` or `final_answer`, where the model says so; newer models want it back.
        phase: Option<String>,
    },
    ToolCall(ToolCall),
}

#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    pub call_id: String,
    /// [`UNNAMED`](crate::UNNAMED) if the model gave none.
    pub name: String,
    /// JSON text as the model wrote it; it may not parse. Never empty: nothing means `{}`.
    pub arguments: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    Stop,
    ToolUse,
    /// The output limit was reached; incomplete tool calls have been left out.
    Length,
    /// The service paused a long answer: the model goes on when it is asked again.
    Paused,
    /// A reason that is not known here, in the service's word. The answer counts.
    Unknown(String),
}

/// Tokens, normalised over all services; what a service does not say is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Includes cached and cache-written tokens.
    pub input_total: u64,
    pub input_cached: u64,
    pub input_cache_write: u64,
    /// Includes reasoning.
    pub output_total: u64,
    pub output_reasoning: u64,
    pub total: u64,
}

impl Answer {
    /// All text for the user, blocks separated by a blank line.
    pub fn text(&self) -> String {
        let texts = self.blocks.iter().filter_map(|block| match block {
            Block::Text { text, .. } if !text.is_empty() => Some(text.as_str()),
            _ => None,
        });
        texts.collect::<Vec<_>>().join("\n\n")
    }

    /// Gives a call whose id another one of this answer has an id of its own: results are told apart by
    /// nothing else.
    pub fn make_call_ids_unique(&mut self) {
        let mut seen = HashSet::new();
        for block in &mut self.blocks {
            if let Block::ToolCall(call) = block {
                let id = call.call_id.clone();
                for n in 2.. {
                    if seen.insert(call.call_id.clone()) {
                        break;
                    }
                    call.call_id = format!("{id}_{n}");
                }
            }
        }
    }

    /// Whether there is thinking that may go back to the service.
    pub(crate) fn has_replay(&self) -> bool {
        self.blocks.iter().any(|block| matches!(block, Block::Thinking { replay: Some(_), .. }))
    }

    pub fn tool_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.blocks.iter().filter_map(|block| match block {
            Block::ToolCall(call) => Some(call),
            _ => None,
        })
    }
}

impl Usage {
    /// Counts another answer's tokens in.
    pub fn add(&mut self, other: &Self) {
        self.input_total = self.input_total.saturating_add(other.input_total);
        self.input_cached = self.input_cached.saturating_add(other.input_cached);
        self.input_cache_write = self.input_cache_write.saturating_add(other.input_cache_write);
        self.output_total = self.output_total.saturating_add(other.output_total);
        self.output_reasoning = self.output_reasoning.saturating_add(other.output_reasoning);
        self.total = self.total.saturating_add(other.total);
    }
}
