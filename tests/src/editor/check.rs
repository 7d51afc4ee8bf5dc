//! What every session owes its clients, checked event by event.

use std::collections::BTreeMap;

use protocol::{AgentEvent, EventParams, QueuedKind, SessionState, SessionStatus};

/// One session as its events tell it.
#[derive(Debug, Default)]
pub(super) struct SessionCheck {
    /// The number of the last event, once one is known.
    seq: Option<u64>,
    /// The first number seen before the answer that says where to begin.
    began_at: Option<u64>,
    now: Snapshot,
    /// What was true from which number on; for comparing states that arrive late.
    history: Vec<(u64, Snapshot)>,
    /// States that are ahead of the events.
    ahead: Vec<SessionState>,
    messages: BTreeMap<String, String>,
    thoughts: BTreeMap<String, String>,
    calls: BTreeMap<String, String>,
    /// Messages that were voided or are complete.
    finished: Vec<String>,
    /// Attached in the middle of a run: until its end, what was open before is not known.
    joined_late: bool,
    compacting: bool,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Snapshot {
    running: bool,
    turn: Option<String>,
    queue: Vec<String>,
}

impl SessionCheck {
    pub(super) fn is_running(&self) -> bool {
        self.now.running
    }

    pub(super) fn may_have_call(&self, call_id: &str) -> bool {
        self.joined_late || self.calls.contains_key(call_id)
    }

    pub(super) fn seq(&self) -> Option<u64> {
        self.seq
    }

    /// Takes the answer that attached this client.
    pub(super) fn attach(&mut self, state: &SessionState, problems: &mut Vec<String>) {
        match self.began_at {
            Some(first) if first > state.seq + 1 => {
                problems.push(format!("the state says seq {}, but the first event was {first}", state.seq));
            }
            // Events overtook the answer; they are the newer truth.
            Some(_) => {}
            None => {
                self.seq = Some(state.seq);
                self.now = Snapshot::of(state);
                self.joined_late = self.now.running;
                self.history = vec![(state.seq, self.now.clone())];
            }
        }
    }

    /// Compares an answer of `agent/state` with what the events up to its number said.
    pub(super) fn state(&mut self, state: SessionState, problems: &mut Vec<String>) {
        if self.seq.is_none_or(|seq| state.seq > seq) {
            self.ahead.push(state);
            return;
        }
        let then = self.history.iter().rev().find(|(seq, _)| *seq <= state.seq);
        let Some((_, then)) = then else { return };
        let says = Snapshot::of(&state);
        if *then != says {
            problems.push(format!(
                "agent/state at seq {} says {says:?}, but the events said {then:?}",
                state.seq
            ));
        }
    }

    /// Whether every state that was answered has been compared.
    pub(super) fn finish(&self, name: &str, problems: &mut Vec<String>) {
        for state in &self.ahead {
            problems.push(format!(
                "session {name}: a state with seq {} was answered, that event never came",
                state.seq
            ));
        }
        if self.now.running {
            problems.push(format!("session {name}: the story ended while it was running"));
        }
    }

    pub(super) fn event(&mut self, params: EventParams, problems: &mut Vec<String>) {
        let first = params.first_seq.unwrap_or(params.seq);
        match self.seq {
            Some(last) if first != last + 1 => problems.push(format!("seq {first} came after {last}")),
            Some(_) => {}
            None => self.began_at = Some(first),
        }
        if first > params.seq {
            problems.push(format!("first_seq {first} is greater than seq {}", params.seq));
        }
        let is_delta = matches!(
            params.event,
            AgentEvent::MessageDelta { .. }
                | AgentEvent::ThinkingDelta { .. }
                | AgentEvent::ToolOutput { .. }
        );
        if params.first_seq.is_some() && !is_delta {
            problems.push(format!("an event that is no delta was merged: {:?}", params.event));
        }
        self.seq = Some(params.seq);
        let before = self.now.clone();
        let mut problem = |text: String| problems.push(format!("seq {}: {text}", params.seq));
        self.apply(params.event, &mut problem);
        if self.now != before || self.history.is_empty() {
            self.history.push((params.seq, self.now.clone()));
        }
        let seq = params.seq;
        let due: Vec<_> = self.ahead.extract_if(.., |state| state.seq <= seq).collect();
        for state in due {
            self.state(state, problems);
        }
    }

    fn apply(&mut self, event: AgentEvent, problem: &mut dyn FnMut(String)) {
        let in_turn = self.now.turn.is_some();
        match event {
            AgentEvent::AgentStart => {
                if std::mem::replace(&mut self.now.running, true) {
                    problem("agent_start in a running session".into());
                }
            }
            AgentEvent::TurnStart { turn_id, .. } => {
                if !self.now.running {
                    problem("turn_start outside a run".into());
                }
                if let Some(open) = self.now.turn.replace(turn_id) {
                    problem(format!("turn_start inside the turn {open}"));
                }
            }
            AgentEvent::MessageStart { message_id } => {
                if !in_turn {
                    problem("message_start outside a turn".into());
                }
                if self.finished.contains(&message_id) {
                    problem(format!("the message {message_id} starts a second time"));
                }
                if self.messages.insert(message_id, String::new()).is_some() || self.messages.len() > 1 {
                    problem("message_start inside a message".into());
                }
            }
            AgentEvent::MessageDelta { message_id, delta } => match self.messages.get_mut(&message_id) {
                Some(text) => text.push_str(&delta),
                None if self.joined_late => {}
                None => problem(format!("message_delta for {message_id}, which is not open")),
            },
            AgentEvent::MessageEnd { message_id, text } => {
                match self.messages.remove(&message_id) {
                    Some(joined) if joined != text => {
                        problem(format!("message_end says {text:?}, the deltas said {joined:?}"));
                    }
                    Some(_) => {}
                    None if self.joined_late => {}
                    None => problem(format!("message_end for {message_id}, which is not open")),
                }
                self.finished.push(message_id);
            }
            AgentEvent::ThinkingStart { message_id } => {
                if !in_turn {
                    problem("thinking_start outside a turn".into());
                }
                if self.thoughts.insert(message_id, String::new()).is_some() {
                    problem("thinking_start inside thinking".into());
                }
            }
            AgentEvent::ThinkingDelta { message_id, delta } => match self.thoughts.get_mut(&message_id) {
                Some(text) => text.push_str(&delta),
                None if self.joined_late => {}
                None => problem(format!("thinking_delta for {message_id}, which is not open")),
            },
            AgentEvent::ThinkingEnd { message_id, text } => match self.thoughts.remove(&message_id) {
                Some(joined) if joined != text => {
                    problem(format!("thinking_end says {text:?}, the deltas said {joined:?}"));
                }
                Some(_) => {}
                None if self.joined_late => {}
                None => problem(format!("thinking_end for {message_id}, which is not open")),
            },
            AgentEvent::Retry { message_id, .. } => {
                self.messages.remove(&message_id);
                self.thoughts.remove(&message_id);
                self.finished.push(message_id);
            }
            AgentEvent::ToolExecutionStart { tool, call_id, .. } => {
                if !in_turn || !self.messages.is_empty() {
                    problem(format!(
                        "the call {call_id} starts outside a turn or before the answer is complete"
                    ));
                }
                if self.calls.insert(call_id.clone(), tool).is_some() {
                    problem(format!("the call {call_id} starts twice"));
                }
            }
            AgentEvent::ToolOutput { call_id, .. } => {
                if !self.may_have_call(&call_id) {
                    problem(format!("output of the call {call_id}, which does not run"));
                }
            }
            AgentEvent::ToolExecutionEnd { tool, call_id, result } => {
                let started = self.calls.remove(&call_id);
                if started.as_ref() != Some(&tool) && !(started.is_none() && self.joined_late) {
                    problem(format!("the call {call_id} of {tool} ends but did not start"));
                }
                if result.ok != result.output.is_some() || result.ok == result.error.is_some() {
                    problem(format!("the result of {call_id} is neither output nor error: {result:?}"));
                }
            }
            AgentEvent::TurnEnd { turn_id, .. } => {
                if self.now.turn.take().as_ref() != Some(&turn_id) {
                    problem(format!("the turn {turn_id} ends but is not the open one"));
                }
                self.nothing_open("the turn", problem);
            }
            AgentEvent::AgentEnd { .. } => {
                self.joined_late = false;
                if !std::mem::replace(&mut self.now.running, false) {
                    problem("agent_end in an idle session".into());
                }
                if let Some(turn) = self.now.turn.take() {
                    problem(format!("the run ends inside the turn {turn}"));
                }
                self.nothing_open("the run", problem);
            }
            AgentEvent::MessageQueued { message_id, kind, .. } => match kind {
                QueuedKind::Steering | QueuedKind::FollowUp => self.now.queue.push(message_id),
            },
            AgentEvent::MessageApplied { message_id } | AgentEvent::MessageWithdrawn { message_id } => {
                let before = self.now.queue.len();
                self.now.queue.retain(|queued| *queued != message_id);
                if self.now.queue.len() + 1 != before {
                    problem(format!("the message {message_id} left the queue, but was not in it"));
                }
            }
            AgentEvent::Unknown => problem("an event of an unknown type".into()),
            AgentEvent::ChangesUndone { .. } | AgentEvent::Branched { .. } => {
                if in_turn || !self.now.running {
                    problem("an undo or a branching inside a turn or outside a run".into());
                }
            }
            AgentEvent::ModelChanged { .. } => {}
            AgentEvent::CompactionStart { .. } => {
                if std::mem::replace(&mut self.compacting, true) || !self.now.running {
                    problem("a compaction inside another, or outside a run".into());
                }
            }
            AgentEvent::CompactionEnd { .. } => {
                if !std::mem::replace(&mut self.compacting, false) {
                    problem("a compaction ends that did not start".into());
                }
            }
            AgentEvent::AgentAbort
            | AgentEvent::DocumentEdited { .. }
            | AgentEvent::UsageUpdate { .. }
            | AgentEvent::StatusUpdate { .. }
            | AgentEvent::Warning { .. }
            | AgentEvent::Error { .. } => {}
        }
    }

    fn nothing_open(&mut self, what: &str, problem: &mut dyn FnMut(String)) {
        for message in self.messages.keys().chain(self.thoughts.keys()) {
            problem(format!("{what} ended, the message {message} did not"));
        }
        for (call_id, tool) in &self.calls {
            problem(format!("{what} ended, the call {call_id} of {tool} did not"));
        }
        self.messages.clear();
        self.thoughts.clear();
        self.calls.clear();
    }
}

impl Snapshot {
    fn of(state: &SessionState) -> Self {
        Self {
            running: state.status == SessionStatus::Running,
            turn: state.turn_id.clone(),
            queue: state.queue.iter().map(|queued| queued.message_id.clone()).collect(),
        }
    }
}
