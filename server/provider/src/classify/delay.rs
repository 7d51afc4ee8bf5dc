//! How long to wait, as services say it.

use std::time::{Duration, SystemTime};

use http::HeaderMap;

/// The pause that the service asks for in so many headers.
pub(super) fn delay_in_headers(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let header = |name| headers.get(name)?.to_str().ok().map(str::trim);
    if let Some(ms) = header("retry-after-ms").and_then(|value| value.parse::<f64>().ok()) {
        return Duration::try_from_secs_f64(ms / 1000.0).ok();
    }
    let value = header("retry-after")?;
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// When the limit that was met is lifted, as OpenAI and Anthropic tell it.
pub(super) fn reset_in_headers(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let header = |name: &str| headers.get(name)?.to_str().ok();
    let limits = RESETS.iter().map(|(remaining, reset)| {
        let met = header(remaining).is_some_and(|left| left == "0");
        let pause = header(reset).and_then(|reset| {
            let until = |time: SystemTime| time.duration_since(now).unwrap_or_default();
            duration(reset).or_else(|| time(reset).map(until))
        });
        (met, pause)
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
];

/// "Please try again in 4.442s."
pub(super) fn delay_in_text(message: &str) -> Option<Duration> {
    let message = message.to_lowercase();
    let (_, rest) = message.split_once("try again in ")?;
    duration(rest)
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
        total = Some(total.unwrap_or_default() + Duration::try_from_secs_f64(seconds).ok()?);
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
    if !(1970..10_000).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years that begin in March have the leap day at their end.
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    let days = days.checked_sub(719_468)?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(((days * 24 + hours) * 60 + minutes) * 60 + seconds))
}
