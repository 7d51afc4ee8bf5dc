//! What a failure means for whoever waits for the answer.
//!
//! Services say the same thing in many ways: by status, by code, by wording. This module reads all
//! three into a [`Class`], in an order in which the first match wins.

mod delay;

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::Value;

use self::delay::{Pause, delay_in_headers, delay_in_json, delay_in_text, reset_in_headers};
use crate::halves::without_halves;
use crate::{ProviderError, Usage};

/// Longest message that is shown.
const MAX_MESSAGE_CHARS: usize = 500;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// The service will not take its own earlier thinking back. Once without it may work.
    Replay,
    /// The model is served by another API of the same service.
    WrongEndpoint,
    ContextOverflow,
    Quota,
    RateLimit,
    Auth,
    ContentFilter,
    Server,
    /// The stream ended before its final event.
    Cut,
    /// The answer says nothing.
    Empty,
    InvalidRequest,
    /// The service will not take an image. With words in its place it may work.
    Image,
}

/// A failure that the service reported, or that its answer amounts to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Failure {
    pub(crate) class: Class,
    pub(crate) code: Option<String>,
    /// One line, as long as it came; see [`Failure::said`].
    pub(crate) message: String,
    /// Where the failure is a response.
    pub(crate) status: Option<StatusCode>,
    pub(crate) retry_after: Option<Duration>,
    /// What the failed answer cost all the same.
    pub(crate) usage: Option<Box<Usage>>,
}

/// What a service says about a failure, whatever shape it says it in.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) code: Option<String>,
    /// The `type` of the error, which some services use for what others put in `code`.
    pub(crate) kind: Option<String>,
    pub(crate) message: String,
    /// How long it asks to wait, where that has a field of its own.
    pub(crate) pause: Option<Pause>,
}

impl Failure {
    pub(crate) fn new(class: Class, message: impl Into<String>) -> Self {
        Self { class, code: None, message: message.into(), status: None, retry_after: None, usage: None }
    }

    /// A failure within a stream or within a body of status 200.
    pub(crate) fn reported(report: Report) -> Self {
        Self::of(None, report, None, SystemTime::now(), "the service did not say why")
    }

    /// A response whose status is not a success. `body` may be cut off.
    pub(crate) fn response(status: StatusCode, headers: &HeaderMap, body: &[u8], now: SystemTime) -> Self {
        let report = Report::from_body(body);
        let mut failure =
            Self::of(Some(status.as_u16()), report, delay_in_headers(headers), now, &named(status));
        failure.status = Some(status);
        if failure.class == Class::RateLimit && failure.retry_after.is_none() {
            failure.retry_after = reset_in_headers(headers, now);
        }
        match headers.get("x-should-retry").map(HeaderValue::as_bytes) {
            Some(b"false") if failure.class == Class::RateLimit => failure.class = Class::Quota,
            Some(b"false") if failure.class == Class::Server => failure.class = Class::InvalidRequest,
            Some(b"true") if failure.class == Class::InvalidRequest => failure.class = Class::Server,
            _ => {}
        }
        failure
    }

    fn of(status: Option<u16>, report: Report, pause: Option<Pause>, now: SystemTime, unsaid: &str) -> Self {
        let class = match class(status, &report) {
            Class::InvalidRequest if status != Some(403) && is_about_image(&report) => Class::Image,
            class => class,
        };
        let is_for_a_while = matches!(class, Class::RateLimit | Class::Server);
        let in_text = || delay_in_text(&report.message).filter(|_| is_for_a_while);
        let pause = pause.or(report.pause).or_else(in_text);
        let message = plain(&report.message);
        Self {
            class,
            retry_after: pause.map(|pause| pause.from(now)),
            message: if message.is_empty() { unsaid.to_owned() } else { message },
            code: report.code.or(report.kind),
            status: None,
            usage: None,
        }
    }

    /// The message as it is shown: short, with the status. Secrets have to be out of it by now, because
    /// a shortened one is no longer found.
    pub(crate) fn said(&self) -> String {
        let message = self.message.trim_end_matches(['.', ' ']);
        let message: Cow<'_, str> = match message.char_indices().nth(MAX_MESSAGE_CHARS) {
            Some((end, _)) => format!("{}…", &message[..end]).into(),
            None => message.into(),
        };
        match self.status {
            Some(status) if !self.message.contains(status.as_str()) => {
                format!("{message} ({})", named(status))
            }
            _ => message.into_owned(),
        }
    }

    pub(crate) fn into_error(self, provider: &str, model: &str) -> ProviderError {
        let message = self.said();
        let is_about_content = match self.status {
            Some(status) => matches!(status.as_u16(), 400 | 422),
            // Reported by the service, within a stream.
            None => self.code.is_some(),
        };
        let Self { class, retry_after, usage, .. } = self;
        let provider = provider.to_owned();
        match class {
            Class::ContextOverflow => ProviderError::ContextOverflow { model: model.to_owned(), message },
            Class::Quota => ProviderError::Quota { provider, message },
            Class::RateLimit => ProviderError::RateLimited { provider, message, retry_after },
            Class::Auth => ProviderError::Unauthorized { provider, message },
            Class::ContentFilter => ProviderError::ContentFilter { provider, message },
            Class::Server => ProviderError::Server { provider, message, retry_after },
            Class::Cut => ProviderError::Cut { provider, message },
            Class::Empty => ProviderError::Empty { provider, message, usage: usage.map(|usage| *usage) },
            Class::WrongEndpoint => ProviderError::WrongApi { provider, model: model.to_owned(), message },
            Class::Replay | Class::Image | Class::InvalidRequest if is_about_content => {
                ProviderError::BadRequest { provider, message, item: None }
            }
            Class::Replay | Class::Image | Class::InvalidRequest => {
                ProviderError::InvalidRequest { provider, message }
            }
        }
    }
}

/// As in `HTTP 404 Not Found`.
fn named(status: StatusCode) -> String {
    let reason = status.canonical_reason().map(|reason| format!(" {reason}")).unwrap_or_default();
    format!("HTTP {}{reason}", status.as_u16())
}

impl Report {
    /// Reads what services are known to send: JSON in several shapes, text, a proxy's web page.
    pub(crate) fn from_body(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let text = without_halves(&text).map_or(text, Cow::Owned);
        match serde_json::from_str::<Value>(&text) {
            Ok(Value::Array(mut list)) if !list.is_empty() => Self::from_json(&list.swap_remove(0)),
            Ok(value @ (Value::Object(_) | Value::String(_))) => Self::from_json(&value),
            _ => Self { message: text.into_owned(), ..Self::default() },
        }
    }

    /// The error object itself, or whatever wraps it.
    pub(crate) fn from_json(value: &Value) -> Self {
        if let Some(error) = value.get("error").filter(|error| !error.is_null()) {
            let mut report = Self::from_json(error);
            report.pause = report.pause.or_else(|| delay_in_json(value));
            if report.message.is_empty() {
                report.message =
                    text(value.get("message")).or(text(value.get("error_description"))).unwrap_or_default();
            }
            // OpenRouter passes on what the service behind it said.
            if let Some(raw) = error.pointer("/metadata/raw").and_then(Value::as_str) {
                let behind = Self::from_body(raw.as_bytes());
                report.message = format!("{}: {}", report.message.trim_end_matches('.'), behind.message);
                report.pause = report.pause.or(behind.pause);
            }
            return report;
        }
        if let Value::String(message) = value {
            return Self { message: message.clone(), ..Self::default() };
        }
        let message =
            ["message", "detail", "error_description", "title"].iter().find_map(|field| {
                match value.get(field)? {
                    Value::Null => None,
                    Value::String(said) => Some(said.clone()).filter(|said| !said.is_empty()),
                    other => Some(other.to_string()),
                }
            });
        let mut message = message.unwrap_or_default();
        // OpenAI's name for the part of the request that is meant, as in `input[3]`.
        if let Some(param) = value.get("param").and_then(Value::as_str)
            && param.contains(|c: char| c.is_ascii_digit())
            && !message.contains(param)
        {
            message.push_str(&format!(" ({param})"));
        }
        Self {
            code: text(value.get("code")),
            // Of a flat error the type may be just that.
            kind: text(value.get("type")).filter(|kind| kind != "error"),
            message,
            pause: delay_in_json(value),
        }
    }
}

/// A string or number that says something.
fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// `status` is `None` within a stream.
fn class(status: Option<u16>, report: &Report) -> Class {
    let message = report.message.to_lowercase();
    // What follows a colon is about whom the code is for.
    let codes = [&report.code, &report.kind].map(|code| {
        let code = code.as_deref().unwrap_or_default();
        code.split(':').next().unwrap_or_default().to_lowercase()
    });
    let code_is = |names: &[&str]| codes.iter().any(|code| names.contains(&code.as_str()));
    let code_has = |part: &str| codes.iter().any(|code| code.contains(part));
    // Some services put the status they would have sent into the code.
    let status = status.or_else(|| codes[0].parse().ok().filter(|code| (400..600).contains(code)));

    let says = |wordings: &[&str]| wordings.iter().any(|wording| matches_wording(&message, wording));

    if says(REPLAY_WORDINGS) || code_is(&["invalid_encrypted_content"]) {
        Class::Replay
    } else if code_is(&["unsupported_api_for_model"]) {
        Class::WrongEndpoint
    } else if code_is(OVERFLOW_CODES) || status == Some(413) || is_overflow(&message, code_has("rate_limit"))
    {
        Class::ContextOverflow
    } else if status == Some(400) && message.trim().is_empty() && codes.iter().all(String::is_empty) {
        // Cerebras and Mistral say so by saying nothing.
        Class::ContextOverflow
    } else if status == Some(402) || code_is(QUOTA_CODES) || says(QUOTA_WORDINGS) {
        Class::Quota
    } else if status == Some(429) || code_has("rate_limit") || code_is(&["slow_down", "model_overloaded"]) {
        Class::RateLimit
    } else if status == Some(401) || code_is(&["authentication_error", "invalid_api_key"]) {
        Class::Auth
    } else if code_is(&["content_filter", "refusal"]) || codes.iter().any(|code| code.ends_with("_policy")) {
        Class::ContentFilter
    } else if says(LASTING_WORDINGS) {
        Class::InvalidRequest
    } else if code_is(SERVER_CODES) {
        Class::Server
    } else {
        match status {
            Some(501 | 505) => Class::InvalidRequest,
            Some(408 | 409 | 499 | 500..) => Class::Server,
            Some(_) => Class::InvalidRequest,
            None if codes.iter().any(|code| is_lasting(code)) => Class::InvalidRequest,
            None => Class::Server,
        }
    }
}

const OVERFLOW_CODES: &[&str] = &[
    "context_length_exceeded",
    "model_max_prompt_tokens_exceeded",
    "exceed_context_size_error",
    "request_too_large",
    "model_context_window_exceeded",
];

const QUOTA_CODES: &[&str] = &[
    "insufficient_quota",
    "quota_exceeded",
    "free_quota_exceeded",
    "overage_limit_reached",
    "billing_not_configured",
    "billing_error",
    "credit_balance_exhausted",
    "project_spend_limit_exceeded",
    "organization_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
    "usage_limit_reached",
    "usage_not_included",
];

const QUOTA_WORDINGS: &[&str] = &[
    "credit balance is too low", // Anthropic, with status 400
];

const SERVER_CODES: &[&str] = &["overloaded_error", "server_error", "server_is_overloaded", "api_error"];

/// Wordings of "not with this server or model", which some say with a status that promises better.
const LASTING_WORDINGS: &[&str] = &[
    "image input is not supported",          // llama.cpp, with status 500
    "missing data required for image input", // Ollama, with status 500
    "requires --jinja",                      // llama.cpp, with status 500
];

/// Wordings of "I will not have this thinking back".
const REPLAY_WORDINGS: &[&str] = &[
    "does not belong to this connection",
    "encrypted content*could not be verified",
    "without its required following item",
    "items are not persisted when `store` is set to false",
    "input[#].id*string too long",
    "string too long*input[#].id",
    "invalid `signature` in `thinking`", // Anthropic
    "blocks in the latest assistant message cannot be modified", // Anthropic
    "expected `thinking` or `redacted_thinking`", // Anthropic
    "messages*reasoning*extra inputs are not permitted", // Servers in FastAPI
    "property 'reasoning*' is unsupported", // Groq
];

/// Wordings of "the conversation is too long", see [`matches_wording`].
const OVERFLOW_WORDINGS: &[&str] = &[
    "exceeds the context window",                        // OpenAI
    "maximum context length is #",                       // OpenAI, OpenRouter, vLLM, DeepSeek
    "exceeds the limit of #",                            // Copilot
    "prompt is too long",                                // Anthropic
    "exceed context limit",                              // Anthropic
    "input is too long for requested model",             // Bedrock
    "input token count*exceeds the maximum",             // Google
    "maximum prompt length is #",                        // xAI
    "reduce the length of the messages",                 // Groq
    "context length is only # tokens",                   // vLLM
    "input length*exceeds*context length",               // vLLM, Ollama
    "maximum allowed input length of # tokens",          // vLLM
    "requested # output tokens",                         // vLLM
    "exceeds*maximum context length",                    // LiteLLM
    "is longer than the model*context length",           // Together
    "exceeds the available context size",                // llama.cpp
    "context size has been exceeded",                    // llama.cpp
    "greater than the context length",                   // LM Studio
    "prompt too long; exceeded*context length",          // Ollama
    "too large for model with # maximum context length", // Mistral
    "context window exceeds limit",                      // MiniMax
    "exceeded model token limit",                        // Kimi
    "context length exceeded",
    "context_length_exceeded",
    "too many tokens",
    "token limit exceeded",
    "request entity too large",
];

fn is_overflow(message: &str, rate_limited: bool) -> bool {
    let about_rate = rate_limited
        || message.contains("rate limit")
        || message.contains("too many requests")
        || message.starts_with("throttling")
        || message.starts_with("service unavailable");
    !about_rate && OVERFLOW_WORDINGS.iter().any(|wording| matches_wording(message, wording))
}

/// Whether the code or the message speaks of an image, as in `invalid_image_format` or "Could not process image".
fn is_about_image(report: &Report) -> bool {
    let said = [report.code.as_deref(), report.kind.as_deref(), Some(report.message.as_str())];
    let mut words = said.into_iter().flatten().flat_map(|said| said.split(|c: char| !c.is_alphanumeric()));
    words.any(|word| ["image", "images"].iter().any(|image| word.eq_ignore_ascii_case(image)))
}

/// Errors within a stream that another try meets again.
fn is_lasting(code: &str) -> bool {
    let parts = ["invalid_", "image_", "unsupported_", "not_found", "permission_", "data_residency"];
    parts.iter().any(|part| code.contains(part))
}

/// Whether `wording` occurs in `text`. In a wording `#` stands for a number, with separators or not,
/// and `*` for anything.
fn matches_wording(text: &str, wording: &str) -> bool {
    let mut rest = text;
    wording.split('*').all(|part| match find_numbered(rest, part) {
        Some(end) => {
            rest = &rest[end..];
            true
        }
        None => false,
    })
}

/// The end of the first occurrence of `part`.
fn find_numbered(text: &str, part: &str) -> Option<usize> {
    let (words, after) = part.split_once('#').map_or((part, None), |(words, after)| (words, Some(after)));
    let mut from = 0;
    while let Some(at) = text[from..].find(words) {
        let end = from + at + words.len();
        let Some(after) = after else { return Some(end) };
        let rest =
            text[end..].trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, ',' | '.' | '_'));
        let at_number = text[end..].starts_with(|c: char| c.is_ascii_digit());
        if at_number && rest.starts_with(after) {
            return Some(text.len() - rest.len() + after.len());
        }
        from = end;
    }
    None
}

/// One line without markup and control characters.
pub(crate) fn plain(text: &str) -> String {
    let text = text.trim();
    let unmarked: Cow<'_, str> =
        if text.starts_with('<') { without_markup(text).into() } else { text.into() };
    let words = unmarked.split(|c: char| c.is_whitespace() || c.is_control());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The title of a web page, or its text.
fn without_markup(page: &str) -> String {
    // ASCII only, so that positions are those of the page.
    let lower = page.to_ascii_lowercase();
    let title = lower.find("<title").and_then(|tag| {
        let start = tag + lower[tag..].find('>')? + 1;
        let end = start + lower[start..].find("</title")?;
        Some(page[start..end].trim()).filter(|title| !title.is_empty())
    });
    if let Some(title) = title {
        return title.replace(['<', '>'], " ");
    }
    let mut text = String::new();
    let mut at = 0;
    while let Some(tag) = lower[at..].find('<').map(|tag| at + tag) {
        text.push_str(&page[at..tag]);
        text.push(' ');
        // What a page hides from its reader stays hidden.
        let hidden = ["script", "style"].iter().find(|name| lower[tag + 1..].starts_with(**name));
        let close = hidden.and_then(|name| lower[tag..].find(&format!("</{name}")));
        let last = tag + close.unwrap_or(0);
        at = lower[last..].find('>').map_or(page.len(), |end| last + end + 1);
    }
    text.push_str(&page[at..]);
    text
}

#[cfg(test)]
mod tests;
