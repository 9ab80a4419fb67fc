use proptest::prelude::*;
use rcgen::{ExtendedKeyUsagePurpose, KeyUsagePurpose};

use super::{
    known_chains::KnownChains,
    testing::{Authority, Key, authority_parameters, pem, self_signed, signer_parameters},
    *,
};
use crate::sign::mutation::{mutated, mutations, soon};

fn chain(certificates: &[Certificate]) -> Result<Chain, String> {
    Chain::new(certificates.to_vec(), Purpose::Signing).map_err(|error| error.to_string())
}

const NAME: &str = "C=US,ST=WA,O=acme";

fn name(common: &str) -> String {
    format!("CN={common},O=acme,ST=WA,C=US")
}

#[test]
fn a_chain_is_complete_ordered_and_nothing_more() {
    let root = Authority::root("root");
    let middle = root.authority(authority_parameters("middle", Some(0)));
    let leaf = middle.signer("signer", Key::P256).certificates[0].clone();
    let [middle, root] = [middle.certificate, root.certificate];
    assert!(chain(&[leaf.clone(), middle.clone(), root.clone()]).is_ok());
    let wrong = |certificates: &[&Certificate]| {
        let certificates: Vec<_> = certificates.iter().map(|certificate| (*certificate).clone()).collect();
        chain(&certificates).unwrap_err()
    };
    assert_eq!(
        wrong(&[]),
        "there is no certificate: write PEM, the certificate of the key first, then its issuers up to the root"
    );
    let incomplete = |last: &str| {
        format!("the chain ends at `{}`, which is not self-signed: add its issuers up to the root", name(last))
    };
    assert_eq!(wrong(&[&leaf]), incomplete("signer"));
    assert_eq!(wrong(&[&leaf, &middle]), incomplete("middle"));
    let not_issued = |one: &str, next: &str| {
        format!("the certificate `{}` was not issued by the next one in the chain, `{}`", name(one), name(next))
    };
    assert_eq!(wrong(&[&leaf, &root]), not_issued("signer", "root"));
    assert_eq!(wrong(&[&middle, &leaf, &root]), not_issued("middle", "signer"));
    let goes_on = format!("the chain goes on after `{}`, which is self-signed", name("root"));
    assert_eq!(wrong(&[&root, &middle, &leaf]), goes_on);
    assert_eq!(wrong(&[&leaf, &middle, &root, &root]), goes_on);
    // An authority of the same name has not signed it.
    let evil = Authority::root("middle").certificate;
    assert_eq!(wrong(&[&leaf, &evil, &root]), not_issued("signer", "middle"));
    let many = vec![root.clone(); 17];
    assert_eq!(chain(&many).unwrap_err(), "a chain of 17 certificates is too long: at most 16");
    let found = Chain::find(&leaf, &[root.clone(), leaf.clone(), middle.clone()], Purpose::Signing).unwrap();
    assert_eq!(found.certificates(), [leaf.clone(), middle.clone(), root.clone()]);
    assert!(found.leads_to(&[middle]) && found.leads_to(&[root]));
    assert!(!found.leads_to(&[leaf]) && !found.leads_to(&[evil]));
}

#[test]
fn what_was_checked_is_known_again_by_its_bytes_and_purpose_alone() {
    let root = Authority::root("root");
    let leaf = root.signer("signer", Key::P256).certificates[0].clone();
    let ders = vec![leaf.der().to_vec(), root.certificate.der().to_vec()];
    let read = |ders: &[Vec<u8>]| Chain::read(ders, Purpose::Signing);
    let is_known = |one: &Chain, other: &Chain| std::ptr::eq(one.leaf().der(), other.leaf().der());
    let first = read(&ders).unwrap();
    assert!(is_known(&first, &read(&ders).unwrap()));
    assert_eq!(first.certificates(), [leaf.clone(), root.certificate.clone()]);
    // A key that signs artifacts must not sign times, and a bit of the signature makes another certificate.
    assert!(Chain::read(&ders, Purpose::Timestamping).is_err());
    let mut flipped = ders.clone();
    *flipped[0].last_mut().unwrap() ^= 1;
    for _ in 0..2 {
        assert!(matches!(read(&flipped), Err(CertificateError::NotIssuedBy { .. })));
        assert!(matches!(read(&ders[..1]), Err(CertificateError::Incomplete { .. })));
    }
}

#[test]
fn so_many_chains_are_kept_and_no_more() {
    let chains: Vec<_> = (0..=KnownChains::MOST)
        .map(|number| {
            let root = Authority::root(&format!("root {number}"));
            Chain::new(root.signer("signer", Key::P256).certificates, Purpose::Signing).unwrap()
        })
        .collect();
    let known = KnownChains::new();
    let find = |chain: &Chain| {
        let ders: Vec<_> = chain.certificates().iter().map(|certificate| certificate.der().to_vec()).collect();
        known.find(&ders, Purpose::Signing)
    };
    for chain in &chains {
        assert!(find(chain).is_none());
        known.keep(chain, Purpose::Signing);
        assert_eq!(find(chain).as_ref(), Some(chain));
    }
    assert!(find(&chains[0]).is_none());
    assert!(chains[1..].iter().all(|chain| find(chain).is_some()));
}

#[test]
fn an_authority_allows_only_so_many_below() {
    let root = Authority::root("root");
    let middle = root.authority(authority_parameters("middle", Some(0)));
    let low = middle.authority(authority_parameters("low", None));
    let leaf = low.signer("signer", Key::P256).certificates[0].clone();
    let all = [leaf, low.certificate, middle.certificate, root.certificate];
    let message = format!("the certificate `{}` allows 0 authorities below it, and there are 1", name("middle"));
    assert_eq!(chain(&all).unwrap_err(), message);
}

#[test]
fn an_authority_says_that_it_is_one() {
    let root = Authority::root("root");
    let mut parameters = authority_parameters("middle", None);
    parameters.key_usages = vec![KeyUsagePurpose::CrlSign];
    let middle = root.authority(parameters);
    let leaf = middle.signer("signer", Key::P256).certificates[0].clone();
    let message = "is not that of an authority: its key usage does not include `keyCertSign`";
    let message = format!("the certificate `{}` {message}", name("middle"));
    assert_eq!(chain(&[leaf, middle.certificate, root.certificate]).unwrap_err(), message);
}

#[test]
fn a_signer_signs_and_does_nothing_else() {
    let root = Authority::root("root");
    let refused = |edit: fn(&mut rcgen::CertificateParams)| {
        let mut parameters = signer_parameters("signer");
        edit(&mut parameters);
        let message = chain(&root.holder(&parameters, Key::P256).certificates).unwrap_err();
        let start = format!("the certificate `{}` must not be used for signing: ", name("signer"));
        message.strip_prefix(&start).unwrap().to_owned()
    };
    assert_eq!(refused(|it| it.key_usages.clear()), "it has no key usage");
    assert_eq!(
        refused(|it| it.key_usages = vec![KeyUsagePurpose::ContentCommitment]),
        "its key usage does not include `digitalSignature`"
    );
    assert_eq!(
        refused(|it| it.key_usages.push(KeyUsagePurpose::KeyEncipherment)),
        "its key usage includes `keyEncipherment`"
    );
    assert_eq!(refused(|it| it.key_usages.push(KeyUsagePurpose::CrlSign)), "its key usage includes `cRLSign`");
    assert_eq!(
        refused(|it| it.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth)),
        "its extended key usage includes `serverAuth`"
    );
    assert_eq!(
        refused(|it| it.extended_key_usages.push(ExtendedKeyUsagePurpose::Any)),
        "its extended key usage includes `anyExtendedKeyUsage`"
    );
    assert_eq!(
        refused(|it| it.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained)),
        "it is that of an authority"
    );
    // What may stand there as well.
    let mut parameters = signer_parameters("signer");
    parameters.key_usages.push(KeyUsagePurpose::ContentCommitment);
    assert!(chain(&root.holder(&parameters, Key::P256).certificates).is_ok());
    assert!(chain(&self_signed(&signer_parameters("alone")).certificates).is_ok());
    let alone = Chain::new(self_signed(&signer_parameters("alone")).certificates, Purpose::Timestamping).unwrap_err();
    let message = "must not be used for timestamps: its extended key usage must be critical, and `timeStamping` alone";
    assert_eq!(alone.to_string(), format!("the certificate `{}` {message}", name("alone")));
}

#[test]
fn what_was_changed_was_not_issued() {
    let root = Authority::root("root");
    let leaf = root.signer("signer", Key::P256).certificates[0].clone();
    assert!(leaf.is_issued_by(&root.certificate).unwrap());
    let place = leaf.der().windows(6).position(|part| part == b"signer").unwrap();
    let mut changed = leaf.der().to_vec();
    changed[place] = b'S';
    let changed = Certificate::from_der(&changed).unwrap();
    assert_eq!(changed.subject().to_string(), name("Signer"));
    assert!(!changed.is_issued_by(&root.certificate).unwrap());
}

#[test]
fn files_hold_pem_or_der() {
    let root = Authority::root("root");
    let certificates = root.signer("signer", Key::P256).certificates;
    let text = format!("Certificate:\n  Data: x\n{}", pem(&certificates));
    assert_eq!(Certificate::from_file(text.as_bytes()).unwrap(), certificates);
    assert_eq!(Certificate::from_file(certificates[0].der()).unwrap(), certificates[..1]);
    let none = "there is no certificate: write PEM, the certificate of the key first, then its issuers up to the root";
    assert_eq!(Certificate::from_file(b"hello").unwrap_err().to_string(), none);
}

#[test]
fn a_name_is_compared_part_by_part() {
    let whole = Authority::root("a, b").certificate.subject().clone();
    assert_eq!(whole.to_string(), "CN=a\\, b,O=acme,ST=WA,C=US");
    let is_part = |text: &str| Name::parse(text).unwrap().is_part_of(&whole);
    assert!(is_part(NAME) && is_part("O=acme, C=US, S=WA") && is_part(" c = US, st=WA , o=\\61cme"));
    assert!(is_part("C=US, ST=WA, O=acme, CN=a\\, b"));
    assert!(
        !is_part("C=US, ST=WA, O=Acme") && !is_part("C=US, ST=WA, O=acme, CN=a") && !is_part("C=US,ST=WA,O=acme,L=x")
    );
    let wrong = |text: &str| Name::parse(text).unwrap_err().to_string();
    assert_eq!(wrong("C=US, ST=WA"), "`O` is missing: at least C, ST and O are needed");
    assert_eq!(wrong("C=US, ST=WA, O=a, S=OR"), "`ST` stands there twice");
    assert_eq!(wrong("acme"), "`acme` is not `NAME=value`");
    let unsupported = "is written in a way that cannot be compared: write one `NAME=value` for each part";
    assert_eq!(wrong("C=US, ST=WA, O=#0c01"), format!("`O=#0c01` {unsupported}"));
    assert_eq!(wrong("C=US, ST=WA, O=a+OU=b"), format!("`O=a+OU=b` {unsupported}"));
    assert_eq!(wrong("C=US, ST=WA, O=a\\"), "`O=a\\` ends within an escape");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_changed_certificate_does_not_count(changes in mutations()) {
        use std::sync::LazyLock;
        static LEAF: LazyLock<Vec<Certificate>> =
            LazyLock::new(|| Authority::root("root").signer("signer", Key::P256).certificates);
        let der = mutated(LEAF[0].der(), &changes);
        let file = mutated(pem(&LEAF).as_bytes(), &changes);
        if let Ok(certificates) = soon(|| Certificate::from_file(&file)) {
            let is_ours = |one: &Certificate| LEAF.contains(one);
            prop_assert!(Chain::new(certificates.clone(), Purpose::Signing).is_err() || certificates.iter().all(is_ours));
        }
        if let Ok(changed) = soon(|| Certificate::from_der(&der)) {
            let chain = Chain::new(vec![changed, LEAF[1].clone()], Purpose::Signing);
            prop_assert!(chain.is_err() || der == LEAF[0].der(), "a changed certificate counts");
        }
    }

    #[test]
    fn any_text_is_a_name_or_an_error(text in "\\PC{0,64}|[A-Z=, \\\\#+;a-f0-9]{0,64}") {
        let _ = Name::parse(&text);
        let _ = Certificate::from_file(text.as_bytes());
    }
}
