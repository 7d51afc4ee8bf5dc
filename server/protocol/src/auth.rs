//! `auth/*`: signing in to GitHub Copilot, and what each provider is used with.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::null_as_default;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuthStatusResult {
    pub providers: Vec<ProviderStatus>,
    /// Sign-ins of other programs that `auth/login` may use, if the user agrees.
    pub existing: Vec<ExistingLogin>,
}

/// What a provider is used with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProviderStatus {
    /// As in the first part of `provider/model`.
    pub provider: String,
    /// Requests can be sent.
    pub ready: bool,
    /// `sign_in`, `key` or `none`; later versions may add more.
    pub kind: String,
    /// Where the key or sign-in was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Who is signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// When what is held now runs out, in milliseconds since the epoch: the sign-in itself if it does, else
    /// what was given for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at_ms: Option<i64>,
    /// Opal renews it before then; if not, only signing in again does.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "std::ops::Not::not")]
    pub renewed: bool,
    /// The host it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// What is wrong, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A sign-in that another program left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExistingLogin {
    /// Names it in `auth/login`, together with `host`.
    pub found_in: String,
    /// The host it is for: the `domain` of `auth/login`.
    pub host: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuthLoginParams {
    /// `copilot` if absent; no other provider is signed in to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The host of an enterprise. If absent: that of `use_existing`, else the configured one, which is
    /// `github.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Uses this sign-in of `auth/status` in place of a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_existing: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuthLoginResult {
    pub status: ProviderStatus,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuthLogoutParams {
    /// `copilot` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

/// What the user has to do to sign in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeviceCodeParams {
    /// To be typed at `verification_uri`.
    pub user_code: String,
    /// `http:` or `https:`.
    pub verification_uri: String,
    /// Seconds from now.
    pub expires_in: u64,
    /// The server has asked for a browser to be opened there.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "std::ops::Not::not")]
    pub opened: bool,
}
