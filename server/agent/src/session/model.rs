//! Who answers, how long it thinks, and how much it takes.

use provider::ThinkingLevel;
use store::EntryKind;

use super::Session;
use crate::compaction;
use crate::event::Event;
use crate::journal::record::{self, ModelChangeRecord};
use crate::model::Model;
use crate::permission::Mode;

impl Session {
    /// Another model, or another level, from the next turn on.
    pub(super) fn set_model(&mut self, model: Option<Model>, thinking: Option<ThinkingLevel>) {
        let is_new = |model: &Model| model.name() != self.options.model.name();
        let has_changed = model.as_ref().is_some_and(is_new)
            || thinking.is_some_and(|level| self.options.thinking != Some(level));
        let window = self.usage.window;
        let was =
            (self.options.model.clone(), self.options.thinking, self.options.settings.thinking_level.clone());
        if let Some(model) = model {
            self.options.model = model;
            self.measure();
        }
        if let Some(level) = thinking {
            self.options.thinking = Some(level);
            self.options.settings.thinking_level = Some(record::thinking_level(level).to_owned());
        }
        if !has_changed {
            if self.usage.window != window {
                self.tell_usage();
            }
            return;
        }
        let model = self.options.model.name();
        self.keep_settings();
        let commits = self.journal.model(&model);
        self.outgoing.expect(commits);
        if !self.journal.is_unborn() {
            let thinking_level = self.options.settings.thinking_level.clone();
            let change = ModelChangeRecord { model: model.clone(), thinking_level };
            self.record(EntryKind::ModelChange, &change, None);
        }
        let thinking = self.options.thinking;
        self.reply(move |session, failure| {
            if failure.is_some() {
                let options = &mut session.options;
                (options.model, options.thinking, options.settings.thinking_level) = was;
                session.measure();
                session.take_back_settings();
            } else {
                session.tell(&Event::ModelChanged { model, thinking });
                session.tell(&Event::UsageUpdate { usage: session.usage_told() });
            }
        });
    }

    /// Another mode, from now on.
    pub(super) fn set_mode(&mut self, mode: Mode) {
        let was_kept = self.options.settings.permission_mode.replace(mode.as_str().to_owned());
        let was = std::mem::replace(&mut self.options.context.permissions().mode, mode);
        self.keep_settings();
        self.reply(move |session, failure| {
            if failure.is_some() {
                session.options.context.permissions().mode = was;
                session.options.settings.permission_mode = was_kept;
                session.take_back_settings();
            }
        });
    }

    /// How much the model takes.
    pub(super) fn measure(&mut self) {
        let window = self.options.model.window();
        self.usage.window = window;
        self.usage.compact_at = window.map(compaction::compact_at);
        self.is_cramped = false;
    }

    /// The model that a run asks, which may be another than the one for the next.
    pub(super) fn asked(&self) -> &Model {
        self.run.as_ref().map_or(&self.options.model, |run| &run.model)
    }
}
