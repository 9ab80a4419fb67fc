use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use coset::{CoseSign1, TaggedCborSerializable, cbor::value::Value as Cbor};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::sign::mutation::{mutated, mutations, soon};

#[test]
fn six_keys_sign_both_envelopes() {
    for key in Key::SIX {
        let holder = ROOT.signer("signer", key);
        for format in FORMATS {
            let draft = draft(&holder, format);
            let envelope = read(format, &seal(&holder, &draft)).unwrap();
            assert_eq!(envelope.algorithm, draft.algorithm);
            assert_eq!(envelope.chain, chain(&holder));
            assert!(envelope.payload.target_artifact.is(&subject()));
            assert_eq!(envelope.headers.expiry, draft.expiry);
            assert_eq!(envelope.headers.signing_time, draft.signing_time);
        }
    }
}

#[test]
fn other_keys_sign_nothing() {
    let holder = ROOT.signer("signer", Key::Ed25519);
    assert_eq!(Algorithm::of(&chain(&holder).leaf().public_key().unwrap()), None);
    // With the chain of a key that cannot sign, whatever the header says.
    let envelope = draft(&SIGNER, EnvelopeFormat::Jws).seal(&[0; 64], &chain(&holder), None);
    let message = "the key of `CN=signer,O=acme,ST=WA,C=US` cannot sign: RSA with 2048, 3072 or 4096 bits, P-256, P-384 or P-521 is needed";
    assert_eq!(read(EnvelopeFormat::Jws, &envelope).unwrap_err(), message);
}

const NOT_SIGNED: &str = "it was not signed by the key of `CN=signer,O=acme,ST=WA,C=US`, or was changed since";

#[test]
fn a_changed_byte_is_a_bad_signature() {
    let mut jws: Value = serde_json::from_slice(&seal(&SIGNER, &draft(&SIGNER, EnvelopeFormat::Jws))).unwrap();
    for part in ["signature", "payload"] {
        let mut changed = jws.clone();
        let mut bytes = URL_SAFE_NO_PAD.decode(changed[part].as_str().unwrap()).unwrap();
        let place = bytes.iter().rposition(u8::is_ascii_digit).unwrap_or(0);
        bytes[place] ^= 1;
        changed[part] = json!(URL_SAFE_NO_PAD.encode(bytes));
        assert_eq!(read(EnvelopeFormat::Jws, changed.to_string().as_bytes()).unwrap_err(), NOT_SIGNED, "{part}");
    }
    // ECDSA as certificates have it, not as envelopes do.
    let key = PrivateKey::from_pem(&SIGNER.key).unwrap();
    let signed = format!("{}.{}", jws["protected"].as_str().unwrap(), jws["payload"].as_str().unwrap());
    let signature = key.sign(crate::sign::key::Scheme::EcdsaDer(crate::sign::key::Hash::Sha256), signed.as_bytes());
    jws["signature"] = json!(URL_SAFE_NO_PAD.encode(signature.unwrap()));
    assert_eq!(read(EnvelopeFormat::Jws, jws.to_string().as_bytes()).unwrap_err(), NOT_SIGNED);

    let mut cose = CoseSign1::from_tagged_slice(&seal(&SIGNER, &draft(&SIGNER, EnvelopeFormat::Cose))).unwrap();
    cose.signature[7] ^= 1;
    assert_eq!(read(EnvelopeFormat::Cose, &cose.clone().to_tagged_vec().unwrap()).unwrap_err(), NOT_SIGNED);
    let untagged = coset::CborSerializable::to_vec(cose).unwrap();
    assert!(read(EnvelopeFormat::Cose, &untagged).unwrap_err().starts_with("the envelope cannot be read: "));
}

#[test]
fn the_certificates_are_those_of_the_key() {
    let other = ROOT.signer("other", Key::P256);
    let draft = draft(&SIGNER, EnvelopeFormat::Jws);
    let key = PrivateKey::from_pem(&SIGNER.key).unwrap();
    let signature = key.sign(draft.algorithm.scheme(), &draft.to_sign()).unwrap();
    let message = NOT_SIGNED.replace("signer", "other");
    assert_eq!(read(EnvelopeFormat::Jws, &draft.seal(&signature, &chain(&other), None)).unwrap_err(), message);
}

/// What comes of a JWS envelope whose headers were changed before it was signed.
fn edited(edit: impl FnOnce(&mut Value)) -> Result<Envelope, String> {
    let signed = draft(&SIGNER, EnvelopeFormat::Jws).to_sign();
    let (protected, payload) = str::from_utf8(&signed).unwrap().split_once('.').unwrap();
    let mut headers: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(protected).unwrap()).unwrap();
    edit(&mut headers);
    let protected = URL_SAFE_NO_PAD.encode(headers.to_string());
    let signed = format!("{protected}.{payload}");
    let key = PrivateKey::from_pem(&SIGNER.key).unwrap();
    let signature = key.sign(Algorithm::Es256.scheme(), signed.as_bytes()).unwrap();
    let envelope = super::super::jws::write(signed.as_bytes(), &signature, &chain(&SIGNER), None);
    read(EnvelopeFormat::Jws, &envelope)
}

#[test]
fn headers_go_together() {
    const TIME: &str = "io.cncf.notary.signingTime";
    const AUTHENTIC: &str = "io.cncf.notary.authenticSigningTime";
    let refused = |edit: fn(&mut Value)| edited(edit).unwrap_err();
    let drop = |headers: &mut Value, name: &str| drop(headers.as_object_mut().unwrap().remove(name));
    assert!(edited(|_| {}).is_ok());
    let algorithm = |said: &str| format!("it says that it is signed with `{said}`, and its key signs with `ES256`");
    assert_eq!(refused(|it| it["alg"] = json!("none")), algorithm("none"));
    assert_eq!(refused(|it| it["alg"] = json!("RS256")), algorithm("RS256"));
    assert_eq!(refused(|it| it["alg"] = json!("PS256")), algorithm("PS256"));
    assert_eq!(
        refused(|it| it["cty"] = json!("text/plain")),
        "the header `cty` is not that of a Notary Project payload"
    );
    assert_eq!(edited(|it| drop(it, TIME)).unwrap_err(), format!("the header `{TIME}` is missing"));
    assert_eq!(edited(|it| drop(it, "crit")).unwrap_err(), "the header `crit` is missing");
    let not_critical = |name: &str| format!("the header `io.cncf.notary.{name}` is not listed as critical");
    assert_eq!(refused(|it| it["crit"] = json!(["io.cncf.notary.expiry"])), not_critical("signingScheme"));
    assert_eq!(refused(|it| it["crit"] = json!(["io.cncf.notary.signingScheme"])), not_critical("expiry"));
    assert_eq!(
        refused(|it| it["io.cncf.notary.expiry"] = it["io.cncf.notary.signingTime"].clone()),
        "it expires before it was made"
    );
    assert_eq!(
        refused(|it| it["io.cncf.notary.signingTime"] = json!("yesterday")),
        format!("the header `{TIME}` is not a time as RFC 3339 has it")
    );
    assert_eq!(
        refused(|it| it["io.cncf.notary.signingScheme"] = json!("notary.x510")),
        "the header `io.cncf.notary.signingScheme` names a scheme that is not known"
    );
    assert_eq!(
        refused(|it| it["io.cncf.notary.authenticSigningTime"] = json!("2026-01-01T00:00:00Z")),
        format!("the header `{AUTHENTIC}` does not belong to its signing scheme")
    );
    let crit = |it: &mut Value, name: &str| it["crit"].as_array_mut().unwrap().push(json!(name));
    // notation lets this pass.
    let unknown = edited(|it| {
        crit(it, "io.example.extra");
        it["io.example.extra"] = json!("x");
    });
    let message =
        "the critical attribute `io.example.extra` is not understood, and no verification plugin is named for it";
    assert_eq!(unknown.unwrap_err(), message);
    let absent = edited(|it| crit(it, "io.example.extra")).unwrap_err();
    assert_eq!(absent, "the header `io.example.extra` is listed as critical, and is missing");
    let plugin = "io.cncf.notary.verificationPlugin";
    let message = format!("the header `{plugin}` is not listed as critical");
    assert_eq!(edited(|it| it[plugin] = json!("acme")).unwrap_err(), message);
    let with_plugin = edited(|it| {
        crit(it, plugin);
        it[plugin] = json!("acme");
        crit(it, "io.example.extra");
        it["io.example.extra"] = json!("x");
    });
    let headers = with_plugin.unwrap().headers;
    assert_eq!(headers.plugin, Some(("acme".to_owned(), None)));
    assert_eq!(headers.extended, BTreeMap::from([("io.example.extra".to_owned(), json!("x"))]));
}

#[test]
fn a_time_in_cbor_is_tagged() {
    let holder = &*SIGNER;
    let mut cose = CoseSign1::from_tagged_slice(&seal(holder, &draft(holder, EnvelopeFormat::Cose))).unwrap();
    cose.protected.original_data = None;
    for (_, value) in &mut cose.protected.header.rest {
        if let Cbor::Tag(1, inner) = value {
            *value = (**inner).clone();
        }
    }
    let message = "the header `io.cncf.notary.signingTime` is not a time: a tagged number of seconds since 1970";
    assert_eq!(read(EnvelopeFormat::Cose, &cose.to_tagged_vec().unwrap()).unwrap_err(), message);
}

#[test]
fn an_envelope_says_what_it_is() {
    let message = "an envelope of type `text/plain` is not known: `application/jose+json` and `application/cose` are";
    assert_eq!(Envelope::read("text/plain", b"").unwrap_err().to_string(), message);
}

static WHOLE: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| FORMATS.map(|format| seal(&SIGNER, &draft(&SIGNER, format))));

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_changed_envelope_says_nothing_else(format in 0_usize..2, changes in mutations()) {
        let bytes = mutated(&WHOLE[format], &changes);
        // What is not covered by the signature may change; what is covered may not.
        if let Ok(envelope) = soon(|| read(FORMATS[format], &bytes)) {
            prop_assert!(envelope.payload.target_artifact.is(&subject()));
            prop_assert_eq!(envelope.chain, chain(&SIGNER));
        }
    }

    /// Within the text: what the base64 stands for is changed, and is base64 again.
    #[test]
    fn a_changed_part_of_an_envelope_says_nothing_else(part in 0_usize..5, changes in mutations()) {
        let mut jws: Value = serde_json::from_slice(&WHOLE[0]).unwrap();
        let (place, engine) = match part {
            0 => (&mut jws["payload"], &URL_SAFE_NO_PAD),
            1 => (&mut jws["protected"], &URL_SAFE_NO_PAD),
            2 => (&mut jws["signature"], &URL_SAFE_NO_PAD),
            part => (&mut jws["header"]["x5c"][part - 3], &STANDARD),
        };
        let before = engine.decode(place.as_str().unwrap()).unwrap();
        let after = mutated(&before, &changes);
        *place = engine.encode(&after).into();
        let is_read = soon(|| read(EnvelopeFormat::Jws, jws.to_string().as_bytes())).is_ok();
        prop_assert_eq!(is_read, before == after);
    }

    #[test]
    fn no_bytes_break_the_reader(format in 0_usize..2, bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        prop_assert!(read(FORMATS[format], &bytes).is_err());
    }

    #[test]
    fn depth_is_bounded(depth in 1000_usize..50_000) {
        // Nested arrays, maps and tags.
        for byte in [0x81, 0xa1, 0xc1] {
            let mut bytes = vec![0xd2, 0x84];
            bytes.extend(std::iter::repeat_n(byte, depth));
            prop_assert!(read(EnvelopeFormat::Cose, &bytes).is_err());
        }
        let json = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        prop_assert!(read(EnvelopeFormat::Jws, json.as_bytes()).is_err());
    }
}
