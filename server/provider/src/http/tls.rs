//! Which servers to believe.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

/// TLS as the system trusts it.
pub(super) async fn system_tls() -> Result<ClientConfig, String> {
    let read = tokio::task::spawn_blocking(|| {
        let config = tls_builder()?.with_platform_verifier().map_err(|error| error.to_string())?;
        Ok(with_protocols(config.with_no_client_auth()))
    });
    read.await.map_err(|error| error.to_string())?
}

/// TLS that trusts nobody, for where none is spoken.
pub(super) fn plain_tls() -> Result<ClientConfig, String> {
    Ok(with_protocols(tls_builder()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth()))
}

fn tls_builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, String> {
    // Named here: a default for the whole process would be a race between those who set it.
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(ring);
    builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())
}

fn with_protocols(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}
