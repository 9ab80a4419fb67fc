use jiff::SignedDuration;

use super::*;
use crate::sign::certificate::testing::{self_signed, signer_parameters};

/// What a signature of `holder` is worth where `root` is trusted.
fn verdict(holder: &Holder, edit: impl FnOnce(&mut Draft, &mut Trust)) -> Result<Verified, String> {
    let mut draft = draft(holder, EnvelopeFormat::Jws);
    let mut trust = Trust::in_authorities([ROOT.certificate.clone()]);
    edit(&mut draft, &mut trust);
    let envelope = read(EnvelopeFormat::Jws, &seal(holder, &draft)).unwrap();
    let annotations = BTreeMap::from([("build".to_owned(), "123".to_owned())]);
    let asked = Verification {
        subject: &subject(),
        annotations: &annotations,
        trust: &trust,
        now: now(),
        web: None,
        plugins: None,
    };
    let verdict = futures_util::FutureExt::now_or_never(asked.of(&envelope)).unwrap();
    verdict.map_err(|refusal| refusal.to_string())
}

/// Two hours before now, so that what counts for an hour is over.
fn long_ago(draft: &mut Draft) {
    draft.signing_time = now().checked_sub(SignedDuration::from_hours(2)).unwrap();
    draft.expiry = Some(now().checked_sub(SignedDuration::from_hours(1)).unwrap());
}

#[test]
fn a_signer_of_a_trusted_authority_counts() {
    let verified = verdict(&SIGNER, |_, _| {}).unwrap();
    assert_eq!(verified.signer, SIGNER.certificates[0]);
    assert_eq!(verified.warnings, Vec::<String>::new());
}

#[test]
fn nobody_else_counts() {
    let evil = Authority::root("root").signer("signer", Key::P256);
    let name = |common: &str| format!("CN={common},O=acme,ST=WA,C=US");
    let untrusted = |signer: &str, root: &str| {
        let (signer, root) = (name(signer), name(root));
        format!("the signer is not trusted: `{signer}` was certified by `{root}`, which is no trusted authority")
    };
    assert_eq!(verdict(&evil, |_, _| {}).unwrap_err(), untrusted("signer", "root"));
    let alone = self_signed(&signer_parameters("alone"));
    assert_eq!(verdict(&alone, |_, _| {}).unwrap_err(), untrusted("alone", "alone"));
    let trusted = verdict(&alone, |_, trust| *trust = Trust::in_authorities(alone.certificates.clone()));
    assert!(trusted.is_ok());
    // The certificate of a signer alone is no authority.
    let leaf = verdict(&SIGNER, |_, trust| *trust = Trust::in_authorities(SIGNER.certificates[..1].to_vec()));
    assert_eq!(leaf.unwrap_err(), untrusted("signer", "root"));
    let identity = |text: &str| Identities::parse(&[text.to_owned()]).unwrap();
    let other = verdict(&SIGNER, |_, trust| trust.identities = identity("x509.subject: C=US, ST=WA, O=acme, CN=other"));
    let message = format!("the signer is not trusted: `{}` is none of the trusted identities", name("signer"));
    assert_eq!(other.unwrap_err(), message);
    assert!(verdict(&SIGNER, |_, trust| trust.identities = identity("x509.subject: C=US, ST=WA, O=acme")).is_ok());
}

#[test]
fn an_authority_for_others_is_trusted_as_one() {
    let authority = |draft: &mut Draft| draft.scheme = SigningScheme::SigningAuthority;
    let refused = verdict(&SIGNER, |draft, _| authority(draft)).unwrap_err();
    let message = "the signer is not trusted: `CN=signer,O=acme,ST=WA,C=US` was certified by `CN=root,O=acme,ST=WA,C=US`, which is no trusted signing authority";
    assert_eq!(refused, message);
    let trusted = verdict(&SIGNER, |draft, trust| {
        authority(draft);
        trust.anchors = vec![(StoreKind::SigningAuthority, ROOT.certificate.clone())];
    });
    assert!(trusted.is_ok());
}

#[test]
fn what_has_expired_counts_only_where_that_is_only_said() {
    let expired = |level: Level| {
        verdict(&SIGNER, |draft, trust| {
            long_ago(draft);
            trust.level = level;
        })
    };
    let message = expired(Level::STRICT).unwrap_err();
    assert!(message.starts_with("expired: it counted until "), "{message}");
    for level in [Level::PERMISSIVE, Level::AUDIT] {
        assert_eq!(expired(level).unwrap().warnings, std::slice::from_ref(&message));
    }
}

#[test]
fn a_certificate_that_is_over_counts_only_where_that_is_only_said() {
    let mut parameters = signer_parameters("signer");
    parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let holder = ROOT.holder(&parameters, Key::P256);
    let message = verdict(&holder, |_, _| {}).unwrap_err();
    let start = "not valid in time: the certificate `CN=signer,O=acme,ST=WA,C=US` does not count at ";
    assert!(message.starts_with(start), "{message}");
    assert!(message.ends_with(": it is valid from 2020-01-01T00:00:00Z until 2021-01-01T00:00:00Z"), "{message}");
    let permissive = verdict(&holder, |_, trust| trust.level = Level::PERMISSIVE).unwrap();
    assert_eq!(permissive.warnings.len(), 1);
}

#[test]
fn audit_accepts_anybody_and_nothing_else() {
    let evil = Authority::root("root").signer("signer", Key::P256);
    let audited = verdict(&evil, |_, trust| trust.level = Level::AUDIT).unwrap();
    assert_eq!(audited.warnings.len(), 1);
    let other = Descriptor::of(media_type::IMAGE_MANIFEST, b"{\"other\":1}");
    let about_other = verdict(&SIGNER, |draft, trust| {
        trust.level = Level::AUDIT;
        draft.payload = Payload::new(&other, &BTreeMap::new()).to_bytes();
    });
    let message = format!("bad signature: it is about {}, not about this manifest", other.digest);
    assert_eq!(about_other.unwrap_err(), message);
}

#[test]
fn a_signature_is_about_exactly_one_manifest() {
    let edited = |edit: fn(&mut TargetArtifact)| {
        verdict(&SIGNER, |draft, _| {
            let mut payload = Payload::read(&draft.payload).unwrap();
            edit(&mut payload.target_artifact);
            draft.payload = payload.to_bytes();
        })
    };
    let foreign = format!("bad signature: it is about {}, not about this manifest", subject().digest);
    assert_eq!(edited(|it| it.size += 1).unwrap_err(), foreign);
    assert_eq!(edited(|it| it.media_type = media_type::IMAGE_INDEX.to_owned()).unwrap_err(), foreign);
    assert_eq!(
        edited(|it| drop(it.annotations.insert("build".to_owned(), "124".to_owned()))).unwrap_err(),
        "it does not say `build: 123`: it says `124`"
    );
    assert_eq!(edited(|it| it.annotations.clear()).unwrap_err(), "it does not say `build: 123`: it is silent on that");
}
