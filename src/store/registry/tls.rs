use std::{
    fmt, fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use reqwest::{Certificate, ClientBuilder, Identity};

/// Who one registry must be, and who it sees, over HTTPS.
#[derive(Clone, Default)]
pub struct Tls {
    /// Trusted beside those that the system trusts.
    roots: Vec<Certificate>,
    identity: Option<Identity>,
    is_unverified: bool,
}

/// Why the files of a registry's HTTPS cannot be used. It never holds what stands in them.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// It is not there, or not for us.
    #[error("`{}` cannot be read: {error}", path.display())]
    File {
        /// Absolute.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// It is no certificate.
    #[error("`{}` holds no certificate: it takes one or more in PEM, each beginning with `-----BEGIN CERTIFICATE-----`", path.display())]
    Certificate {
        /// Absolute.
        path: PathBuf,
    },
    /// Certificate and key are no pair, or one of them is something else.
    #[error("`{}` and `{}` are not a certificate and its key, both in PEM, the key without a password", certificate.display(), key.display())]
    Identity {
        /// Absolute.
        certificate: PathBuf,
        /// Absolute.
        key: PathBuf,
    },
}

/// A certificate of the system's own or a registry's own may stand in a chain; a bundle has some hundreds.
const LONGEST: u64 = 4 * 1024 * 1024;

impl Tls {
    /// The same, trusting the certificates in this file too.
    pub fn with_roots(mut self, path: &Path) -> Result<Self, TlsError> {
        let pem = read(path)?;
        let fail = || TlsError::Certificate { path: path.to_owned() };
        let roots = Certificate::from_pem_bundle(&pem).map_err(|_| fail())?;
        if roots.is_empty() {
            return Err(fail());
        }
        // What is PEM and no certificate would be found only when a connection is made.
        let builder = reqwest::Client::builder().tls_certs_only(roots.clone());
        builder.build().map_err(|_| fail())?;
        self.roots.extend(roots);
        Ok(self)
    }

    /// The same, showing this certificate (with those that it needs behind it) where the registry asks for one.
    pub fn with_identity(self, certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let mut pem = read(key)?;
        pem.push(b'\n');
        pem.extend(read(certificate)?);
        let fail = || TlsError::Identity { certificate: certificate.to_owned(), key: key.to_owned() };
        let identity = Identity::from_pem(&pem).map_err(|_| fail())?;
        let builder = reqwest::Client::builder().tls_certs_only([]).identity(identity.clone());
        builder.build().map_err(|_| fail())?;
        Ok(Self { identity: Some(identity), ..self })
    }

    /// The same, believing whoever answers.
    pub fn unverified(self) -> Self {
        Self { is_unverified: true, ..self }
    }

    /// Whether whoever answers is believed.
    pub const fn is_unverified(&self) -> bool {
        self.is_unverified
    }

    /// Whether it is as for any registry.
    pub fn is_plain(&self) -> bool {
        self.roots.is_empty() && self.identity.is_none() && !self.is_unverified
    }

    /// For connections to the registry itself.
    pub(super) fn apply(&self, builder: ClientBuilder) -> ClientBuilder {
        let builder = self.apply_elsewhere(builder).tls_danger_accept_invalid_certs(self.is_unverified);
        match &self.identity {
            Some(identity) => builder.identity(identity.clone()),
            None => builder,
        }
    }

    /// For connections to where the registry points: its token service and its storage may be of the same house, but they
    /// do not see the client's certificate, and must prove who they are.
    pub(super) fn apply_elsewhere(&self, builder: ClientBuilder) -> ClientBuilder {
        if self.roots.is_empty() { builder } else { builder.tls_certs_merge(self.roots.iter().cloned()) }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("roots", &self.roots.len())
            .field("has_identity", &self.identity.is_some())
            .field("is_unverified", &self.is_unverified)
            .finish()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let fail = |error| TlsError::File { path: path.to_owned(), error };
    let mut bytes = Vec::new();
    // Its size says nothing where it is a device or a pipe.
    fs::File::open(path).map_err(fail)?.take(LONGEST + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > LONGEST {
        return Err(fail(io::ErrorKind::FileTooLarge.into()));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
