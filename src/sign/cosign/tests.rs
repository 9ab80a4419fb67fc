use std::{collections::BTreeMap, sync::LazyLock};

use base64::{Engine, engine::general_purpose::STANDARD};
use proptest::prelude::*;
use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, SignatureAlgorithm,
};
use serde_json::{Value, json};

use super::*;
use crate::{
    oci::{Descriptor, Digest, ImageManifest, Manifest},
    secret::Secret,
    sign::{
        key::{Hash, PrivateKey, PublicKey, Scheme},
        mutation::{mutated, mutations, soon},
    },
};

/// Made by cosign 3.1.1 for this test alone: it opens nothing.
const SEALED: &str = "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----
eyJrZGYiOnsibmFtZSI6InNjcnlwdCIsInBhcmFtcyI6eyJOIjo2NTUzNiwiciI6
OCwicCI6MX0sInNhbHQiOiJOZlhkUitESlgzMUtCNU90QXFvSGlBK2w1NjFWN0tH
YUxPWVNhL1d2dWo4PSJ9LCJjaXBoZXIiOnsibmFtZSI6Im5hY2wvc2VjcmV0Ym94
Iiwibm9uY2UiOiJaOWlrWCsrOGE4MHREQ0NrMUY0MWQrNXFBTDR5cjQ0SCJ9LCJj
aXBoZXJ0ZXh0IjoiWGl2U1l1TDAzeCtJUWo5cTdjcS9SVmZiaFkyMTZZWUtzUUdy
aWpQdFp1dm9Sa0ZPS3dRTWI2MlVpem8vTHNDZmFXTXdUc1pPNlc3Zm9raFVyV0ZX
U3ZNM1U3cC9zdDdXU1I1emtJci8zdmc1KzkxSjhsTFBRdzBIZFJJZEFaZmJ0ckR6
YU8rRmt2K3hvNG4rM3pYY1lNMEM0MzJOMzRjbUxKUURhZDVCUEhWUTRqTDR1OTJ5
YjhMaEVCZE9IS0psdVpTei9tdXBTbWIxa3c9PSJ9
-----END ENCRYPTED SIGSTORE PRIVATE KEY-----
";
const SEALED_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEL0vk4lSA7fGS7ljxfC2fT9IcHrOc
AKICJm2sk5D498KE99ygQwTeufx/G0pXVSc2N4yGv4sFKOPfYH8XUW7tkw==
-----END PUBLIC KEY-----
";

fn key(algorithm: &'static SignatureAlgorithm) -> PrivateKey {
    PrivateKey::from_pem(&KeyPair::generate_for(algorithm).unwrap().serialize_pem()).unwrap()
}

fn public(key: &PrivateKey) -> Vec<PublicKey> {
    vec![key.public().clone()]
}

fn subject() -> Digest {
    Digest::sha256(b"subject")
}

fn annotations() -> BTreeMap<String, String> {
    BTreeMap::from([("env".to_owned(), "prod".to_owned())])
}

fn signed(key: &PrivateKey) -> Bundle {
    Bundle::sign(&Statement::signature(&subject(), &annotations()), key).unwrap()
}

/// Why the bundle with this changed does not count for that key.
fn refused(key: &PrivateKey, change: impl FnOnce(&mut Value)) -> String {
    let mut wire: Value = serde_json::from_slice(&signed(key).to_bytes()).unwrap();
    change(&mut wire);
    let read = Bundle::read(wire.to_string().as_bytes());
    let verified = read.and_then(|bundle| bundle.verify(&public(key)).map(|(statement, _)| statement));
    verified.and_then(|statement| statement.check_subject(&subject()).cloned()).unwrap_err().to_string()
}

#[test]
fn what_a_key_signs_it_verifies_and_the_bundle_is_as_cosign_writes_it() {
    for algorithm in [&PKCS_ECDSA_P256_SHA256, &PKCS_ED25519, &PKCS_RSA_SHA256] {
        let key = key(algorithm);
        let bytes = signed(&key).with_timestamp(b"time".to_vec()).to_bytes();
        let bundle = Bundle::read(&bytes).unwrap();
        assert_eq!((bundle.to_bytes(), bundle.timestamps()), (bytes.clone(), &[b"time".to_vec()][..]));
        let keys = public(&key);
        let (statement, signer) = bundle.verify(&keys).unwrap();
        assert_eq!(statement.check_subject(&subject()).unwrap(), &annotations());
        assert_eq!((statement.predicate_type(), signer), (PredicateType::SIGNATURE, key.public()));
        let wire: Value = serde_json::from_slice(&bytes).unwrap();
        let payload = STANDARD.decode(wire["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap();
        let expected = format!(
            r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"digest":{{"sha256":"{}"}},"annotations":{{"env":"prod"}}}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{{}}}}"#,
            subject().hex()
        );
        assert_eq!(String::from_utf8(payload).unwrap(), expected);
        let hint = STANDARD.encode(Hash::Sha256.of(key.public().spki_der()));
        assert_eq!(wire["verificationMaterial"]["publicKey"]["hint"], hint);
    }
}

#[test]
fn every_change_of_a_bundle_is_refused_with_its_reason() {
    let key = key(&PKCS_ECDSA_P256_SHA256);
    let broken = "bad signature: it is not that of its key, or what was signed has changed since";
    let flip = |wire: &mut Value, member: &str| {
        let place = if member == "sig" {
            &mut wire["dsseEnvelope"]["signatures"][0]["sig"]
        } else {
            &mut wire["dsseEnvelope"]["payload"]
        };
        let mut bytes = STANDARD.decode(place.as_str().unwrap()).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        *place = STANDARD.encode(bytes).into();
    };
    assert_eq!(refused(&key, |wire| flip(wire, "sig")), broken);
    assert_eq!(refused(&key, |wire| flip(wire, "payload")), broken);
    let rows: [(&str, Value, &str); 6] = [
        ("/mediaType", json!("text/plain"), "bad signature: `text/plain` is no version of a bundle"),
        (
            "/dsseEnvelope/payloadType",
            json!("a/b"),
            "bad signature: its payload is `a/b`, not `application/vnd.in-toto+json`",
        ),
        ("/dsseEnvelope/signatures", json!([]), "bad signature: the bundle has 0 signatures, where one is"),
        ("/dsseEnvelope/signatures/0/keyid", json!("k"), "bad signature: its signature names a key in `keyid`"),
        ("/dsseEnvelope/payload", json!("*"), "bad signature: its payload is not base64"),
        (
            "/messageSignature",
            json!({}),
            "bad signature: the bundle signs a file, not a manifest: it has no `dsseEnvelope` alone",
        ),
    ];
    for (place, value, reason) in rows {
        let change = |wire: &mut Value| {
            if let Some(member) = wire.pointer_mut(place) {
                *member = value;
            } else {
                let (parent, name) = place.rsplit_once('/').unwrap();
                wire.pointer_mut(parent).unwrap()[name] = value;
            }
        };
        assert_eq!(refused(&key, change), reason, "{place}");
    }
    // A statement of another type, signed well.
    let sign = |text: String| {
        let signature =
            key.sign(Scheme::EcdsaDer(Hash::Sha256), &dsse::encode(dsse::IN_TOTO, text.as_bytes())).unwrap();
        move |wire: &mut Value| {
            wire["dsseEnvelope"]["payload"] = STANDARD.encode(text).into();
            wire["dsseEnvelope"]["signatures"][0]["sig"] = STANDARD.encode(signature).into();
        }
    };
    let reason = refused(&key, sign(r#"{"_type":"x","subject":[],"predicateType":"y"}"#.to_owned()));
    assert_eq!(reason, "bad signature: what was signed is of type `x`, not an in-toto statement");
    let other = format!(
        r#"{{"_type":"https://in-toto.io/Statement/v0.1","subject":[{{"name":"r/a","digest":{{"sha256":"{}"}}}}],"predicateType":"y"}}"#,
        Digest::sha256(b"other").hex()
    );
    let reason = refused(&key, sign(other));
    assert_eq!(reason, format!("bad signature: it is about {}, not about this manifest", Digest::sha256(b"other")));
}

#[test]
fn a_stranger_is_told_from_a_broken_signature() {
    let (ours, theirs) = (key(&PKCS_ECDSA_P256_SHA256), key(&PKCS_ECDSA_P256_SHA256));
    let hint = bundle::hint(theirs.public());
    let error = signed(&theirs).verify(&public(&ours)).unwrap_err().to_string();
    assert_eq!(error, format!("the signer is not trusted: the key `{hint}` made it, which is none of the keys"));
    // Any of several keys will do, and says so.
    let keys = [ours.public().clone(), theirs.public().clone()];
    assert_eq!(signed(&theirs).verify(&keys).unwrap().1, theirs.public());
}

#[test]
fn the_larger_curves_do_not_sign_and_verify_with_both_of_their_hashes() {
    let key = key(&PKCS_ECDSA_P384_SHA384);
    let statement = Statement::signature(&subject(), &BTreeMap::new());
    assert!(Bundle::sign(&statement, &key).is_err());
    // As `cosign sign` does with such a key.
    let payload = statement.to_bytes();
    let signature = key.sign(Scheme::EcdsaDer(Hash::Sha384), &dsse::encode(dsse::IN_TOTO, &payload)).unwrap();
    let wire = json!({
        "mediaType": Bundle::MEDIA_TYPE,
        "verificationMaterial": {},
        "dsseEnvelope": { "payload": STANDARD.encode(&payload), "payloadType": dsse::IN_TOTO, "signatures": [{ "sig": STANDARD.encode(signature) }] },
    });
    let bundle = Bundle::read(wire.to_string().as_bytes()).unwrap();
    assert_eq!(bundle.verify(&public(&key)).unwrap().0, statement);
}

#[test]
fn the_older_layout_is_written_and_read() {
    let key = key(&PKCS_ECDSA_P256_SHA256);
    let payload = SimpleSigning::new("r.io/app", &subject(), &annotations()).to_bytes();
    let expected = format!(
        r#"{{"critical":{{"identity":{{"docker-reference":"r.io/app"}},"image":{{"docker-manifest-digest":"{}"}},"type":"cosign container image signature"}},"optional":{{"env":"prod"}}}}"#,
        subject()
    );
    assert_eq!(String::from_utf8(payload.clone()).unwrap(), expected);
    let signature = SimpleSigning::sign(&payload, &key).unwrap();
    let (manifest, config) = SignatureImage::default().with(&payload, &signature, Some(b"time")).write().unwrap();
    assert_eq!(manifest.as_image().unwrap().config.digest, Digest::sha256(&config));
    let image = SignatureImage::read(&manifest).unwrap();
    let found: Vec<_> = image.signatures().map(|(_, found)| found.unwrap()).collect();
    assert_eq!((found.len(), &found[0].signature), (1, &signature));
    assert_eq!(found[0].timestamp.as_deref(), Some(&b"time"[..]));
    let layer = &manifest.as_image().unwrap().layers[0];
    assert_eq!(layer.annotations["dev.sigstore.cosign/rfc3161timestamp"], r#"{"SignedRFC3161Timestamp":"dGltZQ=="}"#);
    let keys = public(&key);
    let (signed, _) = SimpleSigning::verify(&payload, &found[0].signature, &keys).unwrap();
    signed.check_subject(&subject()).unwrap();
    assert_eq!((signed.made_for(), signed.annotations()), ("r.io/app", annotations()));
    assert!(signed.check_subject(&Digest::sha256(b"other")).is_err());
    assert!(SimpleSigning::verify(b"{}", &signature, &keys).is_err());
    assert_eq!(image.without(&found).signatures().count(), 0);
    let tag = format!("sha256-{}.sig", subject().hex());
    assert_eq!(SignatureImage::tag(&subject()).unwrap().as_str(), tag);
}

#[test]
fn a_manifest_with_a_bundle_is_told_from_others() {
    let about = Descriptor::of("application/vnd.oci.image.manifest.v1+json", b"subject");
    let bundle = b"{}";
    let manifest =
        BundleManifest::write(&about, bundle, PredicateType::SIGNATURE, "2026-01-01T00:00:00Z".to_owned()).unwrap();
    let listed = manifest.referrer_descriptor();
    assert!(BundleManifest::may_be(&listed) && BundleManifest::may_be(&about));
    assert_eq!(BundleManifest::read(&manifest, &about).unwrap().unwrap().digest, Digest::sha256(bundle));
    let other = Descriptor::of(about.media_type.clone(), b"other");
    let error = BundleManifest::read(&manifest, &other).unwrap().unwrap_err().to_string();
    assert!(error.contains("not about this manifest"), "{error}");
    let mut two = manifest.as_image().unwrap().clone();
    two.layers.push(two.layers[0].clone());
    let two = Manifest::from_image(two).unwrap();
    let error = BundleManifest::read(&two, &about).unwrap().unwrap_err().to_string();
    assert_eq!(error, "bad signature: its manifest has 2 layers, where one is the bundle");
    let sbom = Manifest::from_image(ImageManifest::new(Descriptor::empty())).unwrap();
    assert!(BundleManifest::read(&sbom, &about).is_none());
}

#[test]
fn a_key_file_of_cosign_opens_with_its_password_alone() {
    assert!(KeyFile::is(SEALED) && !KeyFile::is(SEALED_PUBLIC));
    let key = KeyFile::open(SEALED, &Secret::new("test123")).unwrap();
    assert_eq!(key.public(), &PublicKey::from_pem(SEALED_PUBLIC).unwrap());
    assert_eq!(KeyFile::open(SEALED, &Secret::new("test124")).unwrap_err(), KeyFileError::Password);
}

#[test]
fn a_key_file_cannot_ask_for_more_work_than_cosign_does() {
    let (_, json) = der::pem::decode_vec(SEALED.trim().as_bytes()).unwrap();
    let mut sealed: Value = serde_json::from_slice(&json).unwrap();
    sealed["kdf"]["params"]["N"] = json!(1_u64 << 40);
    let text = der::pem::encode_string(
        "ENCRYPTED COSIGN PRIVATE KEY",
        der::pem::LineEnding::LF,
        sealed.to_string().as_bytes(),
    );
    let error = KeyFile::open(&text.unwrap(), &Secret::new("test123")).unwrap_err();
    assert_eq!(error, KeyFileError::Work { n: 1 << 40, r: 8, p: 1 });
}

#[test]
fn a_new_key_is_sealed_as_cosign_seals_it() {
    let der = PrivateKey::new_pkcs8().unwrap();
    let key = PrivateKey::from_pkcs8_der(&der).unwrap();
    let password = Secret::new("test123");
    let text = KeyFile::seal(&der, &password).unwrap();
    assert!(KeyFile::is(&text) && text.lines().all(|line| line.len() <= 64), "{text}");
    assert_eq!(KeyFile::open(&text, &password).unwrap().public(), key.public());
    assert_eq!(KeyFile::open(&text, &Secret::new("")).unwrap_err(), KeyFileError::Password);
    let (_, json) = der::pem::decode_vec(text.as_bytes()).unwrap();
    let sealed: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(sealed["kdf"]["params"], json!({ "N": 65536, "r": 8, "p": 1 }));
    // Neither the salt nor the nonce is used again.
    assert_ne!(KeyFile::seal(&der, &password).unwrap(), text);
    assert_eq!(PublicKey::from_pem(&key.public().to_pem()).as_ref(), Ok(key.public()));
}

#[test]
fn predicate_types_have_short_names() {
    assert_eq!(PredicateType::parse("spdxjson").unwrap().as_str(), PredicateType::SPDX);
    assert_eq!(PredicateType::parse("https://example.com/p/v1").unwrap().as_str(), "https://example.com/p/v1");
    let error = PredicateType::parse("sbom").unwrap_err();
    assert!(error.starts_with("`sbom` is no predicate type: write a URI, or one of custom, cyclonedx, "), "{error}");
}

/// Bundles about [`subject`] that openssl made and cosign 3.1.1 has accepted, with the roots that `cosign trusted-root create`
/// wrote for them: by an entry of Rekor v1; and by one of v2 with a timestamp. A log has seen both certificates.
const KEYLESS: [[&str; 2]; 2] = [
    [include_str!("fixtures/trusted-root-v1.json"), include_str!("fixtures/keyless-v1.json")],
    [include_str!("fixtures/trusted-root-v2.json"), include_str!("fixtures/keyless-v2.json")],
];

fn signer() -> Identity {
    Identity { subject: "dev@consign.example".to_owned(), issuer: "https://issuer.example".to_owned() }
}

#[test]
fn what_was_signed_without_a_key_that_is_kept_counts_for_its_signer_alone() {
    for [root, bundle] in KEYLESS {
        let keyless = Keyless::read(root).unwrap();
        let verify = |bundle: &str, identity: &Identity| {
            let both = [Identity { subject: "nobody".to_owned(), ..signer() }, identity.clone()];
            let verified = keyless.verify(bundle.as_bytes(), &subject(), &both);
            verified
                .map(|(statement, found, time)| {
                    (statement.predicate_type().to_owned(), found == identity, time.is_some())
                })
                .map_err(|error| error.to_string())
        };
        assert_eq!(verify(bundle, &signer()), Ok((PredicateType::SIGNATURE.to_owned(), true, true)));
        let stranger = "the signer is not trusted: `dev@consign.example` made it, as `https://issuer.example` says";
        let other = Identity { subject: "dev@elsewhere.example".to_owned(), ..signer() };
        assert_eq!(verify(bundle, &other), Err(stranger.to_owned()));
        let other = Identity { issuer: "https://other.example".to_owned(), ..signer() };
        assert_eq!(verify(bundle, &other), Err(stranger.to_owned()));
        let without = |names: &[&str]| {
            let mut changed: Value = serde_json::from_str(bundle).unwrap();
            for name in names {
                changed["verificationMaterial"].as_object_mut().unwrap().remove(*name);
            }
            verify(&changed.to_string(), &signer()).unwrap_err()
        };
        assert_eq!(without(&["tlogEntries"]), "it is in no transparency log, and must be in one");
    }
    let [[v1, _], [v2, bundle]] = KEYLESS;
    let verify = |root: &str, bundle: &str| {
        let verified = Keyless::read(root).unwrap().verify(bundle.as_bytes(), &subject(), &[signer()]).map(|_| ());
        verified.unwrap_err().to_string()
    };
    // Whose timestamp service nobody knows.
    let unknown = verify(v1, bundle);
    assert!(unknown.starts_with("bad signature: invalid RFC 3161 timestamp: "), "{unknown}");
    // Whose authority nobody knows, as the other root has another one of the same name.
    let authorities = |root: &str| serde_json::from_str::<Value>(root).unwrap()["certificateAuthorities"].clone();
    let mut root: Value = serde_json::from_str(v2).unwrap();
    root["certificateAuthorities"] = json!([authorities(v1)[0]]);
    root["certificateAuthorities"][0]["certChain"]["certificates"] =
        root["timestampAuthorities"][0]["certChain"]["certificates"].clone();
    assert_eq!(
        verify(&root.to_string(), bundle),
        "the signer is not trusted: its certificate is from no trusted authority"
    );
    let nobody = Keyless::read("{}").unwrap_err();
    assert!(!nobody.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_changed_root_or_bundle_makes_nobody_else_a_signer(which in 0_usize..2, part in 0_usize..2, changes in mutations()) {
        let mut both = KEYLESS[which].map(|text| text.as_bytes().to_vec());
        both[part] = mutated(&both[part], &changes);
        let [root, bundle] = &both;
        let Ok(root) = str::from_utf8(root) else { return Ok(()) };
        let Ok(keyless) = Keyless::read(root) else { return Ok(()) };
        let other = Identity { subject: "dev@elsewhere.example".to_owned(), ..signer() };
        prop_assert!(soon(|| keyless.verify(bundle, &subject(), &[other]).is_err()));
        prop_assert!(soon(|| keyless.verify(bundle, &Digest::sha256(b"other"), &[signer()]).is_err()));
    }

    /// Within the text: what the base64 of a certificate, a log entry or a timestamp stands for is changed.
    #[test]
    fn a_changed_part_of_a_keyless_bundle_makes_nobody_else_a_signer(which in 0_usize..2, part in 0_usize..5, changes in mutations()) {
        let [root, bundle] = KEYLESS[which];
        let mut bundle: Value = serde_json::from_str(bundle).unwrap();
        let pointer = [
            "/verificationMaterial/certificate/rawBytes",
            "/verificationMaterial/tlogEntries/0/canonicalizedBody",
            "/verificationMaterial/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp",
            "/dsseEnvelope/payload",
            "/dsseEnvelope/signatures/0/sig",
        ][part];
        let Some(place) = bundle.pointer_mut(pointer) else { return Ok(()) };
        let before = STANDARD.decode(place.as_str().unwrap()).unwrap();
        let after = mutated(&before, &changes);
        *place = STANDARD.encode(&after).into();
        let keyless = Keyless::read(root).unwrap();
        let bundle = bundle.to_string();
        let other = Identity { subject: "dev@elsewhere.example".to_owned(), ..signer() };
        prop_assert!(soon(|| keyless.verify(bundle.as_bytes(), &subject(), &[other]).is_err()));
        let counts = soon(|| keyless.verify(bundle.as_bytes(), &subject(), &[signer()]).is_ok());
        // A response with a timestamp in it may say more around it.
        prop_assert!(!counts || before == after || part == 2, "what was signed is not what is there");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_changed_bundle_says_nothing_else(part in 0_usize..4, changes in mutations()) {
        static KEY: LazyLock<(PrivateKey, Vec<u8>)> = LazyLock::new(|| {
            let key = key(&PKCS_ECDSA_P256_SHA256);
            let bundle = signed(&key).to_bytes();
            (key, bundle)
        });
        let (key, whole) = &*KEY;
        let mut wire: Value = serde_json::from_slice(whole).unwrap();
        let bytes = match ["", "/dsseEnvelope/payload", "/dsseEnvelope/signatures/0/sig", "/verificationMaterial/publicKey/hint"][part] {
            "" => mutated(whole, &changes),
            pointer => {
                let place = wire.pointer_mut(pointer).unwrap();
                let changed = mutated(&STANDARD.decode(place.as_str().unwrap()).unwrap(), &changes);
                *place = STANDARD.encode(changed).into();
                wire.to_string().into_bytes()
            }
        };
        if let Ok((statement, _)) = soon(|| Bundle::read(&bytes).and_then(|bundle| bundle.verify(&public(key)).map(|(statement, key)| (statement, key.clone())))) {
            prop_assert_eq!(statement, Statement::signature(&subject(), &annotations()));
        }
    }

    #[test]
    fn a_changed_signature_under_a_tag_says_nothing_else(part in 0_usize..3, changes in mutations()) {
        static MADE: LazyLock<(PrivateKey, Vec<u8>, Vec<u8>, Manifest)> = LazyLock::new(|| {
            let key = key(&PKCS_ECDSA_P256_SHA256);
            let payload = SimpleSigning::new("r.example.com/app", &subject(), &annotations()).to_bytes();
            let signature = SimpleSigning::sign(&payload, &key).unwrap();
            let (manifest, _) = SignatureImage::default().with(&payload, &signature, None).write().unwrap();
            (key, payload, signature, manifest)
        });
        let (key, payload, signature, manifest) = &*MADE;
        let of = |number: usize, whole: &[u8]| if part == number { mutated(whole, &changes) } else { whole.to_vec() };
        let (changed, changed_signature) = (of(0, payload), of(1, signature));
        if soon(|| SimpleSigning::verify(&changed, &changed_signature, &public(key)).is_ok()) {
            prop_assert_eq!(&changed, payload);
        }
        let bytes = of(2, manifest.bytes());
        if let Ok(manifest) = Manifest::parse(manifest.media_type(), bytes.into())
            && let Ok(image) = SignatureImage::read(&manifest)
        {
            soon(|| image.signatures().for_each(drop));
        }
    }
}

proptest! {
    // Each takes as long as a password must.
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_changed_key_file_opens_to_the_same_key_or_not_at_all(is_inner: bool, changes in mutations()) {
        let label = "ENCRYPTED SIGSTORE PRIVATE KEY";
        let text = if is_inner {
            let (_, json) = der::pem::decode_vec(SEALED.trim().as_bytes()).unwrap();
            der::pem::encode_string(label, der::pem::LineEnding::LF, &mutated(&json, &changes)).unwrap()
        } else {
            String::from_utf8_lossy(&mutated(SEALED.as_bytes(), &changes)).into_owned()
        };
        if let Ok(key) = soon(|| KeyFile::open(&text, &Secret::new("test123"))) {
            prop_assert_eq!(key.public(), &PublicKey::from_pem(SEALED_PUBLIC).unwrap());
        }
    }
}

proptest! {
    #[test]
    fn nothing_that_is_read_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400), text in ".*") {
        let _ = Bundle::read(&bytes).map(|bundle| bundle.verify(&[]).is_ok());
        let _ = Bundle::read(text.as_bytes());
        let _ = KeyFile::open(&text, &Secret::new(""));
        let _ = SimpleSigning::verify(&bytes, &bytes, &[]);
        let _ = PredicateType::parse(&text);
        let _ = Keyless::read(&text);
    }

    #[test]
    fn a_bundle_with_anything_in_it_is_read_or_refused(
        payload in any::<Vec<u8>>(), sig in any::<Vec<u8>>(), kind in ".*", version in "[0-9.]{0,5}"
    ) {
        let wire = json!({
            "mediaType": format!("application/vnd.dev.sigstore.bundle.v0.{version}+json"),
            "verificationMaterial": { "publicKey": { "hint": kind } },
            "dsseEnvelope": { "payload": STANDARD.encode(payload), "payloadType": dsse::IN_TOTO, "signatures": [{ "sig": STANDARD.encode(sig) }] },
        });
        let key = PublicKey::from_pem(SEALED_PUBLIC).unwrap();
        prop_assert!(Bundle::read(wire.to_string().as_bytes()).unwrap().verify(&[key]).is_err());
    }
}
