//! Calls that a model wrote as text, because its server did not know them for calls.
//!
//! They are not run: what looks like one may be an example, and whoever wrote it did not mean the model.

use crate::event::Failure;

/// What begins a call in the words of some model. What follows names the tool.
const MARKS: &[&str] = &[
    "<function=",            // Qwen3-Coder, Llama
    "<function name=",       // Hermes
    "<tool_call>",           // Qwen, Hermes, GLM
    "<|tool_call|>",         // Phi-4, Granite
    "<|tool_call>",          // Gemma 4
    "<|tool_call_start|>",   // LFM2
    "<|tool_call_begin|>",   // Kimi K2
    "<start_function_call>", // FunctionGemma
    "<invoke name=",         // MiniMax, Claude
    "[TOOL_CALLS]",          // Mistral
    "<|python_tag|>",        // Llama 3
    "<|python_start|>",      // Llama 4
    "```tool_code",          // Gemma
    "```tool_call",
    "functools[",            // Phi
    "<｜tool▁call▁begin｜>", // DeepSeek
    " to=functions.",        // gpt-oss
];

/// Words that may stand between the mark and the name.
const AROUND: &[&str] =
    &["call", "default_api", "function", "functions", "name", "print", "sep", "tool", "tool_call", "type"];

/// How much of the text behind a mark is looked at.
const REACH: usize = 300;

/// The offered tool that an answer calls in its text.
pub(super) fn call(text: &str, is_offered: impl Fn(&str) -> bool) -> Option<&str> {
    let behind_marks =
        MARKS.iter().flat_map(|mark| text.match_indices(mark).map(|(at, mark)| at + mark.len()));
    let marked = behind_marks.map(|at| &text[at..text.floor_char_boundary(at.saturating_add(REACH))]);
    let mut named = marked.flat_map(|behind| [first_word(behind), json_name(behind)]).flatten();
    named.find(|name| is_offered(name)).or_else(|| bare_call(text).filter(|name| is_offered(name)))
}

/// The user's side of it.
pub(super) fn warning(tool: &str) -> Failure {
    Failure {
        code: "call_as_text".into(),
        message: format!("the model wrote a call of the tool {tool} as text, so it was not run"),
        hint: Some(
            "The server's parser of tool calls seems to be off or made for another model: start vLLM with \
             --enable-auto-tool-choice and the --tool-call-parser of this model, llama.cpp with --jinja, and let \
             Ollama serve a model that it lists with `tools`."
                .into(),
        ),
    }
}

fn first_word(text: &str) -> Option<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')));
    words.filter(|word| !word.is_empty()).find(|word| !AROUND.contains(word))
}

/// The value of the first `"name"`.
fn json_name(text: &str) -> Option<&str> {
    let (_, value) = text.split_once("\"name\"")?;
    let value = value.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    Some(value.split_once('"')?.0)
}

/// The name in an answer that is nothing but the JSON of a call, as smaller models write it.
fn bare_call(text: &str) -> Option<&str> {
    let text = text.trim();
    let fenced = text.strip_prefix("```").and_then(|text| text.strip_suffix("```"));
    let json = fenced.map_or(text, |text| text.strip_prefix("json").unwrap_or(text)).trim();
    let is_object = json.starts_with('{') && json.ends_with('}');
    let has_arguments = ["\"arguments\"", "\"parameters\""].iter().any(|field| json.contains(field));
    if is_object && has_arguments { json_name(json) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, tool: Option<&str>) {
        assert_eq!(call(text, |name| ["read", "bash"].contains(&name)), tool, "{text}");
    }

    #[test]
    fn calls_are_known_in_the_words_of_many_models() {
        for text in [
            "Let me look.\n<function=read>\n<parameter=path>a</parameter>\n</function>",
            "<function name=\"read\">{\"path\":\"a\"}</function>",
            "<tool_call>\n{\"name\": \"read\", \"arguments\": {\"path\": \"a\"}}\n</tool_call>",
            "<tool_call>{\"arguments\": {\"path\": \"a\"}, \"name\": \"read\"}</tool_call>",
            "<tool_call>read\n<arg_key>path</arg_key>\n<arg_value>a</arg_value>\n</tool_call>",
            "<tool_call>\n<function=read>\n<parameter=path>\na\n</parameter>",
            "<|tool_call|>[{\"name\":\"read\",\"arguments\":{}}]",
            "<|tool_call_start|>[read(path=\"a\")]<|tool_call_end|>",
            "<|tool_calls_section_begin|><|tool_call_begin|>functions.read:0<|tool_call_argument_begin|>{}",
            "<start_function_call>call:read{path:a}",
            "<invoke name=\"read\">\n<parameter name=\"path\">a</parameter>",
            "[TOOL_CALLS] [{\"name\": \"read\", \"arguments\": {}}]",
            "[TOOL_CALLS]read[ARGS]{\"path\": \"a\"}",
            "<|python_tag|>read.call(path=\"a\")",
            "<|python_tag|>{\"type\": \"function\", \"name\": \"read\", \"parameters\": {}}",
            "```tool_code\nprint(default_api.read(path=\"a\"))\n```",
            "functools[{\"name\": \"read\", \"arguments\": {}}]",
            "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>read\n```json\n{}\n```",
            "<|channel|>commentary to=functions.read <|constrain|>json<|message|>{}",
            "{\"name\": \"read\", \"arguments\": {\"path\": \"a\"}}",
            "```json\n{\"name\": \"read\", \"parameters\": {}}\n```",
        ] {
            check(text, Some("read"));
        }
    }

    #[test]
    fn other_text_is_no_call() {
        for text in [
            "",
            "I read the file with bash.",
            "<tool_call>",
            "<function=open>",
            "Qwen writes <tool_call> around a call, such as one of read.",
            "{\"name\": \"read\"}",
            "The object {\"name\": \"read\", \"arguments\": {}} is a call.",
            "{\"name\": \"opal\", \"parameters\": {}}",
            "[TOOL_CALLS]\u{1f600}",
        ] {
            check(text, None);
        }
        check(&format!("<tool_call>{} read", "é".repeat(400)), None);
    }
}
