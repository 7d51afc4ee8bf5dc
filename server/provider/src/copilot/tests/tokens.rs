//! How tokens are had, kept and replaced.

use replay::Step;
use tokio::sync::Notify;

use super::*;

fn bearer(received: &Received) -> String {
    received.header("authorization").unwrap_or_default().split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn one_exchange_serves_many_requests() {
    let hub = Hub::start(good);
    for _ in 0..3 {
        assert_eq!(hub.told().await, "Hello there.");
    }
    assert_eq!(hub.paths(), [EXCHANGE, "/models", "/responses", "/responses", "/responses"]);
}

#[tokio::test]
async fn fifty_callers_make_one_exchange_and_the_first_may_give_up() {
    let gate = Arc::new(Notify::new());
    let open = gate.clone();
    let hub = Hub::start(move |received, nth| {
        let mut reply = good(received, nth);
        if received.path == EXCHANGE {
            reply.body.insert(0, Step::Wait(gate.clone()));
        }
        reply
    });
    let mut first = hub.copilot.answer(prompt());
    tokio::select! {
        _ = first.next() => panic!("no token has been given"),
        () = hub.server.received(1) => {}
    }
    let mut others: Vec<_> = (0..50).map(|_| Box::pin(hub.told())).collect();
    for other in &mut others {
        assert!(futures::poll!(other).is_pending());
    }
    drop(first);
    open.notify_one();
    let answers = futures::future::join_all(others).await;
    assert!(answers.iter().all(|answer| answer == "Hello there."), "{answers:?}");
    assert_eq!((hub.count(EXCHANGE), hub.count("/models"), hub.count("/responses")), (1, 1, 50));
}

#[tokio::test]
async fn a_token_is_replaced_before_it_runs_out() {
    let hub = Hub::start(good);
    hub.told().await;
    hub.clock.pass(Duration::from_secs(24 * 60));
    hub.told().await;
    assert_eq!((hub.count(EXCHANGE), bearer(&hub.last())), (1, "Bearer tid=secret1".into()));
    hub.clock.pass(Duration::from_secs(2 * 60));
    hub.told().await;
    assert_eq!((hub.count(EXCHANGE), bearer(&hub.last())), (2, "Bearer tid=secret2".into()));
}

#[tokio::test]
async fn a_failed_exchange_leaves_the_old_token_while_it_is_good() {
    let hub = Hub::start(|received, nth| match (received.path.as_str(), nth) {
        (EXCHANGE, 1..=4) => Reply::new(503, "text/plain", "busy"),
        _ => good(received, nth),
    });
    hub.told().await;
    hub.clock.pass(Duration::from_secs(26 * 60));
    assert_eq!(hub.told().await, "Hello there.");
    assert_eq!((hub.count(EXCHANGE), bearer(&hub.last())), (2, "Bearer tid=secret1".into()));
    // Not with each request.
    assert_eq!(hub.told().await, "Hello there.");
    assert_eq!(hub.count(EXCHANGE), 2);
    hub.clock.pass(Duration::from_secs(31));
    assert_eq!(hub.told().await, "Hello there.");
    assert_eq!(hub.count(EXCHANGE), 3);
    // Until it has run out.
    hub.clock.pass(Duration::from_secs(5 * 60));
    assert_eq!(hub.told().await, "server: copilot failed: busy (HTTP 503 Service Unavailable), retryable");
    assert_eq!(hub.count(EXCHANGE), 4);
    hub.told().await;
    assert_eq!(hub.told().await, "Hello there.");
    assert_eq!(bearer(&hub.last()), "Bearer tid=secret6");
}

#[tokio::test]
async fn an_exchange_that_is_limited_is_not_tried_before_its_time() {
    let hub = Hub::start(|received, nth| match (received.path.as_str(), nth) {
        (EXCHANGE, 1) => {
            Reply::json(403, r#"{"message":"API rate limit exceeded"}"#).header("retry-after", "120")
        }
        _ => good(received, nth),
    });
    hub.told().await;
    hub.clock.pass(Duration::from_secs(26 * 60));
    for (pass, n_exchanges) in [(0, 2), (119, 2), (2, 3)] {
        hub.clock.pass(Duration::from_secs(pass));
        assert_eq!((hub.told().await.as_str(), hub.count(EXCHANGE)), ("Hello there.", n_exchanges));
    }
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_for_all() {
    let hub = Hub::start(|received, nth| match received.path.as_str() {
        "/responses" if bearer(received) == "Bearer tid=secret1" => {
            Reply::new(401, "text/plain", "IDE token expired: unauthorized: token expired\n")
        }
        _ => good(received, nth),
    });
    let answers = futures::future::join_all((0..10).map(|_| hub.told())).await;
    assert!(answers.iter().all(|answer| answer == "Hello there."), "{answers:?}");
    assert_eq!(hub.count(EXCHANGE), 2);
    assert_eq!(hub.told().await, "Hello there.");
    assert_eq!(hub.count(EXCHANGE), 2);
}

/// A base that nobody configured is believed only within GitHub's hosts.
#[tokio::test]
async fn a_forged_host_is_not_used() {
    let thief = Server::start(|_| hello()).unwrap();
    let url = thief.url();
    let hub = Hub::with(
        |config| config.base_url = None,
        move |_, _| {
            let endpoints = json!({ "api": url });
            let answer =
                json!({ "token": "tid=secret", "expires_at": 1, "refresh_in": 1500, "endpoints": endpoints });
            Reply::json(200, answer.to_string())
        },
    );
    let token = hub.copilot.inner.credentials.token().await.unwrap();
    assert_eq!(token.base, "https://api.githubcopilot.com");
    assert_eq!(thief.requests(), 0);
}

#[tokio::test]
async fn a_token_is_not_sent_where_a_redirect_leads() {
    let thief = Server::start(|_| hello()).unwrap();
    let elsewhere = Reply::new(307, "text/plain", "").header("location", &format!("{}/x", thief.url()));
    for redirected in [EXCHANGE, "/models", "/responses"] {
        let reply = elsewhere.clone();
        let hub = Hub::start(move |received, nth| match received.path.as_str() {
            path if path == redirected => reply.clone(),
            _ => good(received, nth),
        });
        let told = hub.told().await;
        match redirected {
            // The list is not needed.
            "/models" => assert_eq!(told, "Hello there."),
            _ => assert!(told.contains("the address redirects to http://127.0.0.1"), "{told}"),
        }
    }
    assert_eq!(thief.requests(), 0);
}

#[tokio::test]
async fn secrets_are_shown_nowhere() {
    let hub = Hub::start(|received, nth| match (received.path.as_str(), nth) {
        (EXCHANGE, 1) => Reply::json(400, format!(r#"{{"message":"what is {GITHUB_TOKEN}?"}}"#)),
        ("/responses", 0) => {
            let sent = received.header("authorization").unwrap();
            Reply::new(400, "text/plain", format!("bad request: {sent}"))
        }
        _ => good(received, nth),
    });
    assert_eq!(
        hub.told().await,
        "invalid_request: copilot refused the request: bad request: Bearer *** (HTTP 400 Bad Request)"
    );
    let shown = format!("{:?} {:?}", hub.copilot, hub.copilot.inner);
    assert!(!shown.contains("tid=") && !shown.contains("VerySecret"), "{shown}");
    hub.clock.pass(Duration::from_secs(3600));
    assert_eq!(
        hub.told().await,
        "invalid_request: copilot refused the request: what is ***? (HTTP 400 Bad Request)"
    );
}

#[test]
fn what_cannot_be_sent_is_said_at_once() {
    let error = |config, token: &str| {
        Copilot::new(config, Secret::new(token), Timeouts::default()).map(|_| ()).unwrap_err()
    };
    let with = |change: fn(&mut CopilotConfig)| {
        let mut config = CopilotConfig::default();
        change(&mut config);
        config
    };
    assert!(matches!(error(CopilotConfig::default(), "a\nb"), ConfigError::InvalidKey { .. }));
    let odd = with(|config| config.base_url = Some("api.example".into()));
    assert!(matches!(error(odd, "ghu_1"), ConfigError::InvalidUrl { .. }));
    let odd = with(|config| config.api_url = Some("ftp://api.example".into()));
    assert!(matches!(error(odd, "ghu_1"), ConfigError::UnsupportedScheme { .. }));
    let odd = with(|config| config.identity.editor_version = "a\nb".into());
    assert!(matches!(error(odd, "ghu_1"), ConfigError::InvalidHeader { .. }));
}
