//! The model that a session talks to.

use std::sync::Arc;

use provider::{ModelInfo, Provider, Usage};

/// A model, and the provider through which it is asked. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Model {
    pub provider: Arc<dyn Provider>,
    pub info: Arc<ModelInfo>,
}

impl Model {
    /// `provider/model`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.provider.name(), self.info.id)
    }

    /// Tokens that a conversation may take. Some services limit the prompt more than the window does.
    pub fn window(&self) -> Option<u64> {
        match (self.info.context_window, self.info.max_prompt_tokens) {
            (Some(window), Some(prompt)) => Some(window.min(prompt)),
            (window, prompt) => window.or(prompt),
        }
    }

    /// What tokens cost, in USD.
    pub fn cost(&self, usage: &Usage) -> Option<f64> {
        self.info.price.map(|price| price.cost(usage))
    }
}
