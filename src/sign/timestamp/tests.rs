//! A token that openssl made, and what becomes of it when it is changed.

use base64::{Engine, engine::general_purpose::STANDARD};
use proptest::prelude::*;

use super::*;
use crate::sign::{
    certificate::{Certificate, testing::Authority},
    cosign::signed_at,
    key::Hash,
    mutation::{mutated, mutations, soon},
};

const MESSAGE: &[u8] = b"the signature";

fn decode(text: &str) -> Vec<u8> {
    STANDARD.decode(text.split_whitespace().collect::<String>()).unwrap()
}

fn token() -> Vec<u8> {
    decode(include_str!("fixtures/token.txt"))
}

fn root() -> Vec<Certificate> {
    Certificate::from_pem(include_bytes!("fixtures/root.pem")).unwrap()
}

#[test]
fn a_token_says_when_something_was_there() {
    let verified = Token::read(&token()).unwrap().verify(MESSAGE, &root()).unwrap();
    assert_eq!(verified.time.to_string(), "2026-11-27T01:21:24Z");
    assert_eq!(verified.accuracy.as_millis(), 1500);
    assert_eq!(verified.chain.leaf().subject().to_string(), "CN=time,O=acme,ST=WA,C=US");
    let inner = token_of(&decode(include_str!("fixtures/response.txt")), None).unwrap();
    assert!(Token::read(&inner).unwrap().verify(MESSAGE, &root()).is_ok());
}

#[test]
fn a_signature_was_made_when_one_of_its_timestamps_says() {
    let (answer, root) = (decode(include_str!("fixtures/response.txt")), root());
    let time = signed_at(MESSAGE, &[b"nothing".to_vec(), answer.clone()], &root).unwrap();
    assert_eq!(time.to_string(), "2026-11-27T01:21:24Z");
    let refused = |answers: &[Vec<u8>]| signed_at(b"another", answers, &root).unwrap_err().to_string();
    assert_eq!(refused(&[answer]), "the timestamp is over another signature");
    assert_eq!(refused(&[]), "it has no timestamp, and one is needed");
}

#[test]
fn a_token_is_over_one_message_and_of_somebody_who_is_trusted() {
    let verify = |message: &[u8], anchors: &[Certificate]| {
        Token::read(&token()).unwrap().verify(message, anchors).unwrap_err().to_string()
    };
    assert_eq!(verify(b"another", &root()), "the timestamp is over another signature");
    let stranger = Authority::root("time root").certificate;
    let name = "CN=time root,O=acme,ST=WA,C=US";
    let message = format!(
        "the timestamp service `CN=time,O=acme,ST=WA,C=US` is not trusted: it was certified by `{name}`, which is no trusted authority for timestamps"
    );
    assert_eq!(verify(MESSAGE, &[stranger]), message);
    assert_eq!(verify(MESSAGE, &[]), message);
}

#[test]
fn an_answer_belongs_to_its_request() {
    let answer = decode(include_str!("fixtures/response.txt"));
    let other = Request::new(Hash::Sha256, MESSAGE, [7; 16]).unwrap();
    assert_eq!(token_of(&answer, Some(&other)).unwrap_err().to_string(), "the timestamp is that of another request");
    let other = Request::new(Hash::Sha256, b"another", [7; 16]).unwrap();
    assert_eq!(token_of(&answer, Some(&other)).unwrap_err().to_string(), "the timestamp is over another signature");
    // PKIStatusInfo with the status 2, rejection.
    let refused = token_of(&[0x30, 5, 0x30, 3, 2, 1, 2], None).unwrap_err().to_string();
    assert_eq!(refused, "the timestamp service refused");
}

#[test]
fn a_request_asks_for_the_certificate_and_is_random() {
    let der = Request::new(Hash::Sha384, MESSAGE, [0x81; 16]).unwrap().to_der().unwrap();
    let hash = Hash::Sha384.of(MESSAGE);
    assert!(der.windows(hash.len()).any(|part| part == hash));
    // The nonce is a positive number, and what follows it is `TRUE`.
    assert!(der.ends_with(&[&[0x02, 17, 0][..], &[0x81; 16], &[0x01, 1, 0xff]].concat()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_changed_token_says_nothing_else(changes in mutations()) {
        let der = mutated(&token(), &changes);
        let response = mutated(&decode(include_str!("fixtures/response.txt")), &changes);
        let _ = soon(|| token_of(&response, None));
        if let Ok(verified) = soon(|| Token::read(&der).and_then(|token| token.verify(MESSAGE, &root()))) {
            prop_assert_eq!(verified.time.to_string(), "2026-11-27T01:21:24Z");
        }
    }

    #[test]
    fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Token::read(&bytes).is_err());
        prop_assert!(token_of(&bytes, None).is_err());
    }
}
