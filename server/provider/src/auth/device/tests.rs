use std::sync::Mutex;
use std::time::SystemTime;

use expect_test::{Expect, expect};
use replay::{Received, Reply, Server, Step};

use super::*;
use crate::clock::{Clock, Hasty};

macro_rules! recorded {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/device_", $name, ".json"))
    };
}

const CODE: &str = recorded!("code");
const PENDING: &str = recorded!("poll_pending");
const SLOW_DOWN: &str = recorded!("poll_slow_down");
const SUCCESS: &str = recorded!("poll_success");

fn ok(body: impl Into<String>) -> Reply {
    Reply::json(200, body.into())
}

fn refused(error: &str, description: &str) -> Reply {
    let body = json!({ "error": error, "error_description": description });
    Reply::json(200, body.to_string())
}

/// A connection that breaks.
fn lost() -> Reply {
    Reply::stream(vec![Step::from("{\"acc"), Step::Cut])
}

struct SignIn {
    server: Server,
    log: Arc<Mutex<Vec<Received>>>,
    clock: Arc<Hasty>,
    /// When each request came.
    times: Arc<Mutex<Vec<Duration>>>,
}

impl SignIn {
    /// A GitHub that gives these replies in turn, the last for ever.
    fn at(replies: Vec<Reply>) -> Self {
        let log = Arc::new(Mutex::new(Vec::new()));
        let times = Arc::new(Mutex::new(Vec::new()));
        let clock = Hasty::at(SystemTime::UNIX_EPOCH);
        let (keep, now, keep_times) = (log.clone(), clock.clone(), times.clone());
        let server = Server::start(move |received| {
            let mut log = keep.lock().unwrap();
            let reply = &replies[log.len().min(replies.len() - 1)];
            log.push(received);
            keep_times.lock().unwrap().push(now.passed());
            reply.clone()
        })
        .unwrap();
        Self { server, log, clock, times }
    }

    fn config(&self) -> CopilotConfig {
        CopilotConfig { github_url: Some(self.server.url()), ..CopilotConfig::default() }
    }

    async fn start(&self) -> Result<DeviceFlow, SignInError> {
        DeviceFlow::start_at(&self.config(), &Timeouts::default(), self.clock.clone()).await
    }

    async fn run(&self) -> Result<Granted, SignInError> {
        self.start().await?.wait().await
    }
}

/// How a sign-in with these polls ends, and when they came.
async fn check(polls: Vec<Reply>, shown: Expect) {
    let mut replies = vec![ok(CODE)];
    replies.extend(polls);
    check_all(replies, shown).await;
}

async fn check_all(replies: Vec<Reply>, shown: Expect) {
    let sign_in = SignIn::at(replies);
    let ending = match sign_in.run().await {
        Ok(granted) => format!("signed in with a token of {} characters", granted.token.reveal().len()),
        Err(error) => format!("{}: {error}. {}", error.code(), error.hint()),
    };
    let times = sign_in.times.lock().unwrap();
    let polls: Vec<_> = times.iter().skip(1).map(|time| time.as_secs_f64().to_string()).collect();
    let polls = if polls.len() > 6 { format!("{} polls", polls.len()) } else { polls.join(" ") };
    shown.assert_eq(&format!("{ending} [{polls}]"));
}

#[tokio::test]
async fn a_sign_in() {
    let sign_in = SignIn::at(vec![ok(CODE), ok(PENDING), ok(SUCCESS)]);
    let flow = sign_in.start().await.unwrap();
    let code = flow.code().clone();
    assert_eq!((code.user_code.as_str(), code.expires_in), ("OPAL-7K2Q", Duration::from_secs(899)));
    assert_eq!(code.verification_uri, "https://github.com/login/device");
    assert_eq!(code.verification_uri_complete, None);
    assert!(!format!("{flow:?}").contains("0f1xture5"));
    // In a task, as its caller will have it.
    let granted = tokio::spawn(flow.wait()).await.unwrap().unwrap();
    assert_eq!(granted.token.reveal(), "ghu_FixtureToken0000000000000000000000");
    assert!(granted.refresh_token.is_none() && granted.expires_in.is_none());
    assert!(!format!("{granted:?}").contains("ghu_"));

    let log = sign_in.log.lock().unwrap();
    let shown: String = log
        .iter()
        .map(|received| {
            let header =
                |name| received.header(name).unwrap_or("-").replace(env!("CARGO_PKG_VERSION"), "VERSION");
            let headers = ["accept", "content-type", "user-agent", "authorization"].map(header).join(" ");
            format!("{} {}\n  {headers}\n  {}\n", received.method, received.path, received.json())
        })
        .collect();
    expect![[r#"
        POST /login/device/code
          application/json application/json opal/VERSION -
          {"client_id":"Iv1.b507a08c87ecfe98","scope":"read:user"}
        POST /login/oauth/access_token
          application/json application/json opal/VERSION -
          {"client_id":"Iv1.b507a08c87ecfe98","device_code":"0f1xture5e1d0c0de0a11b22c33d44e55f66a77b8","grant_type":"urn:ietf:params:oauth:grant-type:device_code"}
        POST /login/oauth/access_token
          application/json application/json opal/VERSION -
          {"client_id":"Iv1.b507a08c87ecfe98","device_code":"0f1xture5e1d0c0de0a11b22c33d44e55f66a77b8","grant_type":"urn:ietf:params:oauth:grant-type:device_code"}
    "#]].assert_eq(&shown);
}

#[tokio::test]
async fn polls_are_never_too_early() {
    check(vec![ok(SUCCESS)], expect!["signed in with a token of 38 characters [6]"]).await;
    check(
        vec![ok(PENDING), ok(PENDING), ok(SUCCESS)],
        expect!["signed in with a token of 38 characters [6 12 18]"],
    )
    .await;
    // The new interval holds for all later polls.
    check(
        vec![ok(SLOW_DOWN), ok(PENDING), ok(SUCCESS)],
        expect!["signed in with a token of 38 characters [6 20 34]"],
    )
    .await;
    let unnamed = || refused("slow_down", "");
    check(
        vec![unnamed(), unnamed(), ok(SUCCESS)],
        expect!["signed in with a token of 38 characters [6 20 41]"],
    )
    .await;
    let own = json!({ "device_code": "secret", "user_code": "A-B", "interval": 1, "expires_in": 60 });
    check_all(
        vec![ok(own.to_string()), ok(PENDING), ok(SUCCESS)],
        expect!["signed in with a token of 38 characters [1.2 2.4]"],
    )
    .await;
    let none = json!({ "device_code": "secret", "user_code": "A-B" });
    check_all(
        vec![ok(none.to_string()), ok(SUCCESS)],
        expect!["signed in with a token of 38 characters [6]"],
    )
    .await;
    check(
        vec![Reply::new(429, "text/plain", "too many"), ok(SUCCESS)],
        expect!["signed in with a token of 38 characters [6 20]"],
    )
    .await;
    // Some say with a failing status that they wait.
    check(
        vec![Reply::json(400, PENDING), ok(SUCCESS)],
        expect!["signed in with a token of 38 characters [6 12]"],
    )
    .await;
}

#[tokio::test]
async fn every_ending_has_its_words() {
    check(
        vec![ok(recorded!("poll_expired"))],
        expect!["expired: the code expired before it was entered. Sign in again to get a new code. [6]"],
    )
    .await;
    check(
        vec![ok(recorded!("poll_denied"))],
        expect![
            "denied: the sign-in was cancelled in the browser. Sign in again if that was not intended. [6]"
        ],
    )
    .await;
    check(
        vec![ok(PENDING)],
        expect![
            "expired: the code expired before it was entered. Sign in again to get a new code. [149 polls]"
        ],
    )
    .await;
    check(vec![refused("incorrect_device_code", "The device_code is not valid.")], expect!["bad_code: 127.0.0.1 does not accept the code any more: The device_code is not valid. Sign in again to get a new code. [6]"]).await;
    check(vec![refused("bad_verification_code", "")], expect!["bad_code: 127.0.0.1 does not accept the code any more: bad_verification_code. Sign in again to get a new code. [6]"]).await;
    check(vec![refused("incorrect_client_credentials", "The client_id is not valid.")], expect!["bad_client: 127.0.0.1 does not know the client id that Opal signs in with: The client_id is not valid. Check the domain, and the client id if one is configured; an enterprise may have to allow it. [6]"]).await;
    check(vec![refused("unsupported_grant_type", "No such grant.")], expect!["refused: 127.0.0.1 refused the sign-in: No such grant. Try again in a while, and check the domain. [6]"]).await;
    check(vec![refused("device_flow_disabled", "Not for this app.")], expect!["flow_disabled: 127.0.0.1 does not allow signing in with a code: Not for this app. Check the domain, and the client id if one is configured; an enterprise may have to allow it. [6]"]).await;
    check(vec![refused("something_new", "A\u{1b}[31m new\nthing.")], expect!["refused: 127.0.0.1 refused the sign-in: A [31m new thing. Try again in a while, and check the domain. [6]"]).await;
    check(vec![refused("something_new", "")], expect!["refused: 127.0.0.1 refused the sign-in: something_new. Try again in a while, and check the domain. [6]"]).await;
    // What they repeat is masked.
    check(vec![refused("odd", "what is 0f1xture5e1d0c0de0a11b22c33d44e55f66a77b8")], expect!["refused: 127.0.0.1 refused the sign-in: what is ***. Try again in a while, and check the domain. [6]"]).await;
    check(vec![Reply::json(200, "{}")], expect!["refused: 127.0.0.1 refused the sign-in: the answer could not be read. Try again in a while, and check the domain. [6]"]).await;
}

#[tokio::test]
async fn a_network_that_comes_back_is_waited_for() {
    let page = || Reply::new(200, "text/html", "<html><title>Welcome to the hotel</title></html>");
    let busy = || Reply::new(502, "text/html", "<html><title>Unicorn!</title></html>");
    check(
        vec![lost(), busy(), page(), ok(SUCCESS)],
        expect!["signed in with a token of 38 characters [6 12 18 24]"],
    )
    .await;
    check(vec![ok(PENDING), busy()], expect!["unreachable: 127.0.0.1 could not be reached: Unicorn! (HTTP 502 Bad Gateway). Check the domain, the network and its proxy settings, and sign in again. [149 polls]"]).await;
    check(
        vec![busy(), Reply::json(503, "{}"), Reply::json(200, "null"), ok(SUCCESS)],
        expect!["signed in with a token of 38 characters [6 12 18 24]"],
    )
    .await;
}

#[tokio::test]
async fn no_code_is_given() {
    check_all(vec![refused("device_flow_disabled", "Not for this app.")], expect!["flow_disabled: 127.0.0.1 does not allow signing in with a code: Not for this app. Check the domain, and the client id if one is configured; an enterprise may have to allow it. []"]).await;
    check_all(vec![Reply::json(404, r#"{"error":"Not Found"}"#)], expect!["bad_client: 127.0.0.1 does not know the client id that Opal signs in with: Not Found. Check the domain, and the client id if one is configured; an enterprise may have to allow it. []"]).await;
    check_all(vec![Reply::new(404, "text/html", "<title>Nothing here</title>")], expect!["bad_client: 127.0.0.1 does not know the client id that Opal signs in with: Nothing here (HTTP 404 Not Found). Check the domain, and the client id if one is configured; an enterprise may have to allow it. []"]).await;
    check_all(vec![Reply::new(500, "text/plain", "oops")], expect!["unreachable: 127.0.0.1 could not be reached: oops (HTTP 500 Internal Server Error). Check the domain, the network and its proxy settings, and sign in again. []"]).await;
    check_all(vec![Reply::new(200, "text/html", "<html><title>Sign in</title></html>")], expect!["refused: 127.0.0.1 refused the sign-in: the answer could not be read. Try again in a while, and check the domain. []"]).await;
    check_all(vec![ok(r#"{"user_code":"A-B"}"#)], expect!["refused: 127.0.0.1 refused the sign-in: the answer could not be read. Try again in a while, and check the domain. []"]).await;
    check_all(vec![lost()], expect!["unreachable: 127.0.0.1 could not be reached: the connection was lost before the answer was complete: connection closed. Check the domain, the network and its proxy settings, and sign in again. []"]).await;
}

#[tokio::test]
async fn nobody_listens() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let config = CopilotConfig { github_url: Some(url.clone()), ..CopilotConfig::default() };
    let error = DeviceFlow::start(&config, &Timeouts::default()).await.unwrap_err().to_string();
    assert_eq!(
        error.replace(&url, "GITHUB"),
        "127.0.0.1 could not be reached: could not connect to GITHUB: connection refused"
    );
}

#[tokio::test]
async fn a_browser_is_started_with_nothing_but_a_web_address() {
    for (uri, shown) in [
        ("https://git.acme.example/login/device", "https://git.acme.example/login/device"),
        ("file:///etc/passwd", "/login/device"),
        ("javascript:alert(1)", "/login/device"),
        ("calc.exe", "/login/device"),
    ] {
        let code = json!({ "device_code": "d", "user_code": "u", "verification_uri": uri, "verification_uri_complete": uri });
        let sign_in = SignIn::at(vec![ok(code.to_string())]);
        let flow = sign_in.start().await.unwrap();
        assert!(flow.code().verification_uri.ends_with(shown), "{:?}", flow.code());
        assert_eq!(flow.code().verification_uri_complete.is_some(), uri == shown);
    }
}

#[tokio::test]
async fn a_token_that_expires_comes_with_its_successor() {
    let granted = json!({
        "access_token": "ghu_1", "refresh_token": "ghr_1", "expires_in": 28_800, "refresh_token_expires_in": 1,
    });
    let granted = SignIn::at(vec![ok(CODE), ok(granted.to_string())]).run().await.unwrap();
    assert_eq!(granted.refresh_token.unwrap().reveal(), "ghr_1");
    assert_eq!(granted.expires_in, Some(Duration::from_secs(28_800)));
}

#[tokio::test]
async fn dropping_a_sign_in_ends_it_at_once() {
    #[derive(Debug)]
    struct Slow;
    impl Clock for Slow {
        fn now(&self) -> Instant {
            Instant::now()
        }
        fn wall(&self) -> SystemTime {
            SystemTime::now()
        }
        fn sleep(&self, _: Duration) -> futures::future::BoxFuture<'static, ()> {
            Box::pin(std::future::pending())
        }
    }
    let sign_in = SignIn::at(vec![ok(CODE)]);
    let flow = DeviceFlow::start_at(&sign_in.config(), &Timeouts::default(), Arc::new(Slow)).await.unwrap();
    let mut waiting = Box::pin(flow.wait());
    assert!(futures::poll!(&mut waiting).is_pending());
    drop(waiting);
    assert_eq!(sign_in.server.requests(), 1);
}

/// Codes, tokens and conversations go to the configured host only.
#[tokio::test]
async fn a_redirect_is_not_followed() {
    let thief = Server::start(|_| ok(SUCCESS)).unwrap();
    let elsewhere = Reply::new(307, "text/plain", "").header("location", &thief.url());
    let error = SignIn::at(vec![elsewhere.clone()]).run().await.unwrap_err();
    assert_eq!(
        error.to_string().replace(&thief.url(), "ELSEWHERE"),
        "127.0.0.1 refused the sign-in: the address redirects to ELSEWHERE (HTTP 307)"
    );
    let sign_in = SignIn::at(vec![ok(CODE), elsewhere]);
    assert_eq!(sign_in.run().await.unwrap_err().code(), "unreachable");
    assert_eq!(thief.requests(), 0);
}
