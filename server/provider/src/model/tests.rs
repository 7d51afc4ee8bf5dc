use expect_test::{Expect, expect};

use super::*;

/// One line: window, prompt, output, abilities, levels, price; `?` is unknown.
fn shown(info: &ModelInfo) -> String {
    let number = |number: Option<u64>| number.map_or("?".to_owned(), |number| number.to_string());
    let flag = |flag: Option<bool>, yes: &str| match flag {
        Some(true) => yes.to_owned(),
        Some(false) => format!("no {yes}"),
        None => "?".to_owned(),
    };
    let levels = info.thinking.as_ref().map_or("?".to_owned(), |levels| {
        levels.iter().map(|level| level.effort()).collect::<Vec<_>>().join(",")
    });
    let price = info.price.map_or("?".to_owned(), |price| {
        format!("${}/{}/{}/{}", price.input, price.cached_input, price.cache_write, price.output)
    });
    format!(
        "{} | {}/{}/{} | {}, {} | {levels} | {price}",
        info.name.as_deref().unwrap_or("?"),
        number(info.context_window),
        number(info.max_prompt_tokens),
        number(info.max_output_tokens.map(u64::from)),
        flag(info.tools, "tools"),
        flag(info.images, "images"),
    )
}

fn check_known(ids: &[&str], expected: Expect) {
    let known = |id: &&str| {
        let info = ModelInfo::known(id);
        assert_eq!(info.id, *id);
        format!("{id}: {}\n", shown(&info))
    };
    expected.assert_eq(&ids.iter().map(known).collect::<String>());
}

#[test]
fn an_id_may_have_a_vendor_and_a_date() {
    let ids = [
        "gpt-5",
        "gpt-5-2025-08-07",
        "openai/gpt-5",
        "gpt-5-mini",
        "gpt-5.4-mini-2026-03-17",
        "gpt-4.1",
        "claude-sonnet-4-5-20250929",
        "claude-sonnet-4.5",
        "anthropic/claude-sonnet-4.5",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "claude-opus-4@20250514",
        "claude-opus-4-1-20250805",
        "models/gemini-2.5-pro",
        "gemini-3-pro-preview",
        "grok-4-0709",
    ];
    check_known(
        &ids,
        expect![[r#"
        gpt-5: GPT-5 | 400000/272000/128000 | tools, images | minimal,low,medium,high | $1.25/0.125/1.25/10
        gpt-5-2025-08-07: GPT-5 | 400000/272000/128000 | tools, images | minimal,low,medium,high | $1.25/0.125/1.25/10
        openai/gpt-5: GPT-5 | 400000/272000/128000 | tools, images | minimal,low,medium,high | $1.25/0.125/1.25/10
        gpt-5-mini: GPT-5 mini | 400000/272000/128000 | tools, images | minimal,low,medium,high | $0.25/0.025/0.25/2
        gpt-5.4-mini-2026-03-17: GPT-5.4 mini | 400000/272000/128000 | tools, images | none,low,medium,high,xhigh | $0.75/0.075/0.75/4.5
        gpt-4.1: GPT-4.1 | 1047576/?/32768 | tools, images |  | $2/0.5/2/8
        claude-sonnet-4-5-20250929: Claude Sonnet 4.5 | 200000/?/64000 | tools, images | none,minimal,low,medium,high,xhigh,max | $3/0.3/3.75/15
        claude-sonnet-4.5: Claude Sonnet 4.5 | 200000/?/64000 | tools, images | none,minimal,low,medium,high,xhigh,max | $3/0.3/3.75/15
        anthropic/claude-sonnet-4.5: Claude Sonnet 4.5 | 200000/?/64000 | tools, images | none,minimal,low,medium,high,xhigh,max | $3/0.3/3.75/15
        us.anthropic.claude-sonnet-4-5-20250929-v1:0: Claude Sonnet 4.5 | 200000/?/64000 | tools, images | none,minimal,low,medium,high,xhigh,max | $3/0.3/3.75/15
        claude-opus-4@20250514: Claude Opus 4 | 200000/?/32000 | tools, images | none,minimal,low,medium,high,xhigh,max | $15/1.5/18.75/75
        claude-opus-4-1-20250805: Claude Opus 4.1 | 200000/?/32000 | tools, images | none,minimal,low,medium,high,xhigh,max | $15/1.5/18.75/75
        models/gemini-2.5-pro: Gemini 2.5 Pro | 1048576/?/65536 | tools, images | minimal,low,medium,high | $1.25/0.125/1.25/10
        gemini-3-pro-preview: Gemini 3 Pro | 1048576/?/65536 | tools, images | low,high | $2/0.2/2/12
        grok-4-0709: Grok 4 | 256000/?/? | tools, images |  | $3/0.75/3/15
    "#]],
    );
}

#[test]
fn a_variant_can_the_same_at_a_price_of_its_own() {
    let ids = [
        "qwen3-coder:30b",
        "Qwen/Qwen3-Coder-30B-A3B-Instruct",
        "qwen3:8b",
        "openai/gpt-oss-20b",
        "llama3.2:3b",
        "meta-llama-3.1-8b-instruct",
        "deepseek-r1:14b",
        "mistralai/Devstral-Small-2507",
        "devstral-small-2:24b",
        "llama-3.1-nemotron-nano-vl-8b",
        "anthropic/claude-3.7-sonnet",
        "anthropic/claude-opus-4.6:fast",
    ];
    check_known(
        &ids,
        expect![[r#"
            qwen3-coder:30b: ? | 262144/?/? | tools, no images |  | ?
            Qwen/Qwen3-Coder-30B-A3B-Instruct: ? | 262144/?/? | tools, no images |  | ?
            qwen3:8b: ? | 40960/?/? | tools, no images | ? | ?
            openai/gpt-oss-20b: ? | 131072/?/? | tools, no images | low,medium,high | ?
            llama3.2:3b: ? | 131072/?/? | ?, ? |  | ?
            meta-llama-3.1-8b-instruct: ? | 131072/?/? | tools, no images |  | ?
            deepseek-r1:14b: ? | 131072/?/? | ?, no images | ? | ?
            mistralai/Devstral-Small-2507: ? | 131072/?/? | tools, no images |  | ?
            devstral-small-2:24b: ? | 262144/?/? | tools, images |  | ?
            llama-3.1-nemotron-nano-vl-8b: ? | 131072/?/? | tools, ? |  | ?
            anthropic/claude-3.7-sonnet: Claude Sonnet 3.7 | 200000/?/64000 | tools, images | none,minimal,low,medium,high,xhigh,max | $3/0.3/3.75/15
            anthropic/claude-opus-4.6:fast: ? | 1000000/?/128000 | tools, images | none,low,medium,high,max | ?
        "#]],
    );
}

#[test]
fn another_model_is_not_taken_for_a_known_one() {
    let ids =
        ["gpt-50", "gpt-5.9", "claude-opus-4-9", "claude-sonnet-5.7-20270101", "o33", "my-gpt-5", "", "/"];
    for id in ids {
        assert_eq!(ModelInfo::known(id), ModelInfo::new(id), "{id}");
    }
}

/// Of each row: what a slip of the hand would break.
#[test]
fn the_table_holds_together() {
    let rows: Vec<ModelInfo> = registry::ids().map(ModelInfo::known).collect();
    assert!(rows.len() > 60, "{}", rows.len());
    for info in &rows {
        let id = &info.id;
        assert_eq!(rows.iter().filter(|other| other.id == *id).count(), 1, "{id} is there twice");
        assert_ne!(*info, ModelInfo::new(id), "{id} says nothing");
        assert!(info.max_output(0) == info.max_output_tokens, "{id}");
        if let (Some(window), Some(prompt)) = (info.context_window, info.max_prompt_tokens) {
            assert!(prompt < window, "{id}");
        }
        assert!(info.thinking.as_ref().is_none_or(|levels| levels.is_sorted()), "{id}");
        if let Some(Price { input, cached_input, cache_write, output, surcharge }) = info.price {
            let ascending = [0.0, cached_input, input, cache_write, output];
            assert!(ascending.is_sorted() && cached_input > 0.0, "{id}: {ascending:?}");
            let reached =
                |surcharge: Surcharge| info.context_window.is_some_and(|window| surcharge.above < window);
            assert!(surcharge.is_none_or(reached), "{id}");
        }
    }
}

#[test]
fn what_the_other_knows_wins() {
    let price = Price { input: 1.0, cached_input: 1.0, cache_write: 1.0, output: 2.0, surcharge: None };
    let base = ModelInfo {
        name: Some("Base".into()),
        context_window: Some(1000),
        images: Some(true),
        thinking: Some(vec![ThinkingLevel::Low]),
        price: Some(price),
        is_default: true,
        ..ModelInfo::new("m")
    };
    assert_eq!(base.clone().overlay(ModelInfo::new("other")), base);
    let listed = ModelInfo {
        context_window: Some(4096),
        max_output_tokens: Some(512),
        images: Some(false),
        thinking: Some(vec![]),
        preview: true,
        ..ModelInfo::new("other")
    };
    let merged = ModelInfo {
        context_window: Some(4096),
        max_output_tokens: Some(512),
        images: Some(false),
        thinking: Some(vec![]),
        preview: true,
        ..base.clone()
    };
    assert_eq!(base.overlay(listed), merged);
}

#[test]
fn a_smaller_window_has_no_room_for_the_prompt_of_a_larger() {
    for (window, prompt) in [(32_000, None), (272_000, None), (300_000, Some(272_000))] {
        let configured = ModelInfo { context_window: Some(window), ..ModelInfo::default() };
        let info = ModelInfo::known("gpt-5").overlay(configured);
        assert_eq!(info.max_prompt_tokens, prompt, "{window}");
    }
}

#[test]
fn a_local_server_alone_knows_what_fits_an_open_model() {
    expect!["? | ?/?/? | tools, no images |  | ?"]
        .assert_eq(&shown(&ModelInfo::known_locally("qwen3-coder:30b")));
    // Nobody runs these at home: the server passes requests on.
    for id in ["gpt-5", "claude-sonnet-4-5", "gemini-2.5-pro", "my-own"] {
        assert_eq!(ModelInfo::known_locally(id), ModelInfo::known(id), "{id}");
    }
}

#[test]
fn an_answer_has_what_the_prompt_leaves() {
    for (window, max_prompt, output, prompt, expected) in [
        (Some(200_000), None, Some(64_000), 0, Some(64_000)),
        (Some(200_000), None, Some(64_000), 120_000, Some(64_000)),
        (Some(200_000), None, Some(64_000), 160_000, Some(23_808)),
        (Some(200_000), None, Some(64_000), 199_000, Some(4096)),
        // Some services say that an answer may fill all of it.
        (Some(500_000), None, Some(500_000), 0, Some(491_808)),
        (Some(8192), None, Some(8192), 0, Some(2048)),
        (Some(400_000), Some(272_000), Some(128_000), 270_000, Some(128_000)),
        (None, None, Some(64_000), 500_000, Some(64_000)),
        (Some(200_000), None, None, 0, None),
    ] {
        let info = ModelInfo {
            context_window: window,
            max_prompt_tokens: max_prompt,
            max_output_tokens: output,
            ..ModelInfo::new("m")
        };
        assert_eq!(info.max_output(prompt), expected, "{info:?} {prompt}");
    }
}

#[test]
fn the_level_is_one_that_the_model_knows() {
    use ThinkingLevel::*;
    for (levels, wanted, expected) in [
        (None, Max, Some(Max)),
        (Some(vec![]), Medium, None),
        (Some(vec![Low, Medium, High]), Medium, Some(Medium)),
        (Some(vec![Low, Medium, High]), XHigh, Some(High)),
        (Some(vec![Minimal, Low]), Off, Some(Minimal)),
    ] {
        let info = ModelInfo { thinking: levels, ..ModelInfo::new("m") };
        assert_eq!(info.thinking_near(wanted), expected, "{info:?} {wanted:?}");
    }
}

/// The rates as the vendors print them: up to so many tokens, and beyond.
#[test]
fn long_prompts_cost_more() {
    for (id, limit, short, long) in [
        ("gpt-5.4", 272_000, [2.5, 0.25, 15.0], [5.0, 0.5, 22.5]),
        ("gpt-5.5", 272_000, [5.0, 0.5, 30.0], [10.0, 1.0, 45.0]),
        ("gemini-2.5-pro", 200_000, [1.25, 0.125, 10.0], [2.5, 0.25, 15.0]),
        ("gemini-3-pro-preview", 200_000, [2.0, 0.2, 12.0], [4.0, 0.4, 18.0]),
        ("gemini-3.1-pro-preview", 200_000, [2.0, 0.2, 12.0], [4.0, 0.4, 18.0]),
        ("grok-4.3", 200_000, [1.25, 0.2, 2.5], [2.5, 0.4, 5.0]),
        ("claude-sonnet-4.6", 200_000, [3.0, 0.3, 15.0], [3.0, 0.3, 15.0]),
    ] {
        let price = ModelInfo::known(id).price.unwrap();
        for (input, [fresh, cached, output]) in [(limit, short), (limit + 1, long)] {
            let cost = |input_cached, output_total| {
                price.cost(&Usage { input_total: input, input_cached, output_total, ..Usage::default() })
            };
            let input = input as f64;
            for (cost, rates) in [
                (cost(0, 0), input * fresh),
                (cost(limit, 0), limit as f64 * cached + (input - limit as f64) * fresh),
                (cost(0, 1_000), input * fresh + 1_000.0 * output),
            ] {
                assert!((cost * 1e6 - rates).abs() < 1e-3, "{id}: {cost}");
            }
        }
    }
}

#[test]
fn tokens_cost_what_they_are() {
    let sonnet = Price { input: 3.0, cached_input: 0.3, cache_write: 3.75, output: 15.0, surcharge: None };
    let free = Price { input: 0.0, cached_input: 0.0, cache_write: 0.0, output: 0.0, surcharge: None };
    let gemini = ModelInfo::known("gemini-2.5-pro").price.unwrap();
    // Price; input, of that cached and written to the cache, output; cents.
    for (price, input, cached, written, output, cents) in [
        (sonnet, 0, 0, 0, 0, 0.0),
        (sonnet, 1_000_000, 0, 0, 0, 300.0),
        (sonnet, 0, 0, 0, 1000, 1.5),
        // 41 fresh at 3, 8190 at 0.3, 612 at 3.75, 97 at 15: 123 + 2457 + 2295 + 1455 millionths of a dollar.
        (sonnet, 8843, 8190, 612, 97, 0.633),
        (sonnet, 10_000, 10_000, 0, 0, 0.3),
        (sonnet, 10_000, 0, 10_000, 0, 3.75),
        // A service that counts the cache beside the input, against the rules, is not paid for it.
        (sonnet, 10, 100, 0, 0, 0.003),
        // Up to 200,000 at 1.25 and 10; above that the whole at 2.5 and 15, and what was cached at 0.25.
        (gemini, 200_000, 0, 0, 1000, 26.0),
        (gemini, 200_001, 0, 0, 1000, 51.500_25),
        (gemini, 300_000, 300_000, 0, 0, 7.5),
        (free, 1_000_000, 500_000, 1000, 1000, 0.0),
    ] {
        let usage = Usage {
            input_total: input,
            input_cached: cached,
            input_cache_write: written,
            output_total: output,
            output_reasoning: output,
            total: input + output,
        };
        let cost = price.cost(&usage) * 100.0;
        assert!((cost - cents).abs() < 1e-9, "{usage:?}: {cost} instead of {cents}");
    }
}
