use expect_test::expect;
use serde_json::json;

use super::*;

fn recorded() -> Vec<CopilotModel> {
    let answer = include_str!("../../../tests/fixtures/copilot_models.json");
    read(&serde_json::from_str(answer).unwrap()).unwrap()
}

#[test]
fn the_recorded_list() {
    let line = |model: CopilotModel| {
        let offered = if model.is_offered() { "offered" } else { "not offered" };
        let levels: Vec<_> = model.thinking_levels.iter().map(|level| level.effort()).collect();
        let default = if model.is_default { ", the default" } else { "" };
        let policy = match &model.policy {
            ModelPolicy::Enabled => "",
            ModelPolicy::NeedsAccepting { terms } => &format!(", needs {terms:?}"),
            ModelPolicy::Disabled => ", disabled",
        };
        format!(
            "{}: {offered}, {:?}, prompt {:?}, output {:?}, thinks {levels:?}{default}{policy}\n",
            model.id,
            model.family,
            model.max_prompt_tokens.unwrap_or_default(),
            model.max_output_tokens.unwrap_or_default()
        )
    };
    expect![[r#"
        gpt-5.4: offered, Responses, prompt 272000, output 128000, thinks ["low", "medium", "high", "xhigh"]
        gpt-5-mini: offered, Responses, prompt 128000, output 64000, thinks ["low", "medium", "high", "xhigh"], the default
        claude-sonnet-4.5: offered, Messages, prompt 128000, output 32000, thinks []
        gemini-3-pro-preview: offered, Chat, prompt 109000, output 64000, thinks [], needs "Terms for Gemini 3 Pro (Preview)"
        gpt-4.1: offered, Chat, prompt 64000, output 16384, thinks []
        grok-code-fast-1: not offered, Chat, prompt 128000, output 64000, thinks [], disabled
        gpt-3.5-turbo: not offered, Chat, prompt 16384, output 4096, thinks []
        text-embedding-3-small: not offered, Chat, prompt 0, output 0, thinks []
    "#]].assert_eq(&recorded().into_iter().map(line).collect::<String>());
}

#[test]
fn entries_are_read_as_far_as_they_can_be() {
    let answer = json!({ "data": [
        { "id": "bare" },
        { "name": "no id" },
        null,
        "text",
        { "id": "" },
        { "id": "bare", "name": "again" },
        { "id": "odd", "capabilities": [], "policy": "none", "supported_endpoints": { "a": 1 }, "billing": 3 },
        { "id": "limits", "capabilities": { "limits":
            { "max_context_window_tokens": 1000, "max_output_tokens": 400, "max_prompt_tokens": null } } },
        { "id": "swapped", "capabilities": { "limits":
            { "max_context_window_tokens": 10, "max_output_tokens": 400 } } },
    ] });
    let models = read(&answer).unwrap();
    let ids: Vec<_> = models.iter().map(|model| model.id.as_str()).collect();
    assert_eq!(ids, ["bare", "odd", "limits", "swapped"]);
    assert!(models.iter().all(|model| model.family == Family::Chat && model.is_offered()));
    let prompts: Vec<_> = models.iter().map(|model| model.max_prompt_tokens).collect();
    assert_eq!(prompts, [None, None, Some(600), None]);
    assert!(read(&json!({ "error": "no" })).is_none());
}

#[test]
fn thinking_as_each_model_knows_it() {
    let models = recorded();
    let thinking = |id: &str, wanted| models.iter().find(|model| model.id == id).unwrap().thinking(wanted);
    assert_eq!(thinking("gpt-5.4", ThinkingLevel::High), Some(ThinkingLevel::High));
    assert_eq!(thinking("gpt-5.4", ThinkingLevel::Max), Some(ThinkingLevel::XHigh));
    assert_eq!(thinking("gpt-5.4", ThinkingLevel::Off), Some(ThinkingLevel::Low));
    assert_eq!(thinking("claude-sonnet-4.5", ThinkingLevel::Max), Some(ThinkingLevel::Max));
    assert_eq!(thinking("gpt-4.1", ThinkingLevel::High), None);
}
