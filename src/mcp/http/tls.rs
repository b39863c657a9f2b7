//! TLS, from a certificate and its key in files.

use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::hint::Hint;

/// A certificate and its key, that go together.
#[derive(Clone)]
pub struct Tls {
    pub(super) acceptor: TlsAcceptor,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

/// These do not make a server that can prove who it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    #[error("there is no certificate in the file that was named for it")]
    NoCertificate,
    #[error("the certificates cannot be read")]
    Certificate(#[source] pem::Error),
    #[error("the private key cannot be read")]
    Key(#[source] pem::Error),
    #[error("the certificate and the key make no TLS server")]
    Unfit(#[source] tokio_rustls::rustls::Error),
}

impl Hint for TlsError {
    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NoCertificate | Self::Certificate(_) => {
                "Name a PEM file with the certificate first and those that signed it after it."
            }
            Self::Key(_) => "Name a PEM file with one key that has no password.",
            Self::Unfit(_) => "Name the certificate and the key that were made together.",
        };
        Some(text.into())
    }
}

impl Tls {
    /// Of the bytes of two PEM files.
    pub fn new(certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain = CertificateDer::pem_slice_iter(certificates)
            .collect::<Result<Vec<_>, _>>()
            .map_err(TlsError::Certificate)?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(TlsError::Key)?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|it| it.with_no_client_auth().with_single_cert(chain, key))
            .map_err(TlsError::Unfit)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)) })
    }
}
