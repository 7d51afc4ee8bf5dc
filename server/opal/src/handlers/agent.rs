//! `agent/*`.

use ::agent::command::{Prompt, Steered};
use ::agent::{MessageId, TurnId};
use protocol::{
    AbortResult, CancelQueuedParams, CancelQueuedResult, FollowUpParams, FollowUpResult, PromptParams,
    PromptResult, SessionParams, SessionState, SteerParams, SteerResult,
};
use serde_json::Value;
use tower_lsp::jsonrpc::{Error, Result};

use super::{Backend, decode, reply, told};
use crate::{from_proto, to_proto};

impl Backend {
    pub(super) async fn prompt(&self, params: Value) -> Result<PromptResult> {
        let params: PromptParams = decode(params)?;
        if params.attachments.is_empty() {
            not_empty("text", &params.text)?;
        }
        if let Some(turn_id) = &params.turn_id {
            not_empty("turn_id", turn_id)?;
            not_given("turn_id", turn_id)?;
        }
        let counting = self.connection.documents.counting();
        let attachments =
            params.attachments.into_iter().map(|attachment| from_proto::attachment(attachment, counting));
        let prompt = Prompt {
            text: params.text,
            attachments: attachments.collect(),
            turn_id: params.turn_id.map(TurnId::new),
        };
        let turn_id = reply(self.session(&params.session_id)?.prompt(prompt)).await?;
        Ok(PromptResult { ok: true, turn_id: turn_id.to_string() })
    }

    pub(super) async fn steer(&self, params: Value) -> Result<SteerResult> {
        let params: SteerParams = decode(params)?;
        not_empty("text", &params.text)?;
        Ok(match reply(self.session(&params.session_id)?.steer(params.text)).await? {
            Steered::Queued(message_id) => {
                SteerResult { ok: true, message_id: Some(message_id.to_string()), turn_id: None }
            }
            Steered::Began(turn_id) => {
                SteerResult { ok: true, message_id: None, turn_id: Some(turn_id.to_string()) }
            }
        })
    }

    pub(super) async fn follow_up(&self, params: Value) -> Result<FollowUpResult> {
        let params: FollowUpParams = decode(params)?;
        not_empty("text", &params.text)?;
        let message_id = reply(self.session(&params.session_id)?.follow_up(params.text)).await?;
        Ok(FollowUpResult { ok: true, message_id: message_id.to_string() })
    }

    pub(super) async fn cancel_queued(&self, params: Value) -> Result<CancelQueuedResult> {
        let params: CancelQueuedParams = decode(params)?;
        let message_id = MessageId::new(params.message_id);
        let ok = reply(self.session(&params.session_id)?.cancel_queued(message_id)).await?;
        Ok(CancelQueuedResult { ok })
    }

    pub(super) async fn abort(&self, params: Value) -> Result<AbortResult> {
        let params: SessionParams = decode(params)?;
        let queued = told(self.session(&params.session_id)?.abort()).await?;
        Ok(AbortResult { ok: true, queued: queued.into_iter().map(to_proto::returned).collect() })
    }

    pub(super) async fn state(&self, params: Value) -> Result<SessionState> {
        let params: SessionParams = decode(params)?;
        Ok(to_proto::state(told(self.session(&params.session_id)?.state()).await?))
    }
}

/// Ids of Opal's own, as in `t1`, would mean two turns at once.
fn not_given(name: &str, id: &str) -> Result<()> {
    let number = id.strip_prefix(['t', 'u']).unwrap_or_default();
    if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::invalid_params(format!(
            "{name}: ids such as t1 and u1 are Opal's own; choose another"
        )));
    }
    Ok(())
}

fn not_empty(name: &str, text: &str) -> Result<()> {
    if text.trim().is_empty() {
        return Err(Error::invalid_params(format!("{name}: expected a text that is not empty")));
    }
    Ok(())
}
