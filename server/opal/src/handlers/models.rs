//! `models/list` and `auth/*`.

use futures::future::join;
use protocol::{
    AuthLoginParams, AuthLoginResult, AuthLogoutParams, AuthStatusResult, DeviceCodeParams, ExistingLogin,
    ModelsEnableParams, ModelsListParams, ModelsListResult, NoParams, Notification as _, ProviderProblem,
    ProviderStatus, SessionDone, methods,
};
use provider::{DeviceCode, ProviderError};
use serde_json::{Value, json};
use tower_lsp::jsonrpc::{Error, Result};

use super::{Backend, decode};
use crate::auth::{COPILOT, LoginError, Wanted};
use crate::causes::chain;
use crate::models::Offer;
use crate::{errors, to_proto};

impl Backend {
    pub(super) async fn models_list(&self, params: Value) -> Result<ModelsListResult> {
        let params: ModelsListParams = decode(params)?;
        let (models, settings) = (self.server.models(), self.server.settings());
        let offers = models.offers(settings, params.provider.as_deref()).await;
        let mut list = ModelsListResult {
            models: Vec::new(),
            default_model: models.default_name(settings).await.ok(),
            problems: Vec::new(),
        };
        for Offer { provider, models } in offers {
            match models {
                Ok(offered) => {
                    list.models.extend(offered.into_iter().map(|info| to_proto::model(&provider, info)));
                }
                Err(error) => list.problems.push(ProviderProblem {
                    hint: Some(error.hint().to_owned()),
                    message: to_proto::lines(&chain(&error)),
                    provider,
                }),
            }
        }
        Ok(list)
    }

    pub(super) async fn models_enable(&self, params: Value) -> Result<SessionDone> {
        let params: ModelsEnableParams = decode(params)?;
        let models = self.server.models();
        let model = params.model.split_once('/').filter(|(provider, _)| *provider == COPILOT);
        let Some((_, model)) = model.filter(|_| !self.server.settings().has_provider(COPILOT)) else {
            return Err(Error::invalid_params(
                "model: only those of copilot have terms, as in copilot/gpt-5",
            ));
        };
        models.auth.enable(model).await.map_err(errors::provider)?;
        models.forget(COPILOT);
        Ok(SessionDone { ok: true })
    }

    pub(super) async fn auth_status(&self, params: Value) -> Result<AuthStatusResult> {
        let NoParams {} = decode(params)?;
        let settings = self.server.settings();
        let mut providers = vec![self.copilot_status().await];
        providers.extend(settings.provider_names().map(|name| {
            let status = settings.key_status(name);
            let problem = (!status.ready).then(|| "the key is not there".to_owned());
            let kind = if status.source.is_some() { "key" } else { "none" };
            ProviderStatus { ready: status.ready, source: status.source, problem, ..nobody(name, kind) }
        }));
        let existing = self.server.models().auth.existing().await;
        let existing = existing
            .into_iter()
            .map(|found| ExistingLogin {
                found_in: found.found_in,
                host: found.domain.to_string(),
                account: found.user.as_deref().map(to_proto::line),
            })
            .collect();
        Ok(AuthStatusResult { providers, existing })
    }

    pub(super) async fn auth_login(&self, params: Value) -> Result<AuthLoginResult> {
        let params: AuthLoginParams = decode(params)?;
        only_copilot(params.provider.as_deref())?;
        let models = self.server.models();
        let wanted = Wanted { domain: params.domain, existing: params.use_existing };
        let signing_in = models.auth.sign_in(wanted, |code| self.show(code));
        // Nobody is left who could enter the code.
        let signed_in = self.connection.stop.run_until_cancelled(signing_in).await;
        signed_in.unwrap_or(Err(LoginError::Gone)).map_err(errors::login)?;
        models.forget(COPILOT);
        Ok(AuthLoginResult { status: self.copilot_status().await })
    }

    pub(super) async fn auth_logout(&self, params: Value) -> Result<SessionDone> {
        let params: AuthLogoutParams = decode(params)?;
        only_copilot(params.provider.as_deref())?;
        let models = self.server.models();
        models.auth.sign_out().await.map_err(errors::credentials)?;
        models.forget(COPILOT);
        Ok(SessionDone { ok: true })
    }

    /// Tells the user what to do, and opens the page where the client can.
    fn show(&self, code: &DeviceCode) {
        let address = code.verification_uri_complete.as_ref().unwrap_or(&code.verification_uri);
        let opened = self.connection.profile().show_document;
        let params = DeviceCodeParams {
            user_code: to_proto::line(&code.user_code),
            verification_uri: to_proto::line(&code.verification_uri),
            expires_in: code.expires_in.as_secs(),
            opened,
        };
        self.connection.editor.notify(methods::DeviceCode::METHOD, &params);
        if opened {
            let call = self
                .connection
                .editor
                .call("window/showDocument", &json!({"uri": address, "external": true, "takeFocus": true}));
            // Whether it worked makes no difference: the address was told.
            self.server.tasks().spawn(async move { drop(call.await) });
        }
    }

    async fn copilot_status(&self) -> ProviderStatus {
        let auth = &self.server.models().auth;
        let who = match auth.who().await {
            Ok(Some(who)) => who,
            Ok(None) => return nobody(COPILOT, "sign_in"),
            Err(error) => {
                let problem = to_proto::lines(&format!("{}. {}", chain(&error), error.hint()));
                return ProviderStatus { problem: Some(problem), ..nobody(COPILOT, "sign_in") };
            }
        };
        let status = ProviderStatus {
            ready: true,
            source: Some(who.source.into()),
            account: who.account,
            host: Some(who.domain.to_string()),
            ..nobody(COPILOT, "sign_in")
        };
        let (account, expires) = join(auth.account(), auth.expires()).await;
        let (plan, account, refused) = match account {
            Ok(Some(Ok(account))) => (to_proto::plan(&account), account.login, None),
            Ok(Some(Err(error))) => (None, None, Some(error)),
            _ => (None, None, None),
        };
        let (runs_out, refused) = match expires {
            Ok(expires) => (expires, refused),
            Err(error) => (None, refused.or(Some(error))),
        };
        // The sign-in itself, if it does; else what was given for it, which is had anew.
        let expires = who.expires.or(runs_out.map(|at| (at, true)));
        let status = ProviderStatus {
            plan,
            account: account.or(status.account).as_deref().map(to_proto::line),
            expires_at_ms: expires.and_then(|(at, _)| to_proto::time(at)),
            renewed: expires.is_some_and(|(_, renewed)| renewed),
            ..status
        };
        match refused {
            Some(error) => {
                let hint = error.hint().unwrap_or("Try again in a while.");
                let is_final =
                    matches!(error, ProviderError::SignInAgain { .. } | ProviderError::NotEntitled { .. });
                let problem = to_proto::lines(&format!("{error}. {hint}"));
                ProviderStatus { ready: !is_final, problem: Some(problem), ..status }
            }
            None => status,
        }
    }
}

fn nobody(provider: &str, kind: &str) -> ProviderStatus {
    ProviderStatus {
        provider: provider.into(),
        ready: false,
        kind: kind.into(),
        source: None,
        account: None,
        plan: None,
        expires_at_ms: None,
        renewed: false,
        host: None,
        problem: None,
    }
}

fn only_copilot(provider: Option<&str>) -> Result<()> {
    match provider {
        None | Some(COPILOT) => Ok(()),
        Some(other) => Err(Error::invalid_params(format!(
            "provider: {other} is not signed in to; its key is named in the configuration"
        ))),
    }
}
