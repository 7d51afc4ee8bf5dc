//! What is left of an account's quotas, as the headers of every answer tell it.

use reqwest::header::HeaderMap;

use crate::{Account, Quota};

/// Before the name of a quota. The value has the form of a query: `ent=300&rem=37.5&ov=0.0&ovPerm=false&rst=…`.
const HEADER: &str = "x-quota-snapshot-";

/// The quotas that these headers tell of, and nothing else of the account; `None` if they tell of none.
pub(super) fn seen(headers: &HeaderMap) -> Option<Account> {
    let mut account = Account::default();
    for (name, value) in headers {
        let Some(name) = name.as_str().strip_prefix(HEADER) else { continue };
        let (quota, resets_on) = read(name, value.as_bytes());
        if quota.percent_remaining.is_some() && !quota.unlimited {
            account.quotas.push(quota);
            account.resets_on = account.resets_on.or(resets_on);
        }
    }
    (!account.quotas.is_empty()).then_some(account)
}

fn read(name: &str, value: &[u8]) -> (Quota, Option<String>) {
    // Two names have been seen of one quota; the account's is the second.
    let name = if name == "premium_models" { "premium_interactions" } else { name };
    let (mut quota, mut resets_on) = (Quota { name: name.to_owned(), ..Quota::default() }, None);
    for (field, value) in form_urlencoded::parse(value) {
        let number = value.parse::<f64>().ok().filter(|number| number.is_finite());
        match &*field {
            "ent" => {
                quota.unlimited = number.is_some_and(|number| number < 0.0);
                quota.entitlement = number.map(|number| number as u64);
            }
            "rem" => quota.percent_remaining = number.map(|number| number.clamp(0.0, 100.0)),
            "ov" => quota.overage_count = number.map(|number| number as u64),
            "ovPerm" => quota.overage_permitted = value == "true",
            "rst" => resets_on = Some(value.into_owned()),
            _ => {}
        }
    }
    (quota, resets_on)
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn told(headers: &[(&'static str, &'static str)]) -> Option<String> {
        let header = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let account = seen(&headers.iter().map(header).collect())?;
        let quota = |quota: &Quota| {
            let Quota { name, entitlement, percent_remaining, overage_permitted, overage_count, .. } = quota;
            format!("{name} {entitlement:?} {percent_remaining:?} {overage_permitted} {overage_count:?}")
        };
        let quotas: Vec<String> = account.quotas.iter().map(quota).collect();
        Some(format!("{}; {}", quotas.join(", "), account.resets_on.unwrap_or_default()))
    }

    #[test]
    fn what_headers_tell_of_quotas() {
        let paid = "ent=300&ov=2.0&ovPerm=true&rem=37.5&rst=2026-12-01T00%3A00%3A00Z";
        let said = "premium_interactions Some(300) Some(37.5) true Some(2); 2026-12-01T00:00:00Z";
        for name in ["x-quota-snapshot-premium_models", "x-quota-snapshot-premium_interactions"] {
            let unlimited = ("x-quota-snapshot-chat", "ent=-1&rem=100.0");
            assert_eq!(told(&[(name, paid), unlimited]).as_deref(), Some(said));
        }
        for (value, said) in [
            ("rem=12", Some("chat None Some(12.0) false None; ")),
            ("rem=-3&ent=50", Some("chat Some(50) Some(0.0) false None; ")),
            ("rem=NaN", None),
            ("rem=many", None),
            ("ent=50", None),
            ("", None),
            ("%%%&&&===", None),
        ] {
            assert_eq!(told(&[("x-quota-snapshot-chat", value)]).as_deref(), said, "{value}");
        }
        assert_eq!(told(&[("x-request-id", "rem=12")]), None);
    }
}
