use super::{Htpasswd, Tls};

/// What a server does, and for whom.
#[derive(Debug)]
pub struct ServeOptions {
    /// Nothing can be written.
    pub read_only: bool,
    /// Whether it has the referrers API. Without, it stands in for a registry that knows the referrers tag schema only.
    pub referrers: bool,
    /// The largest blob that is taken, in bytes.
    pub max_blob_size: u64,
    /// Who may ask; without it, everybody.
    pub users: Option<Htpasswd>,
    /// The certificate; without it, plain HTTP.
    pub tls: Option<Tls>,
}

impl Default for ServeOptions {
    /// Everybody may do everything, in plain HTTP.
    fn default() -> Self {
        Self { read_only: false, referrers: true, max_blob_size: u64::MAX, users: None, tls: None }
    }
}
