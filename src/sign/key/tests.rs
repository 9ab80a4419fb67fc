use proptest::prelude::*;
use rcgen::{KeyPair, RsaKeySize};

use super::*;

fn keys() -> Vec<(String, Vec<Scheme>)> {
    let pem = |pair: Result<KeyPair, rcgen::Error>| pair.unwrap().serialize_pem();
    let curve = |hash| vec![Scheme::EcdsaFixed(hash), Scheme::EcdsaDer(hash)];
    let rsa = [Hash::Sha256, Hash::Sha384, Hash::Sha512];
    let rsa = rsa.into_iter().flat_map(|hash| [Scheme::RsaPss(hash), Scheme::RsaPkcs1(hash)]).collect();
    vec![
        (pem(KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)), curve(Hash::Sha256)),
        (pem(KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384)), curve(Hash::Sha384)),
        (pem(KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512)), curve(Hash::Sha512)),
        (pem(KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048)), rsa),
        (pem(KeyPair::generate_for(&rcgen::PKCS_ED25519)), vec![Scheme::Ed25519]),
    ]
}

#[test]
fn what_a_key_signs_it_alone_verifies() {
    let kinds = ["P-256", "P-384", "P-521", "RSA with 2048 bits", "Ed25519"];
    let keys = keys();
    for ((pem, schemes), kind) in keys.iter().zip(kinds) {
        let key = PrivateKey::from_pem(pem).unwrap();
        assert_eq!(key.public().kind().to_string(), kind);
        assert_eq!(format!("{key:?}"), format!("PrivateKey({kind})"));
        assert_eq!(PublicKey::from_spki_der(key.public().spki_der()).as_ref(), Ok(key.public()));
        for scheme in schemes {
            let signature = key.sign(*scheme, b"message").unwrap();
            assert_eq!(key.public().verify(*scheme, b"message", &signature), Ok(()));
            assert_eq!(key.public().verify(*scheme, b"massage", &signature), Err(KeyError::NotVerified));
            let mut changed = signature.clone();
            changed[9] ^= 1;
            assert_eq!(key.public().verify(*scheme, b"message", &changed), Err(KeyError::NotVerified));
        }
        let others = keys.iter().flat_map(|(_, schemes)| schemes).filter(|scheme| !schemes.contains(scheme));
        for other in others {
            let refused = key.sign(*other, b"message").unwrap_err();
            assert_eq!(refused, KeyError::Scheme { kind: key.public().kind() });
            assert!(key.public().verify(*other, b"message", &[0; 64]).is_err());
        }
    }
}

#[test]
fn what_is_no_key_says_so() {
    let wrong = PrivateKey::from_pem("hello").unwrap_err().to_string();
    assert_eq!(wrong, "there is no private key: write PEM, as PKCS#8, SEC 1 or PKCS#1 have it, not encrypted");
    let wrong = PublicKey::from_pem("hello").unwrap_err().to_string();
    assert_eq!(wrong, "there is no public key: write PEM that begins with `-----BEGIN PUBLIC KEY-----`");
    let empty = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
    assert_eq!(PrivateKey::from_pem(empty).unwrap_err(), KeyError::Malformed);
}

proptest! {
    #[test]
    fn nothing_breaks_the_readers(bytes in proptest::collection::vec(any::<u8>(), 0..200), place: usize, byte: u8) {
        prop_assert!(PublicKey::from_spki_der(&bytes).is_err());
        prop_assert!(PrivateKey::from_pkcs8_der(&bytes).is_err());
        let key = KeyPair::generate().unwrap();
        let mut der = key.serialize_der();
        let place = place % der.len();
        der[place] = byte;
        let _ = PrivateKey::from_pkcs8_der(&der);
        let mut der = PrivateKey::from_pkcs8_der(&key.serialize_der()).unwrap().public().spki_der().to_vec();
        let place = place % der.len();
        der[place] = byte;
        let _ = PublicKey::from_spki_der(&der);
    }
}
