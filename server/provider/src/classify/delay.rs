//! How long to wait, as services say it.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use serde_json::Value;

/// A pause as a service states it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Pause {
    For(Duration),
    Until(SystemTime),
}

impl Pause {
    pub(super) fn from(self, now: SystemTime) -> Duration {
        match self {
            Self::For(time) => time,
            Self::Until(end) => end.duration_since(now).unwrap_or_default(),
        }
    }

    /// Seconds, a duration with units, seconds or milliseconds of the Unix clock, or a date.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        match text.parse() {
            Ok(number) => Self::number(number),
            Err(_) => duration(text)
                .map(Self::For)
                .or_else(|| time(text).or_else(|| httpdate::parse_http_date(text).ok()).map(Self::Until)),
        }
    }

    /// Nobody asks for a pause of three years: so large a number is a time of the Unix clock.
    fn number(number: f64) -> Option<Self> {
        let seconds = if number >= 1e11 { number / 1000.0 } else { number };
        let time = Duration::try_from_secs_f64(seconds).ok()?;
        if number < 1e8 {
            return Some(Self::For(time));
        }
        SystemTime::UNIX_EPOCH.checked_add(time).map(Self::Until)
    }

    fn milliseconds(number: f64) -> Option<Self> {
        Duration::try_from_secs_f64(number / 1000.0).ok().map(Self::For)
    }

    fn of_json(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Self::parse(text),
            value => Self::number(value.as_f64()?),
        }
    }
}

/// The pause that the service asks for in so many headers.
pub(super) fn delay_in_headers(headers: &HeaderMap) -> Option<Pause> {
    let header = |name: &&str| headers.get(*name)?.to_str().ok();
    let number = |text: &str| text.trim().parse().ok();
    // The first is OpenAI's, the second Azure's.
    let milliseconds = ["retry-after-ms", "x-ms-retry-after-ms"].iter().find_map(header).and_then(number);
    milliseconds.and_then(Pause::milliseconds).or_else(|| Pause::parse(header(&"retry-after")?))
}

/// The pause that an error object names in a field of its own.
pub(super) fn delay_in_json(error: &Value) -> Option<Pause> {
    let field = |names: &[&str]| {
        names.iter().find_map(|name| error.get(*name).or_else(|| error.get("metadata")?.get(*name)))
    };
    let milliseconds = field(&["retry_after_ms", "retryAfterMs"])
        .and_then(|value| value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()));
    milliseconds
        .and_then(Pause::milliseconds)
        .or_else(|| {
            // Google's RetryInfo (https://cloud.google.com/apis/design/errors#error_details).
            let details = error.get("details")?.as_array()?;
            details.iter().find_map(|detail| Pause::of_json(detail.get("retryDelay")?))
        })
        .or_else(|| {
            Pause::of_json(field(&[
                "retry_after",
                "retryAfter",
                "retry-after",
                "retry_after_seconds",
                "resets_in_seconds",
                "resets_at",
            ])?)
        })
        .or_else(|| {
            // OpenRouter repeats headers here (https://openrouter.ai/docs/api-reference/limits).
            let headers = error.pointer("/metadata/headers")?.as_object()?;
            let header = |wanted: &str| headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            let (_, value) = header("retry-after").or_else(|| header("x-ratelimit-reset"))?;
            Pause::of_json(value)
        })
}

/// When the limit that was met is lifted, as OpenAI, Anthropic and others tell it.
pub(super) fn reset_in_headers(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let header = |name: &str| headers.get(name)?.to_str().ok();
    let limits = RESETS.iter().map(|(remaining, reset)| {
        let met = header(remaining).is_some_and(|left| left.trim() == "0");
        (met, header(reset).and_then(Pause::parse).map(|pause| pause.from(now)))
    });
    let limits: Vec<_> = limits.collect();
    let met = limits.iter().filter(|(met, _)| *met).filter_map(|(_, reset)| *reset).max();
    met.or_else(|| limits.iter().filter_map(|(_, reset)| *reset).min())
}

/// The headers with what is left of a limit, and with when it is lifted.
const RESETS: &[(&str, &str)] = &[
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
    ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
    ("anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"),
    ("anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"),
    ("x-ratelimit-remaining-tokens-minute", "x-ratelimit-reset-tokens-minute"), // Cerebras
    ("x-ratelimit-remaining-requests-day", "x-ratelimit-reset-requests-day"),   // Cerebras
    ("x-ratelimit-remaining", "x-ratelimit-reset"),                             // OpenRouter, GitHub
    ("ratelimit-remaining", "ratelimit-reset"),
];

/// What stands before a pause in words.
const WORDINGS: &[&str] = &[
    "try again in ", // OpenAI, Groq: "Please try again in 4.442s."
    "retry after ",  // Azure: "Please retry after 20 seconds."
    "retry in ",     // Google: "Please retry in 57.3s."
    "try again after ",
    "please wait ",
];

/// The pause that a message asks for.
pub(super) fn delay_in_text(message: &str) -> Option<Pause> {
    let message = message.to_lowercase();
    let pause = WORDINGS.iter().find_map(|wording| duration(message.split_once(wording)?.1));
    pause.map(Pause::For)
}

/// `1.5s`, `120ms`, `6m0s`, `1h2m`, `20 seconds`, `2 minutes`; whatever follows is read past.
fn duration(text: &str) -> Option<Duration> {
    let mut total = None;
    let mut rest = text.trim_start();
    loop {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let Ok(number) = rest[..digits].trim_end_matches('.').parse::<f64>() else {
            return total;
        };
        let tail = rest[digits..].trim_start();
        let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let seconds = match &tail[..letters] {
            "ms" | "millisecond" | "milliseconds" => number / 1000.0,
            "s" | "sec" | "second" | "seconds" => number,
            "m" | "min" | "minute" | "minutes" => number * 60.0,
            "h" | "hour" | "hours" => number * 3600.0,
            _ => return total,
        };
        let more = Duration::try_from_secs_f64(seconds).ok()?;
        total = Some(total.unwrap_or(Duration::ZERO).checked_add(more)?);
        rest = &tail[letters..];
    }
}

/// `2026-01-02T03:04:05Z`, to the second and in UTC.
fn time(text: &str) -> Option<SystemTime> {
    let (date, time) = text.trim().strip_suffix('Z')?.split_once('T')?;
    let number = |text: &str| text.parse::<u64>().ok();
    let [year, month, day] = *date.split('-').map(number).collect::<Option<Vec<_>>>()? else {
        return None;
    };
    let seconds = time.split('.').next()?;
    let [hours, minutes, seconds] = *seconds.split(':').map(number).collect::<Option<Vec<_>>>()? else {
        return None;
    };
    let is_date = (1970..10_000).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !is_date || hours > 24 || minutes > 59 || seconds > 60 {
        return None;
    }
    // Years that begin in March have the leap day at their end.
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    let days = days.checked_sub(719_468)?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(((days * 24 + hours) * 60 + minutes) * 60 + seconds))
}
