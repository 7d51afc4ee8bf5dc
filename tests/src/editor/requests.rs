//! What the editor does when the server asks it something.

use std::fs;

use protocol::{ClientToolParams, ConfirmParams, InputParams, SaveDocumentsParams};
use serde_json::{Value, json};

use super::document::{Document, Replacement};
use super::edits::{Apply, Confirm, Order, Outcome, Reply, Save, Stale};
use super::state::{Asked, State};
use super::user::path_of;

impl State {
    pub(super) fn receive_request(&mut self, method: &str, id: Value, params: Value) {
        let key = id.to_string();
        if self.asked.contains_key(&key) {
            self.problem(format!("the id {id} is used by two open requests"));
        }
        let question = params["question_id"].as_str().map(str::to_owned);
        self.asked.insert(key, Asked { id: id.clone(), method: method.into(), question, forgotten: false });
        if !self.is_initialized() {
            self.problem(format!("{method} came before the answer to initialize"));
        }
        match method {
            "workspace/applyEdit" => self.apply_edit(id, params),
            "client/save_documents" => self.save_documents(&id, params),
            "client/confirm" => self.confirm(&id, params),
            "client/input" => {
                self.check_question(
                    &id,
                    serde_json::from_value::<InputParams>(params).map(|input| (input.session_id, None)),
                );
            }
            "client/tool_call" => self.check_tool_call(params),
            "window/showMessageRequest" => self.show_message_request(&id, &params),
            "window/showDocument" => self.answer(&id, Ok(json!({ "success": true }))),
            "window/workDoneProgress/create" | "client/registerCapability" => {
                self.answer(&id, Ok(Value::Null))
            }
            _ => {
                self.problem(format!("a request that no client knows: {method}"));
                self.answer(&id, Err((-32601, format!("no method {method}"))));
            }
        }
    }

    fn forget(&mut self, id: &Value) {
        if let Some(asked) = self.asked.get_mut(&id.to_string()) {
            asked.forgotten = true;
        }
    }

    fn confirm(&mut self, id: &Value, params: Value) {
        let confirm = serde_json::from_value::<ConfirmParams>(params);
        self.check_question(id, confirm.map(|confirm| (confirm.session_id, confirm.details.call_id)));
        let script = self.next_confirm();
        match (&script, script.result()) {
            (Confirm::Hold, _) => {}
            (Confirm::Never, _) => self.forget(id),
            (Confirm::Twice(_), Some(result)) => {
                self.answer(id, Ok(result.clone()));
                self.answer(id, Ok(result));
            }
            (_, Some(result)) => self.answer(id, Ok(result)),
            (_, None) => self.answer(id, Err((-32601, "no such method".into()))),
        }
    }

    fn check_question(&mut self, id: &Value, asked: serde_json::Result<(String, Option<String>)>) {
        if !self.options.profile.knows_opal() {
            self.problem("a question of Opal's own to a client that does not know Opal");
        }
        match asked {
            Ok((session, Some(call_id))) if !self.may_have_call(&session, &call_id) => {
                self.problem(format!("a question for the call {call_id}, which has not started"));
            }
            Ok(_) => {}
            Err(error) => self.problem(format!("the question {id} does not decode: {error}")),
        }
    }

    /// A story answers it.
    fn check_tool_call(&mut self, params: Value) {
        let tool = params["tool"].as_str().unwrap_or_default().to_owned();
        if !self.options.tools.contains(&tool.as_str()) {
            self.problem(format!("{tool} was asked of a client that does not offer it"));
        }
        match serde_json::from_value::<ClientToolParams>(params) {
            Ok(params) if !self.may_have_call(&params.session_id, &params.call_id) => {
                self.problem(format!("{tool} for the call {}, which has not started", params.call_id));
            }
            Ok(_) => {}
            Err(error) => self.problem(format!("client/tool_call does not decode: {error}")),
        }
    }

    fn next_confirm(&mut self) -> Confirm {
        self.confirms.pop_front().unwrap_or_else(|| self.confirm_always.clone())
    }

    fn show_message_request(&mut self, id: &Value, params: &Value) {
        if !self.options.profile.shows_message_requests() {
            return self.answer(id, Err((-32601, "no such method".into())));
        }
        let actions = params["actions"].as_array().cloned().unwrap_or_default();
        let titles: Vec<_> = actions.iter().filter_map(|action| action["title"].as_str()).collect();
        let script = self.next_confirm();
        match &script {
            Confirm::Hold => {}
            Confirm::Never => self.forget(id),
            Confirm::Unknown => self.answer(id, Err((-32601, "no such method".into()))),
            _ => match script.button(&titles) {
                Some(button) => self.answer(id, Ok(button)),
                None => self.problem(format!("no button for {script:?} among {titles:?}")),
            },
        }
    }

    fn apply_edit(&mut self, id: Value, params: Value) {
        let apply = self.applies.pop_front().unwrap_or_else(|| self.options.profile.apply());
        match apply.reply {
            Reply::Held => self.held_edits.push((id, params, apply)),
            _ => self.apply_now(&id, &params, &apply),
        }
    }

    /// Does what an `applyEdit` asks and answers it.
    pub(super) fn apply_now(&mut self, id: &Value, params: &Value, apply: &Apply) {
        let already_out = self.outbox.len();
        let result = match apply.outcome {
            Outcome::Refuse => Ok(json!({ "applied": false, "failureReason": "the user said no" })),
            Outcome::Pretend => Ok(json!({ "applied": true })),
            Outcome::Apply | Outcome::Differently(_) => self.apply_all(&params["edit"], apply),
        };
        let changes = self.outbox.split_off(already_out);
        if apply.order == Order::ChangeFirst {
            self.outbox.extend(changes.iter().cloned());
        }
        match (apply.reply, result) {
            (Reply::AtOnce | Reply::Held, result) => self.answer(id, result),
            (Reply::Never, _) => self.forget(id),
            (Reply::Unknown, _) => self.answer(id, Err((-32601, "no such method".into()))),
        }
        if apply.order == Order::AnswerFirst {
            self.outbox.extend(changes);
        }
    }

    fn apply_all(&mut self, edit: &Value, apply: &Apply) -> Result<Value, (i64, String)> {
        if let Some(changes) = edit["changes"].as_object() {
            for (uri, edits) in changes {
                if let Err(reason) = self.apply_edits(uri, &Value::Null, edits, apply) {
                    return Ok(reason);
                }
            }
        }
        for change in edit["documentChanges"].as_array().into_iter().flatten() {
            match change["kind"].as_str() {
                None => {
                    let document = &change["textDocument"];
                    let uri = document["uri"].as_str().unwrap_or_default();
                    if let Err(reason) = self.apply_edits(uri, &document["version"], &change["edits"], apply)
                    {
                        return Ok(reason);
                    }
                }
                Some("create") if self.options.profile.creates_files() => {
                    self.create_file(change["uri"].as_str().unwrap_or_default());
                }
                Some("delete") if self.options.profile.creates_files() => {
                    self.delete_file(change["uri"].as_str().unwrap_or_default());
                }
                Some(kind) => {
                    self.problem(format!("a {kind} operation for a client that has none"));
                    return Err((-32603, format!("cannot {kind}")));
                }
            }
        }
        Ok(json!({ "applied": true }))
    }

    fn create_file(&mut self, uri: &str) {
        let path = path_of(uri);
        if let Some(parent) = path.parent() {
            let _ = fs::create_dir_all(parent); // If it fails, so does the next line.
        }
        if let Err(error) = fs::OpenOptions::new().write(true).create_new(true).open(&path) {
            self.problem(format!("{} cannot be created: {error}", path.display()));
        }
    }

    /// The file goes, and the document that showed it.
    fn delete_file(&mut self, uri: &str) {
        if self.documents.remove(uri).is_some() {
            self.notify("textDocument/didClose", json!({ "textDocument": { "uri": uri } }));
        }
        if let Err(error) = fs::remove_file(path_of(uri)) {
            self.problem(format!("{uri} cannot be deleted: {error}"));
        }
    }

    /// Applies the edits of one document; the error is the answer to give.
    fn apply_edits(&mut self, uri: &str, version: &Value, edits: &Value, apply: &Apply) -> Result<(), Value> {
        let refuse = |reason: &str| json!({ "applied": false, "failureReason": reason });
        self.open_for_edit(uri);
        let encoding = self.encoding;
        let document = self.documents.get_mut(uri).expect("it was just opened");
        if version.as_i64().is_some_and(|version| version != i64::from(document.version)) {
            return match apply.stale {
                Stale::Refuse => Err(refuse("the document has changed")),
                Stale::Pretend => Ok(()),
            };
        }
        let replacements: Vec<Replacement> = match document.parse_edits(edits, encoding) {
            Ok(replacements) => replacements,
            Err(bad) => {
                self.problem(format!("an edit of {uri} that cannot be applied: {bad}"));
                return Err(refuse("the edit makes no sense"));
            }
        };
        let before = document.clone();
        let mut changes = document.replace(&replacements, encoding);
        let mut after = document.text.clone();
        if let Outcome::Differently(change) = apply.outcome {
            after = change(&after);
        }
        if let Some(typing) = &apply.typing {
            assert!(after.contains(&typing.find), "the user cannot type at {:?} in {after:?}", typing.find);
            after = after.replacen(&typing.find, &typing.put, 1);
        }
        if after != document.text {
            *document = before;
            changes = document.become_text(&after, encoding);
        }
        self.did_change(uri, changes);
        Ok(())
    }

    /// An edit of a closed file opens it, as every editor does.
    fn open_for_edit(&mut self, uri: &str) {
        if self.documents.contains_key(uri) {
            return;
        }
        let path = path_of(uri);
        if let Some(open) = self.documents.keys().find(|open| path_of(open) == path) {
            let text = format!("the server spells {open} as {uri}");
            self.problem(text);
        }
        let bytes = fs::read(&path).unwrap_or_default();
        let document = Document::open(uri, &bytes, self.habits());
        self.open_document(document);
    }

    fn save_documents(&mut self, id: &Value, params: Value) {
        match self.saves.pop_front().unwrap_or_default() {
            Save::Held => self.held_saves.push((id.clone(), params)),
            save => self.save_now(id, params, save),
        }
    }

    pub(super) fn save_now(&mut self, id: &Value, params: Value, save: Save) {
        let params: SaveDocumentsParams = match serde_json::from_value(params) {
            Ok(params) => params,
            Err(error) => return self.problem(format!("client/save_documents does not decode: {error}")),
        };
        let mut saved = Vec::new();
        for uri in params.uris {
            match save {
                Save::Write | Save::Held => {}
                Save::Format(format) => self.reformat(&uri, format),
                Save::Fail | Save::Never => continue,
            }
            match self.save(&uri) {
                Ok(()) => saved.push(uri),
                Err(error) => self.log.note(format!("{uri} cannot be saved: {error}")),
            }
        }
        match save {
            Save::Never => self.forget(id),
            _ => self.answer(id, Ok(json!({ "saved": saved }))),
        }
    }

    fn reformat(&mut self, uri: &str, format: fn(&str) -> String) {
        let encoding = self.encoding;
        let Some(document) = self.documents.get_mut(uri) else {
            return;
        };
        let text = format(&document.text);
        if text != document.text {
            let changes = document.become_text(&text, encoding);
            self.did_change(uri, changes);
        }
    }
}
