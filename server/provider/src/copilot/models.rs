//! The models of an account, as the service lists them.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use reqwest::Method;
use serde_json::Value;
use tokio::time::Instant;

use super::access::CopilotAccess;
use super::credentials::Credentials;
use super::family::Family;
use crate::access::Access;
use crate::http::Http;
use crate::kept::Kept;
use crate::lenient::count;
use crate::secret::masked;
use crate::{ModelInfo, ProviderError, Request, ThinkingLevel};

/// A list is good for this long: models come and go over days.
const FRESH: Duration = Duration::from_secs(600);
/// One that could not be read is tried again after this.
const RETRY: Duration = Duration::from_secs(60);

/// A model of Copilot's. The service promises only the id.
#[derive(Debug, Clone, PartialEq)]
pub struct CopilotModel {
    pub id: String,
    /// For people.
    pub name: String,
    pub vendor: Option<String>,
    pub is_preview: bool,
    /// What the service would choose.
    pub is_default: bool,
    /// To be listed where a model is chosen. One that is not can be used when named.
    pub is_listed: bool,
    /// It talks, and may be given tools.
    pub is_for_agents: bool,
    pub policy: ModelPolicy,
    /// How many tokens a request may have.
    pub max_prompt_tokens: Option<u64>,
    pub max_output_tokens: Option<u64>,
    pub takes_images: bool,
    /// How hard it can be made to think; empty if that cannot be chosen by level.
    pub thinking_levels: Vec<ThinkingLevel>,
    /// Requests on plans that count them are counted so many times.
    pub multiplier: Option<f64>,
    /// It can give its answer in pieces.
    streams: bool,
    /// It thinks as long as it likes or as a budget has it.
    has_budget: bool,
    family: Family,
}

/// Whether the account may use a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelPolicy {
    Enabled,
    /// Not before the account accepts these terms, see [`Copilot::enable_model`](crate::Copilot::enable_model).
    NeedsAccepting {
        terms: String,
    },
    /// The organisation does not want it.
    Disabled,
}

impl CopilotModel {
    /// Whether to offer it for work with tools.
    pub fn is_offered(&self) -> bool {
        self.is_for_agents && self.is_listed && self.policy != ModelPolicy::Disabled
    }

    fn terms(&self) -> Option<&str> {
        match &self.policy {
            ModelPolicy::NeedsAccepting { terms } => Some(terms),
            ModelPolicy::Enabled | ModelPolicy::Disabled => None,
        }
    }

    /// Nothing that Opal knows by itself is added: it is about the same models elsewhere, with other limits,
    /// and priced by the token.
    pub(super) fn info(&self) -> ModelInfo {
        ModelInfo {
            name: Some(self.name.clone()),
            context_window: self.max_prompt_tokens,
            max_prompt_tokens: self.max_prompt_tokens,
            max_output_tokens: self.max_output_tokens.and_then(|tokens| tokens.try_into().ok()),
            tools: Some(self.is_for_agents),
            images: Some(self.takes_images),
            thinking: Some(if self.thinking_levels.is_empty() && self.has_budget {
                ThinkingLevel::ALL.to_vec()
            } else {
                self.thinking_levels.clone()
            }),
            is_default: self.is_default,
            preview: self.is_preview,
            terms: self.terms().map(str::to_owned),
            ..ModelInfo::new(self.id.as_str())
        }
    }

    /// An entry of the list; `None` without an id.
    fn read(entry: &Value) -> Option<Self> {
        let text = |pointer: &str| entry.pointer(pointer)?.as_str().filter(|text| !text.is_empty());
        let flag = |pointer: &str| entry.pointer(pointer).and_then(Value::as_bool);
        let list = |pointer: &str| {
            let list =
                entry.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            list.iter().filter_map(Value::as_str)
        };
        let id = text("/id")?.to_owned();
        let limit =
            |name: &str| count(entry, &format!("/capabilities/limits/{name}")).filter(|limit| *limit > 0);
        let max_output_tokens = limit("max_output_tokens");
        let rest = || limit("max_context_window_tokens")?.checked_sub(max_output_tokens.unwrap_or_default());
        let efforts: Vec<_> = list("/capabilities/supports/reasoning_effort").collect();
        let levels = ThinkingLevel::ALL.into_iter().filter(|level| efforts.contains(&level.effort()));
        let supports = "/capabilities/supports";
        Some(Self {
            name: text("/name").unwrap_or(&id).to_owned(),
            vendor: text("/vendor").map(str::to_owned),
            is_preview: flag("/preview").unwrap_or_default(),
            is_default: flag("/is_chat_default").unwrap_or_default(),
            is_listed: flag("/model_picker_enabled").unwrap_or(true),
            is_for_agents: text("/capabilities/type").is_none_or(|kind| kind == "chat")
                && flag(&format!("{supports}/tool_calls")) != Some(false),
            policy: match text("/policy/state") {
                None | Some("enabled") => ModelPolicy::Enabled,
                Some("disabled") => ModelPolicy::Disabled,
                Some(_) => ModelPolicy::NeedsAccepting {
                    terms: text("/policy/terms").unwrap_or_default().to_owned(),
                },
            },
            max_prompt_tokens: limit("max_prompt_tokens").or_else(rest),
            max_output_tokens,
            takes_images: flag(&format!("{supports}/vision")).unwrap_or_default(),
            thinking_levels: levels.collect(),
            multiplier: entry.pointer("/billing/multiplier").and_then(Value::as_f64),
            streams: flag(&format!("{supports}/streaming")).unwrap_or(true),
            has_budget: flag(&format!("{supports}/adaptive_thinking")).unwrap_or_default()
                || count(entry, &format!("{supports}/max_thinking_budget")).is_some(),
            family: Family::listed(list("/supported_endpoints")),
            id,
        })
    }

    /// The level that comes nearest, not above it if there is one.
    fn thinking(&self, wanted: ThinkingLevel) -> Option<ThinkingLevel> {
        let levels = &self.thinking_levels;
        let nearest = levels.iter().rfind(|level| **level <= wanted).or(levels.first()).copied();
        nearest.or_else(|| self.has_budget.then_some(wanted))
    }
}

/// Reads a list. Entries that cannot be read are passed over; of those with one id the first counts.
fn read(answer: &Value) -> Option<Vec<CopilotModel>> {
    let entries = answer.get("data").unwrap_or(answer).as_array()?;
    let mut models: Vec<CopilotModel> = Vec::with_capacity(entries.len());
    for model in entries.iter().filter_map(CopilotModel::read) {
        if !models.iter().any(|known| known.id == model.id) {
            models.push(model);
        }
    }
    Some(models)
}

/// The list, read when it is needed.
#[derive(Debug)]
pub(super) struct Models {
    access: Arc<CopilotAccess>,
    credentials: Arc<Credentials>,
    list: Arc<Kept<List>>,
}

#[derive(Debug)]
struct List {
    /// The error where nothing has been read yet.
    read: Result<Arc<[CopilotModel]>, ProviderError>,
    fresh_until: Instant,
}

impl Models {
    pub(super) fn new(credentials: &Arc<Credentials>) -> Self {
        let access = CopilotAccess::call(credentials, "models".into(), &[]);
        Self { access: Arc::new(access), credentials: credentials.clone(), list: Arc::default() }
    }

    pub(super) async fn list(&self) -> Result<Arc<[CopilotModel]>, ProviderError> {
        self.current().await?.read.clone()
    }

    /// # Errors
    /// Without a token, and so without any use in asking for something else.
    async fn current(&self) -> Result<Arc<List>, ProviderError> {
        let (access, credentials) = (self.access.clone(), self.credentials.clone());
        let now = credentials.clock.now();
        let fetch = async move |old: Option<Arc<List>>| {
            credentials.token().await?;
            let fetched = fetch(&access, &credentials.http).await;
            let good_for = if fetched.is_ok() { FRESH } else { RETRY };
            let read = match (fetched, old.map(|old| old.read.clone())) {
                (Ok(models), _) => Ok(models.into()),
                (Err(error), Some(Ok(models))) => {
                    tracing::debug!(%error, "the old list of models is kept");
                    Ok(models)
                }
                (Err(error), _) => Err(error),
            };
            Ok(List { read, fresh_until: credentials.clock.now() + good_for })
        };
        self.list.get(|list| now < list.fresh_until, fetch).await
    }

    /// The terms of a model that the account has not accepted yet.
    pub(super) fn terms(&self, model: &str) -> Option<String> {
        let list = self.list.latest()?;
        let model = list.read.as_deref().ok()?.iter().find(|listed| listed.id == model)?;
        model.terms().map(str::to_owned)
    }

    /// The list is wrong about something.
    pub(super) fn forget(&self) {
        self.list.forget(|_| true);
    }

    /// Which API to use for a request, and the request as the model takes it.
    ///
    /// # Errors
    /// When there is no token. A list that cannot be read is no error: the model's name has to do.
    pub(super) async fn prepare(&self, request: &mut Request) -> Result<Family, ProviderError> {
        let list = match self.list.latest().filter(|list| list.read.is_ok()) {
            Some(list) => {
                // An old one will do. If it is, the next one is on its way when this has been polled.
                let _ = self.current().now_or_never();
                list
            }
            None => self.current().await?,
        };
        let models = list.read.as_deref().unwrap_or_default();
        let Some(model) = models.iter().find(|model| model.id == request.model) else {
            let family = Family::guessed(&request.model);
            if family == Family::Chat {
                // None of those thinks by level, and some refuse to be asked to.
                request.thinking = None;
            }
            return Ok(family);
        };
        request.thinking = request.thinking.and_then(|wanted| model.thinking(wanted));
        request.streams = model.streams;
        if let Some(limit) = model.max_output_tokens.and_then(|limit| u32::try_from(limit).ok()) {
            // Whether or not the caller knows it by now: requests should not differ for that.
            let wanted = request.max_output_tokens.unwrap_or(limit).min(limit);
            // Some of OpenAI's refuse to be told what holds anyway.
            let is_said = model.family != Family::Responses || wanted < limit;
            request.max_output_tokens = is_said.then_some(wanted);
        }
        Ok(model.family)
    }
}

async fn fetch(access: &CopilotAccess, http: &Http) -> Result<Vec<CopilotModel>, ProviderError> {
    let answer = call(access, http, Method::GET, None, "").await?;
    read(&answer).ok_or_else(|| ProviderError::Server {
        provider: access.name().to_owned(),
        message: "the list of models could not be read".into(),
        retry_after: None,
    })
}

/// One call, with renewed credentials if they are refused.
pub(super) async fn call(
    access: &CopilotAccess,
    http: &Http,
    method: Method,
    body: Option<Vec<u8>>,
    model: &str,
) -> Result<Value, ProviderError> {
    let mut renewed = false;
    loop {
        let target = access.target().await?;
        let response = http.call(&target, method.clone(), body.clone()).await?;
        if response.status.is_success() {
            return Ok(response.json());
        }
        let mut failure = response.failure();
        if !renewed && access.renews(&target, &failure) {
            renewed = true;
            continue;
        }
        failure.message = masked(failure.message);
        return Err(access.error(failure, model));
    }
}

#[cfg(test)]
mod tests;
