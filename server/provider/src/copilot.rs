//! GitHub Copilot: a provider whose key is exchanged for short-lived tokens, and whose models are spread over
//! the three APIs.
//!
//! The wire of each API is that of its family; what is Copilot's own is how to get there ([`access`]), for how
//! long ([`token`]), and which of the three a model speaks ([`models`]).

mod access;
mod base;
mod config;
mod credentials;
mod exchange;
mod family;
mod models;
mod quota;
mod token;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use futures::future::BoxFuture;
use futures::{StreamExt, stream};
use reqwest::Method;

use self::access::CopilotAccess;
use self::credentials::Credentials;
use self::family::Family;
use self::models::Models;
use crate::anthropic::Anthropic;
use crate::chat::Chat;
use crate::clock::{SharedClock, System};
use crate::http::Http;
use crate::responses::Responses;
use crate::service::Service;
use crate::{
    Account, AnswerEvent, AnswerStream, ConfigError, ModelInfo, Provider, ProviderError, Request, Secret,
    Timeouts,
};

pub use config::{CopilotConfig, Identity};
pub use models::{CopilotModel, ModelPolicy};

/// GitHub Copilot with one account. Cheap to clone; the clones share tokens, model list and connections.
#[derive(Clone)]
pub struct Copilot {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    credentials: Arc<Credentials>,
    models: Models,
    responses: Service<Responses, CopilotAccess>,
    messages: Service<Anthropic, CopilotAccess>,
    chat: Service<Chat, CopilotAccess>,
    /// What the service said to use where the list was wrong.
    corrected: Mutex<HashMap<String, Family>>,
}

impl Copilot {
    /// A provider that exchanges `token`, a GitHub token. Nothing is sent before the first request.
    ///
    /// # Errors
    /// [`ConfigError`] when something in the configuration, or the token, cannot be sent.
    pub fn new(config: CopilotConfig, token: Secret, timeouts: Timeouts) -> Result<Self, ConfigError> {
        Self::at(config, token, timeouts, Arc::new(System))
    }

    pub(crate) fn at(
        config: CopilotConfig,
        token: Secret,
        timeouts: Timeouts,
        clock: SharedClock,
    ) -> Result<Self, ConfigError> {
        // What is wrong is said now, not with the first request.
        config.login_target("")?;
        config.api_target("", &token)?;
        config.model_target(&base::base(&config, "", None), "", &token, config::JSON, &[])?;

        let http = Http::new(timeouts);
        let credentials = Arc::new(Credentials::new(config, token, http.clone(), clock));
        let to = |family| CopilotAccess::to(family, &credentials);
        let inner = Inner {
            models: Models::new(&credentials),
            responses: Service::with_access(to(Family::Responses), http.clone(), Responses::default()),
            messages: Service::with_access(to(Family::Messages), http.clone(), Anthropic::default()),
            chat: Service::with_access(to(Family::Chat), http, Chat::compatible()),
            corrected: Mutex::default(),
            credentials,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The account's models, not older than ten minutes, unless the service cannot be reached.
    ///
    /// # Errors
    /// When there is no list, not even an old one.
    pub async fn models(&self) -> Result<Arc<[CopilotModel]>, ProviderError> {
        self.inner.models.list().await
    }

    /// When the token that requests are sent with runs out; it is renewed before. `None`: it is GitHub's own.
    ///
    /// # Errors
    /// When there is none: the account may not use Copilot, or nobody answers.
    pub async fn expires_at(&self) -> Result<Option<SystemTime>, ProviderError> {
        let credentials = &self.inner.credentials;
        let token = credentials.token().await?;
        Ok(credentials.config.exchange.then(|| token.expires()))
    }

    /// The account's quotas as the last answer told them; nothing else of it. `None`: none has told.
    pub fn quotas(&self) -> Option<Account> {
        self.inner.credentials.seen()
    }

    /// Accepts the terms of a model ([`ModelPolicy::NeedsAccepting`]) for the account: only when the user says
    /// so.
    ///
    /// # Errors
    /// Often the organisation does not allow it.
    pub async fn enable_model(&self, model: &str) -> Result<(), ProviderError> {
        const CHAT_POLICY: &[(&str, &str)] =
            &[("openai-intent", "chat-policy"), ("x-interaction-type", "chat-policy")];
        let credentials = &self.inner.credentials;
        if !self.models().await?.iter().any(|listed| listed.id == model) {
            return Err(ProviderError::ModelUnavailable {
                provider: credentials.config.name.clone(),
                model: model.to_owned(),
                message: "it is not in the list of models".into(),
            });
        }
        let access = CopilotAccess::call(credentials, format!("models/{model}/policy"), CHAT_POLICY);
        let body = br#"{"state":"enabled"}"#.to_vec();
        models::call(&access, &credentials.http, Method::POST, Some(body), model).await?;
        self.inner.models.forget();
        Ok(())
    }
}

impl Provider for Copilot {
    fn name(&self) -> &str {
        &self.inner.credentials.config.name
    }

    fn answer(&self, request: Request) -> AnswerStream {
        let copilot = self.inner.clone();
        let run = Run { copilot, request, at: None, switched: false, began: false, over: false };
        Box::pin(stream::unfold(Box::new(run), |mut run| async move { Some((run.next().await?, run)) }))
    }

    /// Those that can do an agent's work and are not forbidden.
    fn models(&self) -> BoxFuture<'_, Result<Vec<ModelInfo>, ProviderError>> {
        Box::pin(async {
            let models = self.inner.models.list().await?;
            Ok(models.iter().filter(|model| model.is_offered()).map(CopilotModel::info).collect())
        })
    }
}

impl fmt::Debug for Copilot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CopilotConfig { name, domain, .. } = &*self.inner.credentials.config;
        f.debug_struct("Copilot").field("name", name).field("domain", domain).finish_non_exhaustive()
    }
}

/// One answer on its way, through the API that the model speaks.
struct Run {
    copilot: Arc<Inner>,
    request: Request,
    at: Option<(Family, AnswerStream)>,
    /// To the other API, because the service said so.
    switched: bool,
    /// The caller knows that the answer has begun.
    began: bool,
    /// Nothing comes any more.
    over: bool,
}

impl Run {
    async fn next(&mut self) -> Option<Result<Vec<AnswerEvent>, ProviderError>> {
        while !self.over {
            let (family, answer) = match &mut self.at {
                Some((family, answer)) => (*family, answer),
                at => {
                    let family = match self.copilot.prepare(&mut self.request).await {
                        Ok(family) => family,
                        Err(error) => {
                            self.over = true;
                            return Some(Err(error));
                        }
                    };
                    let (family, answer) = at.insert((family, self.copilot.ask(family, &self.request)));
                    (*family, answer)
                }
            };
            let batch = answer.next().await.map(|batch| batch.map_err(|error| self.copilot.explained(error)));
            match &batch {
                Some(Err(ProviderError::WrongApi { .. })) if !self.began && !self.switched => {
                    self.switched = true;
                    let other = family.other(&self.request.model);
                    tracing::debug!(?family, ?other, "the model is served under another API");
                    self.at = Some((other, self.copilot.ask(other, &self.request)));
                    continue;
                }
                Some(Ok(_)) if !self.began && self.switched => {
                    self.copilot.corrected().insert(self.request.model.clone(), family);
                }
                _ => {}
            }
            self.began |= matches!(batch, Some(Ok(_)));
            return batch;
        }
        None
    }
}

impl Inner {
    async fn prepare(&self, request: &mut Request) -> Result<Family, ProviderError> {
        let family = self.models.prepare(request).await?;
        Ok(self.corrected().get(&request.model).copied().unwrap_or(family))
    }

    /// What the list of models has to say about a refusal.
    fn explained(&self, error: ProviderError) -> ProviderError {
        match error {
            ProviderError::ModelUnavailable { provider, model, message } => {
                let error = match self.models.terms(&model) {
                    Some(terms) => ProviderError::TermsNotAccepted { provider, model, terms },
                    None => ProviderError::ModelUnavailable { provider, model, message },
                };
                self.models.forget();
                error
            }
            error => error,
        }
    }

    fn ask(&self, family: Family, request: &Request) -> AnswerStream {
        let request = request.clone();
        match family {
            Family::Responses => self.responses.answer(request),
            Family::Messages => self.messages.answer(request),
            Family::Chat => self.chat.answer(request),
        }
    }

    fn corrected(&self) -> MutexGuard<'_, HashMap<String, Family>> {
        self.corrected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
