use std::{fs, sync::Arc};

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Value, json};

use crate::{
    oci::{Descriptor, ImageManifest, Manifest, Reference},
    plan::{SourceFile, yaml},
    secret::Secrets,
    sign::{
        Web, WebError,
        certificate::testing::{Authority, pem},
    },
    step::{Done, KINDS, Mode, Rehearsing, StepContext, StepError, testing},
    store::Source,
};

/// A folder with two keys, and a manifest to sign.
struct House {
    folder: tempfile::TempDir,
    cx: StepContext,
}

const SUBJECT: &str = "r.example.com/app:v1";

impl House {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (cx, _) = testing::context(folder.path(), Mode::Real, Secrets::default());
        let house = Self { folder, cx };
        for name in ["ours", "theirs"] {
            let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
            house.write(&format!("{name}.key"), &pair.serialize_pem());
            house.write(&format!("{name}.pub"), &pair.public_key_pem());
        }
        house.push(SUBJECT, "one").await;
        house
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    async fn push(&self, reference: &str, text: &str) -> Manifest {
        let reference: Reference = reference.parse().unwrap();
        let mut manifest = ImageManifest::new(Descriptor::empty());
        manifest.artifact_type = Some("demo/example".to_owned());
        manifest.annotations.insert("text".to_owned(), text.to_owned());
        let manifest = Manifest::from_image(manifest).unwrap();
        let store = self.cx.open(&reference.repository);
        store.push_blob(&Descriptor::empty(), &Source::bytes(&b"{}"[..]), None).await.unwrap();
        store.push_manifest(&manifest, reference.tag.as_ref()).await.unwrap();
        manifest
    }

    async fn run(&self, kind: &str, fields: Value) -> Result<Done, StepError> {
        let kind = KINDS.iter().find(|known| known.name == kind).unwrap();
        let source = SourceFile::new("plan.yaml", fields.to_string());
        let mut wrong = Vec::new();
        let step = kind.decode(&yaml::parse(&source).unwrap(), &mut wrong).unwrap();
        wrong.extend(step.check(&self.cx.places));
        assert!(wrong.is_empty(), "{wrong:?}");
        step.run(&self.cx).await
    }

    async fn sign(&self, name: &str, more: Value) -> Result<Done, StepError> {
        let fields = json!({ "subject": SUBJECT, "format": "cosign", "key": format!("{name}.key") });
        self.run("sign", with(fields, &more)).await
    }

    async fn verify(&self, name: &str, more: Value) -> Result<Done, StepError> {
        let fields = json!({ "subject": SUBJECT, "format": "cosign", "key": format!("{name}.pub") });
        self.run("verify", with(fields, &more)).await
    }

    async fn attest(&self, name: &str, predicate_type: &str, predicate: Value) -> Result<Done, StepError> {
        let fields = json!({ "subject": SUBJECT, "key": format!("{name}.key"), "predicate_type": predicate_type, "predicate": { "json": predicate } });
        self.run("attest", fields).await
    }

    async fn bundles(&self) -> usize {
        let reference: Reference = SUBJECT.parse().unwrap();
        let subject = self.cx.resolve(&reference).await.unwrap();
        self.cx.open(&reference.repository).referrers(&subject.digest).await.unwrap().len()
    }
}

fn with(mut fields: Value, more: &Value) -> Value {
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    fields
}

fn outcome(done: Result<Done, StepError>) -> &'static str {
    done.unwrap().outcome.word()
}

fn refusal(done: Result<Done, StepError>) -> (String, Vec<String>) {
    match done.unwrap_err() {
        StepError::Refused { message, found } => (message, found),
        other => panic!("{other}"),
    }
}

fn bom() -> Value {
    json!({ "bomFormat": "CycloneDX", "specVersion": "1.6" })
}

#[tokio::test]
async fn what_was_signed_verifies_and_is_not_signed_again() {
    for envelope in ["bundle", "simple_signing"] {
        let house = House::new().await;
        let more = json!({ "envelope": envelope, "annotations": { "env": "prod" } });
        let first = house.sign("ours", more.clone()).await.unwrap();
        let second = house.sign("ours", more.clone()).await.unwrap();
        assert_eq!(first.output.iter().collect::<Vec<_>>(), second.output.iter().collect::<Vec<_>>(), "{envelope}");
        let done = house.verify("ours", json!({ "annotations": { "env": "prod" } })).await.unwrap();
        let (_, signers) = done.output.iter().find(|(name, _)| *name == "signers").unwrap();
        assert_eq!(signers[0]["envelope"], envelope);
        assert_eq!(signers[0]["annotations"], json!({ "env": "prod" }));
        let (message, found) = refusal(house.verify("ours", json!({ "annotations": { "env": "dev" } })).await);
        assert!(message.ends_with("has 1 signature, and none of them counts"), "{message}");
        assert!(found[0].ends_with("it does not say `env: dev`: it says `prod`"), "{found:?}");
        // Another wording is another signature; `replace` leaves one.
        assert_eq!(
            outcome(house.sign("ours", json!({ "envelope": envelope, "annotations": { "env": "dev" } })).await),
            "created"
        );
        assert_eq!(outcome(house.sign("ours", with(more, &json!({ "if_signed": "replace" }))).await), "updated");
        assert!(refusal(house.verify("ours", json!({ "annotations": { "env": "dev" } })).await).1.len() == 1);
    }
}

#[tokio::test]
async fn a_signature_in_the_other_layout_is_no_reason_not_to_sign() {
    let house = House::new().await;
    assert_eq!(outcome(house.sign("ours", json!({})).await), "created");
    assert_eq!(outcome(house.sign("ours", json!({ "envelope": "simple_signing" })).await), "created");
    // One of somebody else does not hide it.
    assert_eq!(outcome(house.sign("theirs", json!({})).await), "created");
    assert_eq!(
        outcome(house.sign("theirs", json!({ "if_signed": "replace", "envelope": "simple_signing" })).await),
        "updated"
    );
    assert!(house.verify("ours", json!({})).await.is_ok());
    let (_, found) = refusal(house.verify("theirs", json!({ "annotations": { "a": "b" } })).await);
    assert_eq!(found.len(), 3, "{found:?}");
}

#[tokio::test]
async fn no_signature_a_stranger_and_an_attestation_are_three_refusals() {
    let house = House::new().await;
    let (message, found) = refusal(house.verify("ours", json!({})).await);
    assert!(message.ends_with("has no signature") && found.is_empty(), "{message}");
    house.sign("theirs", json!({})).await.unwrap();
    let (_, found) = refusal(house.verify("ours", json!({})).await);
    assert!(found[0].contains("the signer is not trusted: the key `"), "{found:?}");
    let house = House::new().await;
    house.attest("ours", "cyclonedx", bom()).await.unwrap();
    let (_, found) = refusal(house.verify("ours", json!({})).await);
    assert!(
        found[0].ends_with("it is an attestation of type `https://cyclonedx.org/bom`, not a signature"),
        "{found:?}"
    );
}

#[tokio::test]
async fn an_equal_attestation_is_kept_and_can_be_required() {
    let house = House::new().await;
    house.sign("ours", json!({})).await.unwrap();
    let require = json!({ "require": [{ "predicate_type": "cyclonedx" }] });
    let (message, _) = refusal(house.verify("ours", require.clone()).await);
    assert!(message.ends_with("has no attestation of type `https://cyclonedx.org/bom` that counts"), "{message}");
    let first = house.attest("ours", "cyclonedx", bom()).await.unwrap();
    let second = house.attest("ours", "cyclonedx", bom()).await.unwrap();
    assert_eq!(first.output.iter().collect::<Vec<_>>(), second.output.iter().collect::<Vec<_>>());
    assert_eq!(house.bundles().await, 2);
    assert!(house.verify("ours", require).await.is_ok());
    house.attest("ours", "cyclonedx", json!({ "bomFormat": "CycloneDX", "specVersion": "1.5" })).await.unwrap();
    assert_eq!(house.bundles().await, 3);
    house.write("bom.json", "{}");
    let fields = json!({ "subject": SUBJECT, "key": "ours.key", "predicate_type": "cyclonedx", "predicate": { "path": "bom.json" } });
    let error = house.run("attest", fields).await.unwrap_err().to_string();
    assert_eq!(error, "`bomFormat` of a CycloneDX document must be `CycloneDX`");
}

/// Answers every question with nothing that anybody understands.
#[derive(Debug)]
struct Mumbling;

#[async_trait::async_trait]
impl Web for Mumbling {
    async fn get(&self, _: &str, _: usize) -> Result<Vec<u8>, WebError> {
        Ok(b"hm".to_vec())
    }

    async fn post(&self, _: &str, _: &str, _: Vec<u8>, _: usize) -> Result<Vec<u8>, WebError> {
        Ok(b"hm".to_vec())
    }
}

#[tokio::test]
async fn a_timestamp_that_is_asked_for_must_be_there() {
    for envelope in ["bundle", "simple_signing"] {
        let mut house = House::new().await;
        house.write("clock.pem", &pem(&[Authority::root("clock").certificate]));
        assert_eq!(outcome(house.sign("ours", json!({ "envelope": envelope })).await), "created");
        assert!(house.verify("ours", json!({})).await.is_ok());
        let asks = json!({ "timestamp_certificates": ["clock.pem"] });
        let (_, found) = refusal(house.verify("ours", asks.clone()).await);
        assert!(found[0].ends_with(": it has no timestamp, and one is needed"), "{found:?}");
        // So it is no reason not to sign again, and what the service says is looked at before anything is pushed.
        house.cx.web = Some(Arc::new(Mumbling));
        let clock = json!({ "url": "http://tsa.example.com", "certificates": ["clock.pem"] });
        let again = house.sign("ours", json!({ "envelope": envelope, "timestamp": clock })).await;
        let error = again.unwrap_err().to_string();
        assert!(error.starts_with("the timestamp cannot be read: "), "{error}");
        assert_eq!(house.bundles().await, usize::from(envelope == "bundle"));
        // A rehearsal asks nobody, and knows its own key.
        house.cx.web = None;
        house.cx.mode = Mode::Rehearsal(Rehearsing::default());
        let step = json!({ "envelope": envelope, "timestamp": clock });
        assert_eq!(outcome(house.sign("ours", step.clone()).await), "created");
        let before = house.bundles().await;
        house.sign("ours", step).await.unwrap();
        assert_eq!(house.bundles().await, before);
        assert!(house.verify("ours", asks).await.is_ok());
    }
}

#[tokio::test]
async fn a_public_key_that_cannot_be_read_cannot_verify() {
    let house = House::new().await;
    house.sign("ours", json!({})).await.unwrap();
    house.write("ours.pub", "nothing");
    let error = house.verify("ours", json!({})).await.unwrap_err().to_string();
    let message = "there is no public key: write PEM that begins with `-----BEGIN PUBLIC KEY-----`";
    let inline = |key: &str| json!({ "subject": SUBJECT, "format": "cosign", "key": key });
    let broken = house.run("verify", inline("-----BEGIN PUBLIC KEY-----")).await.unwrap_err().to_string();
    assert!(broken.starts_with("a key in the plan cannot verify: "), "{broken}");
    // It may stand in the plan.
    let theirs = fs::read_to_string(house.folder.path().join("theirs.pub")).unwrap();
    let (_, found) = refusal(house.run("verify", inline(&theirs)).await);
    assert!(found[0].contains("the signer is not trusted: "), "{found:?}");
    assert_eq!(error, format!("`ours.pub` cannot verify: {message}"));
}

#[tokio::test]
async fn a_rehearsal_signs_with_a_key_of_its_own_says_so_and_trusts_it() {
    for envelope in ["bundle", "simple_signing"] {
        let mut house = House::new().await;
        house.cx.mode = Mode::Rehearsal(Rehearsing::default());
        // Neither the key nor the password of the plan is looked at.
        house.write("ours.key", "nothing");
        let more = json!({ "envelope": envelope, "annotations": { "env": "prod" } });
        assert_eq!(outcome(house.sign("ours", more.clone()).await), "created");
        let before = house.bundles().await;
        house.sign("ours", more).await.unwrap();
        assert_eq!(house.bundles().await, before, "{envelope}");
        let done = house.verify("ours", json!({ "annotations": { "env": "prod" } })).await.unwrap();
        let (_, signers) = done.output.iter().find(|(name, _)| *name == "signers").unwrap();
        let said = json!({ "consign.rehearsal": "made with a throw-away key", "env": "prod" });
        assert_eq!(signers[0]["annotations"], said, "{envelope}");
        house.attest("ours", "cyclonedx", bom()).await.unwrap();
        house.attest("ours", "cyclonedx", bom()).await.unwrap();
        assert_eq!(house.bundles().await, before + 1);
        let require = json!({ "require": [{ "predicate_type": "cyclonedx" }] });
        assert!(house.verify("ours", require).await.is_ok());
        // Nobody else trusts it.
        for mode in [Mode::Real, Mode::Rehearsal(Rehearsing { secrets: true, ..Rehearsing::default() })] {
            house.cx.mode = mode;
            let (_, found) = refusal(house.verify("ours", json!({})).await);
            assert!(found.iter().all(|one| one.contains("the signer is not trusted: ")), "{found:?}");
        }
    }
}

#[tokio::test]
async fn a_preview_knows_what_the_key_of_the_plan_has_signed() {
    let mut house = House::new().await;
    assert_eq!(outcome(house.sign("ours", json!({})).await), "created");
    house.cx.made = Arc::default();
    house.cx.mode = Mode::Rehearsal(Rehearsing { preview: true, ..Rehearsing::default() });
    assert_eq!(outcome(house.sign("ours", json!({})).await), "unchanged");
}
