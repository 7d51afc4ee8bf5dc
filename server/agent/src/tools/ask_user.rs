//! `ask_user`: a question of the model to the user.

use futures::FutureExt;
use futures::future::BoxFuture;
use provider::ToolSpec;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;
use crate::client::Asked;
use crate::client::{Answer, QuestionKind};
use crate::context::Context;
use crate::result::{Output, ToolError};
use crate::tool::{Access, Tool, decode};

#[derive(Debug)]
pub(super) struct AskUser;

#[derive(Debug, Deserialize)]
struct Args {
    question: String,
    #[serde(default)]
    choices: Vec<String>,
}

impl Tool for AskUser {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "ask_user".into(),
            description:
                "Ask the user something that you cannot find out yourself and need in order to go on.".into(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "question": {"type": "string"},
                    "choices": {"type": "array", "items": {"type": "string"}, "description": "answers to choose from, if any"}
                },
                "required": ["question"]
            }),
        }
    }

    fn access(&self, _args: &Value, _context: &Context) -> Access {
        Access::User
    }

    fn run<'a>(&'a self, args: Value, call: &'a Call) -> BoxFuture<'a, Result<Output, ToolError>> {
        async move {
            let args: Args = decode(args)?;
            let _turn_to_ask = call.reporter.questions.lock().await;
            let question = QuestionKind::Input {
                prompt: args.question,
                call_id: Some(call.id.clone()),
                sensitive: false,
                choices: args.choices,
            };
            match call.ask(question).await? {
                Asked::Answered(Answer::Input(Some(text))) => {
                    Ok(Output::text(format!("The user answers: {text}")))
                }
                Asked::Answered(_) => Ok(Output::text("The user did not answer. Go on as you think best.")),
                Asked::Nobody => Err(ToolError::failed(
                    "nobody can be asked here. Go on as you think best, and say what you assumed.",
                )),
            }
        }
        .boxed()
    }
}
