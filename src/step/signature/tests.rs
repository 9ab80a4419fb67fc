use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{
    oci::{Descriptor, ImageManifest, Manifest, Reference},
    plan::{SourceFile, yaml},
    secret::Secrets,
    sign::certificate::testing::{Authority, Holder, Key, pem},
    step::{Done, KINDS, Kind, Mode, StepContext, StepError, testing},
};

/// A folder with the files of a signer and of an authority, and what steps in it run in.
struct House {
    folder: tempfile::TempDir,
    root: Authority,
    cx: StepContext,
}

const SUBJECT: &str = "r.example.com/app:v1";

impl House {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Authority::root("root");
        write(folder.path(), "root.pem", &pem(std::slice::from_ref(&root.certificate)));
        let (cx, _) = testing::context(folder.path(), Mode::Real, Secrets::default());
        let house = Self { folder, root, cx };
        house.add("signer", &house.root.signer("signer", Key::P256));
        house.push(SUBJECT, "{}").await;
        house
    }

    fn add(&self, name: &str, holder: &Holder) {
        write(self.folder.path(), &format!("{name}.key"), &holder.key);
        write(self.folder.path(), &format!("{name}.pem"), &pem(&holder.certificates));
    }

    /// Pushes a manifest that only this text tells from others.
    async fn push(&self, reference: &str, text: &str) -> Manifest {
        let reference: Reference = reference.parse().unwrap();
        let mut manifest = ImageManifest::new(Descriptor::empty());
        manifest.artifact_type = Some("demo/example".to_owned());
        manifest.annotations.insert("text".to_owned(), text.to_owned());
        let manifest = Manifest::from_image(manifest).unwrap();
        let store = self.cx.open(&reference.repository);
        store.push_blob(&Descriptor::empty(), &crate::store::Source::bytes(&b"{}"[..]), None).await.unwrap();
        store.push_manifest(&manifest, reference.tag.as_ref()).await.unwrap();
        manifest
    }

    async fn run(&self, kind: &str, fields: Value) -> Result<Done, StepError> {
        let kind: &Kind = KINDS.iter().find(|known| known.name == kind).unwrap();
        let source = SourceFile::new("plan.yaml", fields.to_string());
        let mut diagnostics = Vec::new();
        let step = kind.decode(&yaml::parse(&source).unwrap(), &mut diagnostics);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        step.unwrap().run(&self.cx).await
    }

    async fn sign(&self, subject: &str, name: &str, more: Value) -> Result<Done, StepError> {
        let (key, chain) = (format!("{name}.key"), format!("{name}.pem"));
        let mut fields = json!({ "subject": subject, "format": "notation", "key": key, "certificate_chain": chain });
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.run("sign", fields).await
    }

    async fn verify(&self, subject: &str, more: Value) -> Result<Done, StepError> {
        let mut fields = json!({ "subject": subject, "format": "notation", "certificates": ["root.pem"] });
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.run("verify", fields).await
    }

    async fn signatures(&self) -> Vec<Descriptor> {
        let reference: Reference = SUBJECT.parse().unwrap();
        let subject = self.cx.resolve(&reference).await.unwrap();
        self.cx.open(&reference.repository).referrers(&subject.digest).await.unwrap()
    }
}

fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).unwrap();
}

fn outcome(done: Result<Done, StepError>) -> String {
    done.unwrap().outcome.word().to_owned()
}

/// The message of a gate that says no, and what it has found.
fn refusal(done: Result<Done, StepError>) -> (String, Vec<String>) {
    match done.unwrap_err() {
        StepError::Refused { message, found } => (message, found),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn what_was_signed_verifies_and_is_not_signed_again() {
    let house = House::new().await;
    assert_eq!(outcome(house.sign(SUBJECT, "signer", json!({})).await), "created");
    for envelope in ["jws", "cose"] {
        assert_eq!(outcome(house.sign(SUBJECT, "signer", json!({ "envelope": envelope })).await), "created");
    }
    assert_eq!(house.signatures().await.len(), 1);
    let done = house.verify(SUBJECT, json!({})).await.unwrap();
    let signers: Vec<_> = done.output.iter().filter(|(name, _)| *name == "signers").collect();
    let signer = &signers[0].1[0];
    assert_eq!(signer["signer"], "CN=signer,O=acme,ST=WA,C=US");
    assert_eq!(signer["signature"], house.signatures().await[0].digest.to_string());
    // It says less than is asked for now.
    assert_eq!(outcome(house.sign(SUBJECT, "signer", json!({ "annotations": { "build": "1" } })).await), "created");
    assert_eq!(house.signatures().await.len(), 2);
    assert!(house.verify(SUBJECT, json!({ "annotations": { "build": "1" } })).await.is_ok());
    assert_eq!(outcome(house.sign(SUBJECT, "signer", json!({ "if_signed": "add" })).await), "created");
    assert_eq!(house.signatures().await.len(), 3);
    assert_eq!(outcome(house.sign(SUBJECT, "signer", json!({ "if_signed": "replace" })).await), "updated");
    assert_eq!(house.signatures().await.len(), 1);
}

#[tokio::test]
async fn an_authority_that_signs_for_others_is_trusted_as_such_alone() {
    for envelope in ["jws", "cose"] {
        let house = House::new().await;
        let step = json!({ "scheme": "signing_authority", "envelope": envelope });
        assert_eq!(outcome(house.sign(SUBJECT, "signer", step.clone()).await), "created");
        assert_eq!(outcome(house.sign(SUBJECT, "signer", step.clone()).await), "created");
        assert_eq!(house.signatures().await.len(), 1);
        let authority = json!({
            "subject": SUBJECT, "format": "notation", "signing_authorities": ["root.pem"],
        });
        assert!(house.run("verify", authority.clone()).await.is_ok());
        let (_, found) = refusal(house.verify(SUBJECT, json!({})).await);
        assert!(found[0].ends_with("which is no trusted signing authority"), "{found:?}");
        // Who vouches for nothing but the signature is another thing.
        assert_eq!(outcome(house.sign(SUBJECT, "signer", json!({})).await), "created");
        assert_eq!(house.signatures().await.len(), 2);
        let mut house = House::new().await;
        house.cx.mode = Mode::Rehearsal(crate::step::Rehearsing::default());
        house.sign(SUBJECT, "signer", step).await.unwrap();
        assert!(house.run("verify", authority).await.is_ok());
    }
}

#[tokio::test]
async fn a_signature_of_somebody_else_is_left_alone() {
    let house = House::new().await;
    house.add("other", &house.root.signer("other", Key::P384));
    house.sign(SUBJECT, "other", json!({})).await.unwrap();
    let others = house.signatures().await;
    assert_eq!(outcome(house.sign(SUBJECT, "signer", json!({})).await), "created");
    assert_eq!(outcome(house.sign(SUBJECT, "signer", json!({ "if_signed": "replace" })).await), "updated");
    let left = house.signatures().await;
    assert!(left.len() == 2 && left.contains(&others[0]));
}

#[tokio::test]
async fn no_signature_a_stranger_and_a_bad_one_are_told_apart() {
    let house = House::new().await;
    let digest = house.cx.resolve(&SUBJECT.parse().unwrap()).await.unwrap().digest;
    let name = format!("r.example.com/app@{digest}");
    let (message, found) = refusal(house.verify(SUBJECT, json!({})).await);
    assert_eq!((message, found), (format!("`{name}` has no signature"), Vec::new()));
    house.add("evil", &Authority::root("root").signer("signer", Key::P256));
    house.sign(SUBJECT, "evil", json!({})).await.unwrap();
    let stranger = house.signatures().await[0].digest.to_string();
    let (message, found) = refusal(house.verify(SUBJECT, json!({})).await);
    assert_eq!(message, format!("`{name}` has 1 signature, and none of them counts"));
    let authority = "which is no trusted authority";
    let reason = format!("`CN=signer,O=acme,ST=WA,C=US` was certified by `CN=root,O=acme,ST=WA,C=US`, {authority}");
    assert_eq!(found, [format!("{stranger}: the signer is not trusted: {reason}")]);
    // The signature of another manifest, moved to this one.
    let other = house.push("r.example.com/app:other", "other").await;
    let done = house.sign("r.example.com/app:other", "signer", json!({})).await.unwrap();
    let moved: Reference =
        serde_json::from_value::<String>(done.output.iter().find(|(name, _)| *name == "reference").unwrap().1.clone())
            .unwrap()
            .parse()
            .unwrap();
    let mut manifest = house.cx.manifest(&moved).await.unwrap().as_image().unwrap().clone();
    manifest.subject = Some(house.cx.resolve(&SUBJECT.parse().unwrap()).await.unwrap().plain());
    let manifest = Manifest::from_image(manifest).unwrap();
    house.cx.open(&moved.repository).attach(&manifest).await.unwrap();
    let (_, found) = refusal(house.verify(SUBJECT, json!({})).await);
    let reason = format!("bad signature: it is about {}, not about this manifest", other.digest());
    assert!(found.contains(&format!("{}: {reason}", manifest.digest())), "{found:?}");
    // One that counts is enough.
    house.sign(SUBJECT, "signer", json!({})).await.unwrap();
    assert!(house.verify(SUBJECT, json!({})).await.is_ok());
}

#[tokio::test]
async fn certificates_may_stand_in_the_plan() {
    let house = House::new().await;
    house.sign(SUBJECT, "signer", json!({})).await.unwrap();
    let inline = |name: &str| json!({ "certificates": [fs::read_to_string(house.folder.path().join(name)).unwrap()] });
    assert!(house.verify(SUBJECT, inline("root.pem")).await.is_ok());
    write(house.folder.path(), "other.pem", &pem(&[Authority::root("other").certificate]));
    let (_, found) = refusal(house.verify(SUBJECT, inline("other.pem")).await);
    assert!(found[0].contains("the signer is not trusted: "), "{found:?}");
    let broken = json!({ "certificates": ["-----BEGIN CERTIFICATE-----\nhello"] });
    let error = house.verify(SUBJECT, broken).await.unwrap_err().to_string();
    assert!(error.starts_with("a certificate in the plan: "), "{error}");
}

#[tokio::test]
async fn what_was_verified_is_what_later_steps_see() {
    let house = House::new().await;
    house.sign(SUBJECT, "signer", json!({})).await.unwrap();
    let done = house.verify(SUBJECT, json!({})).await.unwrap();
    let verified = done.output.iter().find(|(name, _)| *name == "digest").unwrap().1.clone();
    // Somebody moves the tag meanwhile.
    let other = house.push(SUBJECT, "evil").await;
    assert_ne!(json!(other.digest().to_string()), verified);
    let copy = json!({ "from": SUBJECT, "to": "r.example.com/promoted:v1" });
    let done = house.run("copy", copy).await.unwrap();
    assert_eq!(*done.output.iter().find(|(name, _)| *name == "digest").unwrap().1, verified);
}

#[tokio::test]
async fn what_is_attached_must_be_signed_itself() {
    let house = House::new().await;
    house.sign(SUBJECT, "signer", json!({})).await.unwrap();
    let require = json!({ "require": [{ "artifact_type": "sbom/example" }] });
    let digest = house.cx.resolve(&SUBJECT.parse().unwrap()).await.unwrap().digest;
    let name = format!("r.example.com/app@{digest}");
    let (message, _) = refusal(house.verify(SUBJECT, require.clone()).await);
    assert_eq!(message, format!("`{name}` has no referrer of type `sbom/example`"));
    let attach = json!({
        "subject": SUBJECT,
        "artifact_type": "sbom/example",
        "files": [{ "name": "sbom.json", "json": { "contents": "good" } }],
    });
    let done = house.run("attach", attach).await.unwrap();
    let output =
        |name: &str| done.output.iter().find(|(known, _)| *known == name).unwrap().1.as_str().unwrap().to_owned();
    let (message, found) = refusal(house.verify(SUBJECT, require.clone()).await);
    assert_eq!(message, format!("`{name}` has no signed referrer of type `sbom/example`"));
    assert_eq!(found, [format!("{}: it has no signature", output("digest"))]);
    house.sign(&output("reference"), "signer", json!({})).await.unwrap();
    assert!(house.verify(SUBJECT, require).await.is_ok());
}

#[tokio::test]
async fn a_key_and_its_certificates_belong_together() {
    let house = House::new().await;
    house.add("other", &house.root.signer("other", Key::P256));
    let mixed = json!({ "certificate_chain": "other.pem" });
    let wrong = house.sign(SUBJECT, "signer", mixed).await.unwrap_err().to_string();
    let message = "is not the key of the certificate `CN=other,O=acme,ST=WA,C=US`: the chain begins with the certificate of the key";
    assert_eq!(wrong, format!("`signer.key` {message}"));
    let none = house.sign(SUBJECT, "signer", json!({ "key": "signer.pem" })).await.unwrap_err().to_string();
    let message = "there is no private key: write PEM, as PKCS#8, SEC 1 or PKCS#1 have it, not encrypted";
    assert_eq!(none, format!("`signer.pem` cannot sign: {message}"));
    let leaf = &house.root.signer("signer", Key::P256).certificates[..1];
    write(house.folder.path(), "short.pem", &pem(leaf));
    let short =
        house.sign(SUBJECT, "signer", json!({ "certificate_chain": "short.pem" })).await.unwrap_err().to_string();
    let message =
        "the chain ends at `CN=signer,O=acme,ST=WA,C=US`, which is not self-signed: add its issuers up to the root";
    assert_eq!(short, format!("`short.pem`: {message}"));
    assert!(house.signatures().await.is_empty());
}

#[test]
fn what_nobody_could_mean_is_said_at_check() {
    let check = |kind: &str, fields: Value| {
        let kind = KINDS.iter().find(|known| known.name == kind).unwrap();
        let source = SourceFile::new("plan.yaml", fields.to_string());
        let mut diagnostics = Vec::new();
        let step = kind.decode(&yaml::parse(&source).unwrap(), &mut diagnostics);
        let places = crate::step::Places::new("/", "/");
        let wrong: Vec<_> = step.map(|step| step.check(&places)).unwrap_or_default();
        diagnostics.into_iter().chain(wrong).map(|diagnostic| diagnostic.message).collect::<Vec<_>>()
    };
    let verify = json!({ "subject": "r.example.com/app:v1", "format": "notation" });
    assert_eq!(check("verify", verify), ["`verify` does not say who is trusted"]);
    let sign = |more: Value| {
        let mut fields = json!({ "format": "notation", "key": "a", "certificate_chain": "b" });
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        check("sign", fields)
    };
    assert_eq!(sign(json!({})), ["`sign` needs one of `subject` and `subjects`"]);
    let subject = |more: Value| {
        let mut fields = json!({ "format": "notation", "subject": SUBJECT });
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        check("sign", fields)
    };
    assert_eq!(subject(json!({})), ["`sign` needs one of `key` and `plugin`"]);
    assert_eq!(subject(json!({ "key": "a" })), ["`sign` has no `certificate_chain`"]);
    let both = json!({ "key": "notation:release", "certificate_chain": "b" });
    assert_eq!(subject(both), ["notation knows the certificates"]);
    assert_eq!(subject(json!({ "key": "notation:release" })), Vec::<String>::new());
    let plugin = json!({ "name": "kms", "key_id": "1" });
    assert_eq!(subject(json!({ "plugin": plugin, "key": "a" })), ["`sign` needs one of `key` and `plugin`"]);
    assert_eq!(
        subject(json!({ "plugin": plugin, "certificate_chain": "a" })),
        ["a plugin brings its certificates along"]
    );
    let clock = json!({ "plugin": plugin, "timestamp": { "url": "tsa.example.com", "certificates": ["c"] } });
    assert_eq!(subject(clock), ["`tsa.example.com` is no URL of a timestamp service"]);
    let verify = |more: Value| {
        let mut fields = json!({ "format": "notation", "subject": SUBJECT });
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        check("verify", fields)
    };
    let both = json!({ "trust_policy": "notation", "certificates": ["a"] });
    assert_eq!(verify(both), ["a trust policy says itself who is trusted"]);
    assert_eq!(
        verify(json!({ "certificates": ["a"], "trust_store": "b" })),
        ["`trust_store` belongs to `trust_policy`"]
    );
    let identity = json!({ "certificates": ["a"], "identities": ["acme"] });
    assert_eq!(verify(identity), ["`acme` is not an identity: write `x509.subject: C=…, ST=…, O=…`"]);
    let copy = json!({
        "from": SUBJECT, "to": "r.example.com/b:v1", "referrers": "none",
        "verify": { "format": "notation", "certificates": ["a"] },
    });
    assert_eq!(check("copy", copy), ["`verify` looks for signatures that `referrers: none` leaves behind"]);
    assert_eq!(
        sign(json!({ "subject": "r.example.com/app" })),
        ["`r.example.com/app` names a repository, not a manifest"]
    );
    let clock = json!({ "url": "http://tsa.example.com", "certificates": ["c"] });
    let scheme = json!({ "subject": SUBJECT, "scheme": "signing_authority", "timestamp": clock });
    assert_eq!(sign(scheme), ["a signing authority says itself when it signs"]);
    assert_eq!(
        subject(json!({ "plugin": plugin, "scheme": "signing_authority" })),
        ["a plugin that signs for others says so itself"]
    );
    let foreign = json!({ "format": "cosign", "key": "a", "subject": SUBJECT, "scheme": "x509", "timestamp": clock });
    assert_eq!(check("sign", foreign), ["`scheme: x509` means nothing with `format: cosign`"]);
    let root = json!({ "subject": "a", "issuer": "b", "trusted_root": "c" });
    let twice = json!({ "format": "cosign", "subject": SUBJECT, "identity": root, "timestamp_certificates": ["c"] });
    assert_eq!(check("verify", twice), ["a trusted root says itself which timestamp services count"]);
    let reserved = json!({ "subject": SUBJECT, "annotations": { "io.cncf.notary.x": "1" } });
    assert_eq!(sign(reserved), ["the annotation `io.cncf.notary.x` belongs to Notary Project"]);
    let expiry = sign(json!({ "subject": SUBJECT, "expiry": "soon" }));
    assert_eq!(expiry, ["`soon` is not a length of time: write `90d`, `12h` or `12h30m`"]);
}

/// Writes a trust policy with a store of the root beside it.
fn write_policy(folder: &Path, root: &Authority, scope: &str, level: &str, identity: &str) {
    let store = folder.join("truststore/x509/ca/acme");
    fs::create_dir_all(&store).unwrap();
    write(&store, "root.pem", &pem(std::slice::from_ref(&root.certificate)));
    let policy = json!({
        "version": "1.0",
        "trustPolicies": [{
            "name": "acme",
            "registryScopes": [scope],
            "signatureVerification": { "level": level },
            "trustStores": ["ca:acme"],
            "trustedIdentities": [identity],
        }],
    });
    write(folder, "trustpolicy.json", &policy.to_string());
}

#[tokio::test]
async fn a_trust_policy_says_whom_to_trust_where() {
    let house = House::new().await;
    house.sign(SUBJECT, "signer", json!({})).await.unwrap();
    let policy = |scope: &str, level: &str, identity: &str| {
        write_policy(house.folder.path(), &house.root, scope, level, identity);
        house.run("verify", json!({ "subject": SUBJECT, "format": "notation", "trust_policy": "trustpolicy.json" }))
    };
    assert!(policy("*", "strict", "*").await.is_ok());
    assert!(policy("r.example.com/app", "strict", "x509.subject: C=US, ST=WA, O=acme").await.is_ok());
    let (message, _) = refusal(policy("r.example.com/other", "strict", "*").await);
    assert_eq!(message, "no policy in `trustpolicy.json` is for `r.example.com/app`, and none for `*`");
    let other = "x509.subject: C=US, ST=WA, O=acme, CN=other";
    let (_, found) = refusal(policy("*", "strict", other).await);
    let reason = "the signer is not trusted: `CN=signer,O=acme,ST=WA,C=US` is none of the trusted identities";
    assert!(found[0].ends_with(reason), "{found:?}");
    let audited = policy("*", "audit", other).await.unwrap();
    let signers = audited.output.iter().find(|(name, _)| *name == "signers").unwrap().1;
    assert_eq!(signers[0]["warnings"], json!([reason]));
    let wrong = policy("*", "lax", "*").await.unwrap_err().to_string();
    let message = "the policy `acme`: there is no level `lax`: write `strict`, `permissive`, `audit` or `skip`";
    assert_eq!(wrong, format!("`trustpolicy.json`: {message}"));
    // A trust store holds authorities, and at least one.
    let store = house.folder.path().join("truststore/x509/ca/acme");
    let leaf = house.root.signer("signer", Key::P256).certificates;
    write(&store, "leaf.pem", &pem(&leaf[..1]));
    let wrong = policy("*", "strict", "*").await.unwrap_err().to_string();
    let message = "the certificate `CN=signer,O=acme,ST=WA,C=US` is neither that of an authority nor self-signed";
    assert_eq!(wrong, format!("`{}` cannot be read: {message}", store.join("leaf.pem").display()));
}

#[tokio::test]
async fn what_does_not_verify_is_not_copied() {
    let house = House::new().await;
    let to = "r.example.com/promoted:v1";
    let copy = json!({
        "from": SUBJECT, "to": to, "verify": { "format": "notation", "certificates": ["root.pem"] },
    });
    let (message, _) = refusal(house.run("copy", copy.clone()).await);
    assert!(message.ends_with("` has no signature"), "{message}");
    let target: Reference = to.parse().unwrap();
    let store = house.cx.open(&target.repository);
    let digest = house.cx.resolve(&SUBJECT.parse().unwrap()).await.unwrap().digest;
    assert_eq!(store.tags().await.unwrap(), []);
    assert_eq!(store.resolve(&crate::oci::Target::Digest(digest)).await.unwrap(), None);
    house.sign(SUBJECT, "signer", json!({})).await.unwrap();
    assert_eq!(outcome(house.run("copy", copy.clone()).await), "created");
    assert!(house.verify(to, json!({})).await.is_ok());
    assert_eq!(outcome(house.run("copy", copy).await), "unchanged");
}

#[tokio::test]
async fn a_rehearsal_signs_with_a_key_of_its_own_and_trusts_it() {
    let mut house = House::new().await;
    house.cx.mode = Mode::Rehearsal(crate::step::Rehearsing::default());
    let fields = json!({ "subject": SUBJECT, "format": "notation", "plugin": { "name": "kms", "key_id": "1" } });
    assert_eq!(outcome(house.run("sign", fields.clone()).await), "created");
    assert_eq!(outcome(house.run("sign", fields).await), "created");
    assert_eq!(house.signatures().await.len(), 1);
    let named = json!({ "subject": SUBJECT, "format": "notation", "key": "notation:release" });
    assert_eq!(outcome(house.run("sign", named).await), "created");
    // Nor are the files of the plan looked at.
    write(house.folder.path(), "signer.key", "nothing");
    write(house.folder.path(), "signer.pem", "nothing");
    assert_eq!(outcome(house.sign(SUBJECT, "signer", json!({})).await), "created");
    assert_eq!(house.signatures().await.len(), 1);
    let done = house.verify(SUBJECT, json!({})).await.unwrap();
    let signers = done.output.iter().find(|(name, _)| *name == "signers").unwrap().1;
    assert_eq!(signers[0]["signer"], "CN=throw-away key of a rehearsal,O=consign,ST=none,C=ZZ");
    assert_eq!(signers[0]["annotations"], json!({ "consign.rehearsal": "made with a throw-away key" }));
    // Whatever says who is trusted.
    let identities = json!({ "identities": ["x509.subject: C=US, ST=WA, O=acme, CN=signer"] });
    assert!(house.verify(SUBJECT, identities).await.is_ok());
    write_policy(house.folder.path(), &house.root, "*", "strict", "x509.subject: C=US, ST=WA, O=acme, CN=signer");
    let by_policy = json!({ "subject": SUBJECT, "format": "notation", "trust_policy": "trustpolicy.json" });
    assert!(house.run("verify", by_policy).await.is_ok());
    let to = "r.example.com/promoted:v1";
    let verify = json!({ "format": "notation", "certificates": ["root.pem"] });
    assert!(house.run("copy", json!({ "from": SUBJECT, "to": to, "verify": verify })).await.is_ok());
    // Nobody else does.
    house.cx.mode = Mode::Real;
    let (_, found) = refusal(house.verify(SUBJECT, json!({})).await);
    assert!(found[0].contains("the signer is not trusted: "), "{found:?}");
}

#[tokio::test]
async fn a_rehearsal_signs_with_the_files_of_the_plan_where_it_is_told_to_and_a_preview_knows_them() {
    let mut house = House::new().await;
    house.cx.mode = Mode::Rehearsal(crate::step::Rehearsing { secrets: true, ..Default::default() });
    assert_eq!(outcome(house.sign(SUBJECT, "signer", json!({})).await), "created");
    house.cx.mode = Mode::Real;
    assert!(house.verify(SUBJECT, json!({})).await.is_ok());
    house.cx.made = std::sync::Arc::default();
    house.cx.mode = Mode::Rehearsal(crate::step::Rehearsing { preview: true, ..Default::default() });
    assert_eq!(outcome(house.sign(SUBJECT, "signer", json!({})).await), "unchanged");
}
