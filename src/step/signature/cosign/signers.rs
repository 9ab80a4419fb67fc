use std::sync::Arc;

use jiff::Timestamp;

use super::{Said, Signer, StandIn, public_keys};
use crate::{
    oci::Digest,
    sign::{
        certificate::Certificate,
        cosign::{Bundle, Identity, Keyless, Refusal, SimpleSigning, Statement, TaggedSignature, hint, signed_at},
        key::PublicKey,
    },
    step::{
        FileOrSecret, StepContext, StepError,
        signature::{Clock, Demand, IdentityFields, files},
    },
};

/// Whose signatures count.
#[derive(Debug, Clone)]
pub(in crate::step) enum Signers {
    /// Who has one of these keys; where authorities for the time are named, one of them must say when.
    Keys { keys: Vec<PublicKey>, clocks: Vec<Certificate> },
    /// Who has a certificate that says that it is one of these.
    Identities(Arc<Keyless>, Vec<Identity>),
}

impl Signers {
    /// Who has that key, with the timestamps that it asks for.
    pub(in crate::step) fn of(signer: &Signer, clock: Option<&Clock>) -> Self {
        let clocks = clock.map(|clock| clock.authorities.clone()).unwrap_or_default();
        Self::Keys { keys: vec![signer.public().clone()], clocks }
    }

    /// Who has one of the keys that a step names, with what vouches for the time.
    pub(in crate::step) async fn named(cx: &StepContext, demand: &Demand) -> Result<Self, StepError> {
        let keys = public_keys(cx, demand.all_keys()).await?;
        let clocks = files::certificates(cx, &demand.timestamp_certificates).await?;
        Ok(Self::Keys { keys, clocks })
    }

    /// Who are named there, with what vouches for them.
    pub(in crate::step) async fn identities(cx: &StepContext, fields: &IdentityFields) -> Result<Self, StepError> {
        let file = FileOrSecret::File(fields.trusted_root.clone());
        let text = file.read(cx).await?;
        let fail = |problem| StepError::TrustedRoot { path: fields.trusted_root.value.clone(), problem };
        let keyless = Keyless::read(text.reveal()).map_err(fail)?;
        let one = |subject: &str, issuer: &str| Identity { subject: subject.to_owned(), issuer: issuer.to_owned() };
        let others = fields.or.iter().map(|other| one(&other.subject, &other.issuer));
        let identities = [one(&fields.subject, &fields.issuer)].into_iter().chain(others).collect();
        Ok(Self::Identities(Arc::new(keyless), identities))
    }

    /// What one of them says in that bundle about that manifest.
    pub(super) fn statement(&self, bundle: &[u8], subject: &Digest) -> Result<Said<Statement>, Refusal> {
        match self {
            Self::Keys { keys, clocks } => {
                let bundle = Bundle::read(bundle)?;
                let (statement, key) = bundle.verify(keys)?;
                statement.check_subject(subject)?;
                let time = time(key, clocks, bundle.signature(), bundle.timestamps());
                Ok(Said { statement, signer: format!("the key {}", hint(key)), time })
            }
            Self::Identities(keyless, identities) => {
                let (statement, signer, time) = keyless.verify(bundle, subject, identities)?;
                Ok(Said { statement, signer: signer.to_string(), time: Ok(time) })
            }
        }
    }

    /// The same in the older layout.
    pub(super) fn simple(&self, payload: &[u8], signed: &TaggedSignature) -> Result<Said<SimpleSigning>, Refusal> {
        match self {
            Self::Keys { keys, clocks } => {
                let (statement, key) = SimpleSigning::verify(payload, &signed.signature, keys)?;
                let time = time(key, clocks, &signed.signature, signed.timestamp.as_slice());
                Ok(Said { statement, signer: format!("the key {}", hint(key)), time })
            }
            // What vouches for its time stands beside it in other forms.
            Self::Identities(..) => {
                Err(Refusal::bad("a signature under a tag says nothing that can be verified without a key"))
            }
        }
    }
}

/// When that key signed, as one of these authorities says; nothing where none is asked. A rehearsal asks no service, so its
/// throw-away key needs no timestamp.
fn time(
    key: &PublicKey,
    clocks: &[Certificate],
    signature: &[u8],
    timestamps: &[Vec<u8>],
) -> Result<Option<Timestamp>, Refusal> {
    if clocks.is_empty() || StandIn::is(key) {
        return Ok(None);
    }
    signed_at(signature, timestamps, clocks).map(Some)
}
