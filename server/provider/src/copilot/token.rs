//! A Copilot token: what GitHub's token is exchanged for, good for half an hour.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::base::base;
use crate::lenient::count;
use crate::{CopilotConfig, Secret};

/// A token is replaced when it has less than this left: an answer may be long, but it only begins with one.
const MARGIN: Duration = Duration::from_secs(300);
/// Beyond the time after which the service wants it replaced a token is still good for this long.
const GRACE: Duration = Duration::from_secs(60);
/// A new token is used for this long at least, whatever the clocks say.
const AT_LEAST: Duration = Duration::from_secs(60);

#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) secret: Secret,
    /// Where the models are, without a slash at its end.
    pub(super) base: String,
    expires: SystemTime,
    refresh_from: SystemTime,
}

impl Token {
    /// Reads the answer of an exchange. `None` without a token in it.
    ///
    /// Where the local clock is ahead, a new token looks expired. So its life is at least as long as the
    /// service says to keep it (`refresh_in`), and a little more, from now on.
    pub(super) fn read(answer: &Value, config: &CopilotConfig, now: SystemTime) -> Option<Self> {
        let token = answer.get("token")?.as_str().filter(|token| !token.trim().is_empty())?;
        let secs = |field| count(answer, field).map(Duration::from_secs);
        let kept = secs("/refresh_in").unwrap_or_default();
        let kept_until = now.checked_add(kept)?.checked_add(GRACE)?;
        let expires_at = secs("/expires_at").and_then(|at| SystemTime::UNIX_EPOCH.checked_add(at));
        let expires = expires_at.unwrap_or(kept_until).max(kept_until);
        Some(Self {
            base: base(config, token, answer.pointer("/endpoints/api").and_then(Value::as_str)),
            secret: Secret::new(token.trim()),
            expires,
            refresh_from: (expires - MARGIN).max(now + AT_LEAST),
        })
    }

    /// GitHub's own token, where there is no exchange. It stays as it is.
    pub(super) fn direct(github: &Secret, config: &CopilotConfig, now: SystemTime) -> Self {
        let endless = now + Duration::from_secs(365 * 24 * 3600);
        Self { base: base(config, "", None), secret: github.clone(), expires: endless, refresh_from: endless }
    }

    pub(super) fn expires(&self) -> SystemTime {
        self.expires
    }

    /// No need for another.
    pub(super) fn is_fresh(&self, now: SystemTime) -> bool {
        now < self.refresh_from
    }

    /// Still taken by the service.
    pub(super) fn is_valid(&self, now: SystemTime) -> bool {
        now < self.expires
    }

    /// The same, with the next exchange put off, as long as this one is good.
    pub(super) fn kept_until(&self, refresh_from: SystemTime) -> Self {
        Self { refresh_from: refresh_from.min(self.expires), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(secs: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(secs)
    }

    fn since_1970(time: SystemTime) -> u64 {
        time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
    }

    /// When it is replaced and when it ends.
    fn life(answer: &Value, now: u64) -> (u64, u64) {
        let token = Token::read(answer, &CopilotConfig::default(), at(now)).unwrap();
        assert!(token.is_fresh(at(now)) && token.is_valid(at(now)));
        (since_1970(token.refresh_from), since_1970(token.expires))
    }

    #[test]
    fn the_recorded_token() {
        let answer: Value =
            serde_json::from_str(include_str!("../../tests/fixtures/copilot_token.json")).unwrap();
        let token = Token::read(&answer, &CopilotConfig::default(), at(1_790_000_000)).unwrap();
        assert_eq!(token.base, "https://api.individual.githubcopilot.com");
        assert!(token.secret.reveal().starts_with("tid=00fixture00;"));
        assert!(!format!("{token:?}").contains("tid="));
        assert_eq!(life(&answer, 1_790_000_000), (1_790_001_500, 1_790_001_800));
    }

    #[test]
    fn clocks_that_are_wrong() {
        let answer = json!({ "token": "t", "expires_at": 101_800, "refresh_in": 1500 });
        assert_eq!(life(&answer, 100_000), (101_500, 101_800));
        // An hour ahead, and an hour behind.
        assert_eq!(life(&answer, 103_600), (104_860, 105_160));
        assert_eq!(life(&answer, 96_400), (101_500, 101_800));
        // Nothing said, or next to nothing.
        assert_eq!(life(&json!({ "token": "t" }), 1000), (1060, 1060));
        assert_eq!(
            life(&json!({ "token": "t", "expires_at": 1100, "refresh_in": null }), 1000),
            (1060, 1100)
        );
        assert_eq!(
            life(&json!({ "token": "t", "expires_at": "soon", "refresh_in": 600 }), 1000),
            (1360, 1660)
        );
    }

    #[test]
    fn an_exchange_is_not_put_off_beyond_the_end() {
        let answer = json!({ "token": "t", "expires_at": 2000, "refresh_in": 600 });
        let token = Token::read(&answer, &CopilotConfig::default(), at(1000)).unwrap();
        assert!(token.kept_until(at(1900)).is_fresh(at(1899)));
        assert!(!token.kept_until(at(1900)).is_fresh(at(1900)));
        assert!(!token.kept_until(at(9000)).is_fresh(at(2000)));
    }

    #[test]
    fn an_answer_without_a_token_is_none() {
        for answer in
            [json!(null), json!({}), json!({ "token": null }), json!({ "token": " ", "expires_at": 1 })]
        {
            assert!(Token::read(&answer, &CopilotConfig::default(), at(0)).is_none(), "{answer}");
        }
        let endless = json!({ "token": "t", "expires_at": u64::MAX, "refresh_in": u64::MAX });
        // Whatever comes of it, it does not overflow.
        let _ = Token::read(&endless, &CopilotConfig::default(), at(0));
    }
}
