//! The certificate of a server.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{
            CertificateDer, PrivateKeyDer,
            pem::{self, PemObject},
        },
    },
};

/// A certificate with its key, ready to be shown.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is not what it should be.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// There is no certificate in it.
    #[error("{}: there is no certificate in it; it takes the server's own first, then those above it, as PEM", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Certificate and key do not go together.
    #[error("the certificate cannot be used: {0}")]
    Certificate(#[from] rustls::Error),
}

impl Tls {
    /// Reads a chain of certificates and the key of the first, both as PEM.
    pub fn read(certificates: &Path, key: &Path) -> Result<Self, TlsError> {
        let fail = |path: &Path| {
            let path = path.to_owned();
            move |source| TlsError::File { path: path.clone(), source }
        };
        let chain: Result<Vec<_>, _> =
            CertificateDer::pem_file_iter(certificates).map_err(fail(certificates))?.collect();
        let chain = chain.map_err(fail(certificates))?;
        if chain.is_empty() {
            return Err(TlsError::Empty { path: certificates.to_owned() });
        }
        let key = PrivateKeyDer::from_pem_file(key).map_err(fail(key))?;
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }

    pub(super) const fn acceptor(&self) -> &TlsAcceptor {
        &self.0
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}
