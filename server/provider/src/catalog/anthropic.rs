//! Anthropic's list, which comes in pages and tells what each model can do.

use reqwest::Url;
use serde_json::Value;

use super::Source;
use super::openai::{self, text, tokens};
use crate::http::SendError;
use crate::{ModelInfo, ThinkingLevel};

/// As many as the service gives at a time.
const PAGE: &str = "1000";
/// More pages than any service has: one that always promises another is left.
const MAX_PAGES: usize = 20;

/// All pages.
pub(super) async fn models(source: Source<'_>, url: Url) -> Result<Vec<ModelInfo>, SendError> {
    let mut models = Vec::new();
    let mut after: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let mut page = url.clone();
        page.query_pairs_mut().append_pair("limit", PAGE);
        if let Some(id) = &after {
            page.query_pairs_mut().append_pair("after_id", id);
        }
        let list = source.json(page).await?;
        models.extend(openai::entries(&list).iter().filter_map(model));
        let last = text(&list, "last_id").filter(|_| list["has_more"] == true);
        if last.is_none() || last == after {
            break;
        }
        after = last;
    }
    Ok(models)
}

/// Gateways list models in OpenAI's shape here too.
fn model(entry: &Value) -> Option<ModelInfo> {
    let model = openai::model(entry)?;
    let capability = |name: &str| entry["capabilities"][name]["supported"].as_bool();
    let anthropic = ModelInfo {
        context_window: tokens(entry, "/max_input_tokens"),
        max_output_tokens: tokens(entry, "/max_tokens").and_then(|tokens| tokens.try_into().ok()),
        images: capability("image_input"),
        thinking: thinking(&entry["capabilities"]).map(|levels| with_off(levels, &model.id)),
        ..ModelInfo::new("")
    };
    Some(model.overlay(anthropic))
}

/// Whether thinking can be turned off is the one thing about it that the list does not say.
fn with_off(mut levels: Vec<ThinkingLevel>, id: &str) -> Vec<ThinkingLevel> {
    let known = ModelInfo::known(id).thinking.unwrap_or_default();
    if known.contains(&ThinkingLevel::Off) && !levels.is_empty() && !levels.contains(&ThinkingLevel::Off) {
        levels.insert(0, ThinkingLevel::Off);
    }
    levels
}

/// Models that decide for themselves take an effort, those before them a budget, which any level is made into.
fn thinking(capabilities: &Value) -> Option<Vec<ThinkingLevel>> {
    let is = |capability: &Value| capability["supported"].as_bool();
    let thinking = &capabilities["thinking"];
    if !is(thinking)? {
        return Some(vec![]);
    }
    let (types, effort) = (&thinking["types"], &capabilities["effort"]);
    if is(&types["adaptive"]) == Some(true) {
        let listed = |level: &ThinkingLevel| is(&effort[level.effort()]) == Some(true);
        let efforts: Vec<_> = ThinkingLevel::ALL.into_iter().filter(listed).collect();
        return Some(efforts).filter(|efforts| !efforts.is_empty());
    }
    (is(&types["enabled"]) == Some(true)).then(|| ThinkingLevel::ALL.to_vec())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check_thinking(capabilities: Value, efforts: Option<&str>) {
        let said = |levels: Vec<ThinkingLevel>| {
            levels.iter().map(|level| level.effort()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(thinking(&capabilities).map(said).as_deref(), efforts, "{capabilities}");
    }

    #[test]
    fn levels_are_those_of_the_kind_of_thinking() {
        let (yes, no) = (json!({ "supported": true }), json!({ "supported": false }));
        let effort =
            json!({ "supported": true, "low": yes, "medium": yes, "high": yes, "xhigh": no, "max": yes });
        let adaptive = json!({ "supported": true, "types": { "adaptive": yes, "enabled": no } });
        let budget = json!({ "supported": true, "types": { "adaptive": no, "enabled": yes } });
        check_thinking(json!({ "thinking": adaptive, "effort": effort }), Some("low medium high max"));
        check_thinking(json!({ "thinking": adaptive }), None);
        check_thinking(
            json!({ "thinking": budget, "effort": effort }),
            Some("none minimal low medium high xhigh max"),
        );
        check_thinking(json!({ "thinking": no }), Some(""));
        check_thinking(json!({ "thinking": yes }), None);
        check_thinking(json!({}), None);
        check_thinking(json!(null), None);
    }
}
