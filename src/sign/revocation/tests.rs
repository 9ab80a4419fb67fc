//! Lists that another library made, fetched from a web that is a map.

use std::{collections::HashMap, sync::Mutex};

use async_trait::async_trait;
use futures_util::FutureExt;
use proptest::prelude::*;
use rcgen::{
    CertificateRevocationListParams, CrlDistributionPoint, KeyIdMethod, RevocationReason, RevokedCertParams,
    SerialNumber,
};

use super::*;
use crate::sign::{
    WebError,
    certificate::{
        Purpose,
        testing::{Authority, Holder, Key, authority_parameters, signer_parameters},
    },
    mutation::{mutated, mutations, soon},
};

const URL: &str = "http://lists.example.com/acme.crl";

#[derive(Debug, Default)]
struct Lists {
    lists: HashMap<String, Vec<u8>>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Web for Lists {
    async fn get(&self, url: &str, _: usize) -> Result<Vec<u8>, WebError> {
        self.asked.lock().unwrap().push(url.to_owned());
        let fail = || WebError { url: url.to_owned(), message: "nobody is there".to_owned() };
        self.lists.get(url).cloned().ok_or_else(fail)
    }

    async fn post(&self, url: &str, _: &str, _: Vec<u8>, _: usize) -> Result<Vec<u8>, WebError> {
        self.get(url, 0).await
    }
}

fn signer(root: &Authority) -> Holder {
    let mut parameters = signer_parameters("signer");
    parameters.serial_number = Some(SerialNumber::from(42));
    parameters.crl_distribution_points = vec![CrlDistributionPoint { uris: vec![URL.to_owned()] }];
    root.holder(&parameters, Key::P256)
}

/// The list of `authority` from one day to another, with these numbers on it.
fn list(authority: &Authority, from: (i32, u8, u8), until: (i32, u8, u8), revoked: &[u64]) -> Vec<u8> {
    let date = |(year, month, day)| rcgen::date_time_ymd(year, month, day);
    let revoked = revoked.iter().map(|number| RevokedCertParams {
        serial_number: SerialNumber::from(*number),
        revocation_time: date(from),
        reason_code: Some(RevocationReason::KeyCompromise),
        invalidity_date: None,
    });
    let parameters = CertificateRevocationListParams {
        this_update: date(from),
        next_update: date(until),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: revoked.collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    authority.list(&parameters)
}

fn checked(holder: &Holder, list: Option<Vec<u8>>) -> Result<(), String> {
    let chain = Chain::new(holder.certificates.clone(), Purpose::Signing).unwrap();
    let web = Lists { lists: list.map(|list| (URL.to_owned(), list)).into_iter().collect(), ..Lists::default() };
    let now = "2026-06-01T00:00:00Z".parse().unwrap();
    let checked = check(&chain, &web, now).now_or_never().unwrap();
    checked.map_err(|error| error.to_string())
}

const DAYS: [(i32, u8, u8); 2] = [(2026, 5, 1), (2026, 7, 1)];

#[test]
fn who_is_on_the_list_of_the_authority_does_not_count() {
    let root = Authority::root("root");
    let holder = signer(&root);
    assert_eq!(checked(&holder, Some(list(&root, DAYS[0], DAYS[1], &[7]))), Ok(()));
    let revoked = checked(&holder, Some(list(&root, DAYS[0], DAYS[1], &[7, 42]))).unwrap_err();
    let subject = "CN=signer,O=acme,ST=WA,C=US";
    let message = "was revoked at 2026-05-01T00:00:00Z, for the reason `KeyCompromise`";
    assert_eq!(revoked, format!("the certificate `{subject}` {message}"));
}

#[test]
fn what_nobody_can_tell_is_not_taken_for_granted() {
    let root = Authority::root("root");
    let holder = signer(&root);
    let start = "whether the certificate `CN=signer,O=acme,ST=WA,C=US` was revoked cannot be told: ";
    let unknown = |list: Option<Vec<u8>>| {
        let message = checked(&holder, list).unwrap_err();
        message.strip_prefix(start).unwrap().to_owned()
    };
    assert_eq!(unknown(None), format!("{URL} gave no answer: nobody is there"));
    let says = |problem: &str| format!("what {URL} says does not count: {problem}");
    assert_eq!(unknown(Some(list(&root, (2026, 1, 1), (2026, 2, 1), &[]))), says("it is out of date"));
    assert_eq!(unknown(Some(list(&root, (2026, 6, 2), (2026, 7, 1), &[]))), says("it is out of date"));
    let other = Authority::root("other");
    assert_eq!(unknown(Some(list(&other, DAYS[0], DAYS[1], &[]))), says("it is the list of another authority"));
    let evil = Authority::root("root");
    assert_eq!(unknown(Some(list(&evil, DAYS[0], DAYS[1], &[]))), says("it was not signed by the authority"));
}

#[test]
fn a_certificate_that_names_nobody_is_not_asked_about() {
    let root = Authority::root("root");
    let middle = root.authority(authority_parameters("middle", None));
    let mut holder = middle.signer("signer", Key::P256);
    holder.certificates.push(root.certificate.clone());
    assert_eq!(checked(&holder, None), Ok(()));
}

proptest! {
    #[test]
    fn no_answer_breaks_the_readers(bytes in proptest::collection::vec(any::<u8>(), 0..200), changes in mutations()) {
        use std::sync::LazyLock;
        static KNOWN: LazyLock<(Vec<Certificate>, Vec<u8>)> = LazyLock::new(|| {
            let root = Authority::root("root");
            (signer(&root).certificates, list(&root, DAYS[0], DAYS[1], &[42]))
        });
        let (certificates, list) = &*KNOWN;
        let (leaf, root) = (&certificates[0], &certificates[1]);
        let now = "2026-06-01T00:00:00Z".parse().unwrap();
        prop_assert!(crl::look(URL, &bytes, leaf, root, now).is_err());
        let name = ocsp::name(leaf, root).unwrap();
        prop_assert!(ocsp::look(URL, &bytes, &name, leaf, root, now).is_err());
        let changed = mutated(list, &changes);
        prop_assert!(soon(|| crl::look(URL, &changed, leaf, root, now)).is_err(), "a changed list says that it was not revoked");
    }
}
