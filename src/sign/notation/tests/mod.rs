//! Envelopes, policies and verdicts, on certificates that another library made.

mod envelopes;
mod policies;
mod verdicts;

use std::{collections::BTreeMap, sync::LazyLock};

use jiff::{Timestamp, ToSpan};

use super::*;
use crate::{
    oci::{Descriptor, media_type},
    sign::{
        certificate::{
            Chain, Purpose,
            testing::{Authority, Holder, Key},
        },
        key::PrivateKey,
    },
};

/// Who issues all certificates here.
static ROOT: LazyLock<Authority> = LazyLock::new(|| Authority::root("root"));
/// Who signs unless another key is needed.
static SIGNER: LazyLock<Holder> = LazyLock::new(|| ROOT.signer("signer", Key::P256));

const FORMATS: [EnvelopeFormat; 2] = [EnvelopeFormat::Jws, EnvelopeFormat::Cose];

fn subject() -> Descriptor {
    Descriptor::of(media_type::IMAGE_MANIFEST, b"{}")
}

fn chain(holder: &Holder) -> Chain {
    Chain::new(holder.certificates.clone(), Purpose::Signing).unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap()
}

fn draft(holder: &Holder, format: EnvelopeFormat) -> Draft {
    let annotations = BTreeMap::from([("build".to_owned(), "123".to_owned())]);
    Draft {
        format,
        algorithm: Algorithm::of(&chain(holder).leaf().public_key().unwrap()).unwrap(),
        scheme: SigningScheme::X509,
        signing_time: now(),
        expiry: Some(now().checked_add(1.hours()).unwrap()),
        payload: Payload::new(&subject(), &annotations).to_bytes(),
    }
}

/// The envelope of a draft, signed by `holder`.
fn seal(holder: &Holder, draft: &Draft) -> Vec<u8> {
    let key = PrivateKey::from_pem(&holder.key).unwrap();
    let signature = key.sign(draft.algorithm.scheme(), &draft.to_sign()).unwrap();
    draft.seal(&signature, &chain(holder), None)
}

fn read(format: EnvelopeFormat, bytes: &[u8]) -> Result<Envelope, String> {
    Envelope::read(format.media_type(), bytes).map_err(|error| error.to_string())
}
