use std::sync::Arc;

use crate::{
    oci::Digest,
    sign::{
        cosign::{Bundle, Identity, Keyless, Refusal, SimpleSigning, Statement, hint},
        key::PublicKey,
    },
    step::{FileOrSecret, StepContext, StepError, signature::IdentityFields},
};

/// Whose signatures count.
#[derive(Debug, Clone)]
pub(in crate::step) enum Signers {
    /// Who has one of these keys.
    Keys(Vec<PublicKey>),
    /// Who has a certificate that says so.
    Identity(Arc<Keyless>, Identity),
}

impl Signers {
    /// Who is named there, with what vouches for them.
    pub(in crate::step) async fn identity(cx: &StepContext, fields: &IdentityFields) -> Result<Self, StepError> {
        let file = FileOrSecret::File(fields.trusted_root.clone());
        let text = file.read(cx).await?;
        let fail = |problem| StepError::TrustedRoot { path: fields.trusted_root.value.clone(), problem };
        let keyless = Keyless::read(text.reveal()).map_err(fail)?;
        let identity = Identity { subject: fields.subject.clone(), issuer: fields.issuer.clone() };
        Ok(Self::Identity(Arc::new(keyless), identity))
    }

    /// What one of them says in that bundle about that manifest, and who, in words.
    pub(super) fn statement(&self, bundle: &[u8], subject: &Digest) -> Result<(Statement, String), Refusal> {
        match self {
            Self::Keys(keys) => {
                let (statement, key) = Bundle::read(bundle)?.verify(keys)?;
                statement.check_subject(subject)?;
                Ok((statement, format!("the key {}", hint(key))))
            }
            Self::Identity(keyless, identity) => {
                let statement = keyless.verify(bundle, subject, identity)?;
                Ok((statement, identity.to_string()))
            }
        }
    }

    /// The same in the older layout.
    pub(super) fn simple(&self, payload: &[u8], signature: &[u8]) -> Result<(SimpleSigning, String), Refusal> {
        match self {
            Self::Keys(keys) => {
                let (signed, key) = SimpleSigning::verify(payload, signature, keys)?;
                Ok((signed, format!("the key {}", hint(key))))
            }
            // What vouches for its time stands beside it in other forms.
            Self::Identity(..) => {
                Err(Refusal::bad("a signature under a tag says nothing that can be verified without a key"))
            }
        }
    }
}
