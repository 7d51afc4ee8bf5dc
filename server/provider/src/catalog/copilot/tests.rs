use expect_test::expect;
use serde_json::json;

use super::*;

const LIST: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/copilot_models.json"));

fn shown(model: &CopilotModel) -> String {
    let info = &model.info;
    let levels =
        info.thinking.as_ref().map(|levels| levels.iter().map(|level| level.effort()).collect::<Vec<_>>());
    let marks = [
        (model.is_offered(), "offered"),
        (info.is_default, "default"),
        (info.preview, "preview"),
        (info.images == Some(true), "images"),
        (info.tools == Some(true), "tools"),
        (model.is_chat, "chat"),
    ];
    let marks: Vec<&str> = marks.into_iter().filter(|(is, _)| *is).map(|(_, mark)| mark).collect();
    format!(
        "{} ({}): {:?} in {:?}, out {:?}; {}; {:?}; {}; thinks {:?}; x{:?}\n",
        info.id,
        info.name.as_deref().unwrap_or_default(),
        info.context_window,
        info.prompt_budget(),
        info.max_output_tokens,
        marks.join(" "),
        model.policy,
        model.supported_endpoints.join(" "),
        levels,
        model.multiplier,
    )
}

#[test]
fn a_whole_list() {
    let list = serde_json::from_str(LIST).unwrap();
    let shown: String = copilot_models(&list).iter().map(shown).collect();
    expect![[r#"
        gpt-5.4 (GPT-5.4): Some(400000) in Some(272000), out Some(128000); offered images tools chat; Enabled; /responses ws:/responses; thinks Some(["low", "medium", "high", "xhigh"]); xSome(1.0)
        gpt-5-mini (GPT-5 mini): Some(264000) in Some(128000), out Some(64000); offered default images tools chat; Enabled; /chat/completions /responses; thinks Some(["low", "medium", "high", "xhigh"]); xSome(0.0)
        claude-sonnet-4.5 (Claude Sonnet 4.5): Some(200000) in Some(128000), out Some(32000); offered images tools chat; Enabled; /chat/completions /v1/messages; thinks Some(["none", "minimal", "low", "medium", "high", "xhigh", "max"]); xSome(1.0)
        gemini-3-pro-preview (Gemini 3 Pro (Preview)): Some(128000) in Some(109000), out Some(64000); offered preview images tools chat; Unconfigured { terms: Some("Terms for Gemini 3 Pro (Preview)") }; /chat/completions; thinks None; xNone
        gpt-4.1 (GPT-4.1): Some(128000) in Some(64000), out Some(16384); offered images tools chat; Enabled; ; thinks None; xNone
        grok-code-fast-1 (Grok Code Fast 1): Some(128000) in Some(128000), out Some(64000); tools chat; Disabled; /chat/completions; thinks None; xNone
        gpt-3.5-turbo (GPT 3.5 Turbo): Some(16384) in Some(16384), out Some(4096); tools chat; Enabled; ; thinks None; xNone
        text-embedding-3-small (Embedding V3 small): None in None, out None; ; Enabled; ; thinks None; xNone
    "#]].assert_eq(&shown);
}

#[test]
fn of_an_entry_only_the_id_is_needed() {
    let list = json!({ "data": [
        { "id": "plain" },
        { "name": "no id" },
        7,
        null,
        { "id": "odd", "capabilities": [], "policy": null, "supported_endpoints": "all", "preview": "yes" },
        { "id": "levels", "capabilities": { "supports": { "reasoning_effort": ["high", "extreme", "none", 3, "high"] } } },
    ] });
    let models = copilot_models(&list);
    let ids: Vec<&str> = models.iter().map(|model| model.info.id.as_str()).collect();
    assert_eq!(ids, ["plain", "odd", "levels"]);
    assert!(models.iter().all(CopilotModel::is_offered));
    assert_eq!(models[0].info, ModelInfo::new("plain"));
    assert_eq!(models[1].info, ModelInfo::new("odd"));
    assert_eq!(models[2].info.thinking, Some(vec![ThinkingLevel::Off, ThinkingLevel::High]));
    for list in [json!(null), json!({}), json!({ "data": "none" }), json!("x")] {
        assert_eq!(copilot_models(&list), []);
    }
}
