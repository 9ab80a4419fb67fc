use crate::sign::certificate::NameError;

/// What is wrong with a trust policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// It cannot be read.
    #[error("the trust policy cannot be read: {message}")]
    Malformed {
        /// Why.
        message: String,
    },
    /// Its version is not known.
    #[error("the trust policy has the version `{version}`: `1.0` is known")]
    Version {
        /// What stands there.
        version: String,
    },
    /// There is no policy in it.
    #[error("there is no policy in it: write one under `trustPolicies`")]
    Empty,
    /// A policy has no name, or one that stands there twice.
    #[error("the name `{name}` does not tell a policy apart: give each another one")]
    Name {
        /// What stands there.
        name: String,
    },
    /// Something within one policy.
    #[error("the policy `{name}`: {problem}")]
    Within {
        /// Which policy.
        name: String,
        /// What is wrong with it.
        problem: Box<PolicyError>,
    },
    /// It applies to nothing.
    #[error("`registryScopes` is empty: write `*` or `registry/repository`")]
    NoScopes,
    /// `*` beside others.
    #[error("`*` stands beside other scopes: it includes them all")]
    AnyAmongScopes,
    /// A scope with a wildcard in it.
    #[error("the scope `{scope}` names no repository: write `registry/repository`, or `*` alone")]
    Scope {
        /// What stands there.
        scope: String,
    },
    /// Two policies for one repository.
    #[error("the scope `{scope}` stands in two policies")]
    ScopeTwice {
        /// Which.
        scope: String,
    },
    /// No such level.
    #[error("there is no level `{level}`: write `strict`, `permissive`, `audit` or `skip`")]
    Level {
        /// What stands there.
        level: String,
    },
    /// No such check.
    #[error("`{check}` cannot be overridden: `authenticity`, `authenticTimestamp`, `expiry` and `revocation` can")]
    Override {
        /// What stands there.
        check: String,
    },
    /// `skip` looks at nothing.
    #[error("the level `skip` looks at nothing, so nothing of it can be overridden")]
    SkipOverridden,
    /// `skip` with something that it would look at.
    #[error("the level `skip` takes no trust stores and no identities")]
    SkipTrusts,
    /// Nobody would look at anything anywhere.
    #[error("the level `skip` cannot be that of the scope `*`: name the repositories")]
    SkipEverywhere,
    /// No authority is named.
    #[error("`trustStores` is empty: write `ca:NAME`")]
    NoStores,
    /// Not a trust store.
    #[error("`{store}` is not a trust store: write `ca:NAME`, `signingAuthority:NAME` or `tsa:NAME`")]
    Store {
        /// What stands there.
        store: String,
    },
    /// Nobody is named.
    #[error("`trustedIdentities` is empty: write `*`, or `x509.subject: C=…, ST=…, O=…`")]
    NoIdentities,
    /// `*` beside others.
    #[error("`*` stands beside other identities: it includes them all")]
    AnyAmongIdentities,
    /// An identity of another kind.
    #[error("`{identity}` is not an identity: write `x509.subject: C=…, ST=…, O=…`")]
    IdentityKind {
        /// What stands there.
        identity: String,
    },
    /// A name that cannot be read.
    #[error("the identity `{identity}`: {source}")]
    Identity {
        /// What stands there.
        identity: String,
        /// Why not.
        source: NameError,
    },
    /// Two identities of which one includes the other.
    #[error("the identity `{identity}` overlaps with another one")]
    IdentitiesOverlap {
        /// Which.
        identity: String,
    },
    /// When a timestamp is asked for.
    #[error("`verifyTimestamp` is `{value}`: write `always` or `afterCertExpiry`")]
    VerifyTimestamp {
        /// What stands there.
        value: String,
    },
}
