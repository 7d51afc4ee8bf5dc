//! What an account may use.

use reqwest::Method;
use serde_json::Value;

use crate::classify::Class;
use crate::http::Http;
use crate::lenient::count;
use crate::secret::masked;
use crate::{CopilotConfig, ProviderError, Secret, Timeouts};

/// An account as Copilot sees it. The service promises nothing about it: what it does not say is `None`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Account {
    pub login: Option<String>,
    /// As in `individual` or `business`.
    pub plan: Option<String>,
    /// As in `monthly_subscriber_quota` or `free_limited_copilot`.
    pub sku: Option<String>,
    pub chat_enabled: Option<bool>,
    /// When the quotas begin anew: `YYYY-MM-DD`, or seconds since 1970 where the service has only those.
    pub resets_on: Option<String>,
    /// In the service's order.
    pub quotas: Vec<Quota>,
}

/// How much of something is left.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Quota {
    /// As in `premium_interactions` or `chat`.
    pub name: String,
    pub unlimited: bool,
    pub entitlement: Option<u64>,
    /// Not below zero, whatever was used beyond the quota.
    pub remaining: Option<u64>,
    pub percent_remaining: Option<f64>,
    /// Whether more than the quota may be used, for money.
    pub overage_permitted: bool,
    pub overage_count: Option<u64>,
}

/// Asks who a GitHub token belongs to and what is left of the quotas.
///
/// # Errors
/// [`ProviderError::SignInAgain`] if the token is not good any more, and whatever else a call may end in.
pub async fn account(config: &CopilotConfig, token: &Secret) -> Result<Account, ProviderError> {
    let target = config.api_target("copilot_internal/user", token).map_err(|error| config.misfit(&error))?;
    let response = Http::new(Timeouts::default()).call(&target, Method::GET, None).await?;
    if response.status.is_success() {
        return Ok(Account::read(&response.json()));
    }
    let mut failure = response.failure();
    failure.message = masked(failure.message);
    let provider = config.name.clone();
    Err(match failure.class {
        Class::Auth => ProviderError::SignInAgain { provider, message: failure.said() },
        _ => failure.into_error(&provider, ""),
    })
}

impl Account {
    fn read(body: &Value) -> Self {
        let text = |field: &str| match body.get(field)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let mut quotas: Vec<Quota> = match body.get("quota_snapshots") {
            Some(Value::Object(list)) => list.iter().map(|(name, quota)| Quota::read(name, quota)).collect(),
            _ => Vec::new(),
        };
        // The free plan has two lists of numbers instead.
        if let (true, Some(Value::Object(left))) = (quotas.is_empty(), body.get("limited_user_quotas")) {
            quotas.extend(left.keys().map(|name| Quota {
                name: name.clone(),
                entitlement: count(body, &format!("/monthly_quotas/{name}")),
                remaining: count(body, &format!("/limited_user_quotas/{name}")),
                ..Quota::default()
            }));
        }
        Self {
            login: text("login"),
            plan: text("copilot_plan"),
            sku: text("access_type_sku").or_else(|| text("sku")),
            chat_enabled: body.get("chat_enabled").and_then(Value::as_bool),
            resets_on: text("quota_reset_date").or_else(|| text("limited_user_reset_date")),
            quotas,
        }
    }
}

impl Account {
    /// With what an answer has told of the quotas since. A quota only shrinks until it begins anew, so the
    /// smaller is the newer; what was told before that is not of this one.
    #[must_use]
    pub fn updated(mut self, seen: Self) -> Self {
        if let (Some(now), Some(then)) = (day(self.resets_on.as_ref()), day(seen.resets_on.as_ref()))
            && then < now
        {
            return self;
        }
        for seen in seen.quotas {
            match self.quotas.iter_mut().find(|quota| quota.name == seen.name) {
                Some(quota) => {
                    let percents = [quota.percent_remaining, seen.percent_remaining];
                    quota.percent_remaining = percents.into_iter().flatten().reduce(f64::min);
                }
                None => self.quotas.push(seen),
            }
        }
        self
    }
}

/// The day in a date with or without a time, which comes after those before it.
fn day(date: Option<&String>) -> Option<&str> {
    date?.get(..10).filter(|day| day.contains('-'))
}

impl Quota {
    fn read(name: &str, quota: &Value) -> Self {
        let flag = |field: &str| quota.get(field).and_then(Value::as_bool).unwrap_or_default();
        Self {
            name: name.to_owned(),
            unlimited: flag("unlimited"),
            entitlement: count(quota, "/entitlement"),
            remaining: count(quota, "/remaining"),
            percent_remaining: quota.get("percent_remaining").and_then(Value::as_f64),
            overage_permitted: flag("overage_permitted"),
            overage_count: count(quota, "/overage_count"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_answers_tell_since() {
        let account = |resets_on: &str, quotas: &[(&str, Option<f64>)]| Account {
            resets_on: Some(resets_on.into()),
            quotas: quotas
                .iter()
                .map(|(name, percent)| Quota {
                    name: (*name).into(),
                    percent_remaining: *percent,
                    ..Quota::default()
                })
                .collect(),
            ..Account::default()
        };
        for (then, seen, left) in [
            ("2026-12-01T00:00:00Z", 37.5, 37.5),
            // Another program has used more of it.
            ("2026-12-01", 45.0, 40.0),
            // It has begun anew since.
            ("2026-11-01", 3.0, 40.0),
            ("soon", 37.5, 37.5),
        ] {
            let now = account("2026-12-01", &[("chat", None), ("premium_interactions", Some(40.0))]);
            let now = now.updated(account(then, &[("premium_interactions", Some(seen))]));
            assert_eq!(now.quotas[1].percent_remaining, Some(left), "{then} {seen}");
            assert_eq!((now.quotas.len(), now.quotas[0].percent_remaining), (2, None));
        }
        let now = Account::default().updated(account("2026-12-01", &[("chat", Some(1.0))]));
        assert_eq!(now.quotas[0].percent_remaining, Some(1.0));
    }

    #[test]
    fn what_the_service_says_and_what_it_leaves_out() {
        let paid = json!({
            "login": "octo", "copilot_plan": "individual", "access_type_sku": "monthly_subscriber_quota",
            "chat_enabled": true, "quota_reset_date": "2026-10-01",
            "quota_snapshots": {
                "chat": { "unlimited": true, "entitlement": -1, "remaining": 0, "percent_remaining": 100.0 },
                "premium_interactions": { "entitlement": 300, "remaining": 12.0, "percent_remaining": 4.0,
                    "overage_permitted": true, "overage_count": 0, "quota_id": "premium_interactions" },
            },
        });
        let account = Account::read(&paid);
        assert_eq!((account.login.as_deref(), account.plan.as_deref()), (Some("octo"), Some("individual")));
        assert_eq!(account.resets_on.as_deref(), Some("2026-10-01"));
        let quota = |name: &str| account.quotas.iter().find(|quota| quota.name == name).unwrap();
        assert!(quota("chat").unlimited);
        let premium = quota("premium_interactions");
        assert_eq!((premium.entitlement, premium.remaining), (Some(300), Some(12)));
        assert_eq!((premium.percent_remaining, premium.overage_permitted), (Some(4.0), true));

        let free = json!({
            "access_type_sku": "free_limited_copilot", "limited_user_reset_date": 1_790_001_800,
            "monthly_quotas": { "chat": 500 }, "limited_user_quotas": { "chat": 410 },
        });
        let account = Account::read(&free);
        assert_eq!((account.quotas[0].entitlement, account.quotas[0].remaining), (Some(500), Some(410)));
        assert_eq!(account.resets_on.as_deref(), Some("1790001800"));

        for body in [json!(null), json!([]), json!({ "login": 7.5, "quota_snapshots": "soon" })] {
            assert!(Account::read(&body).quotas.is_empty(), "{body}");
        }
    }
}
