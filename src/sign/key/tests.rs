use std::sync::LazyLock;

use proptest::prelude::*;
use rcgen::{KeyPair, RsaKeySize};

use super::*;
use crate::sign::mutation::{mutated, mutations, soon};

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
    fn nothing_breaks_the_readers(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(PublicKey::from_spki_der(&bytes).is_err());
        prop_assert!(PrivateKey::from_pkcs8_der(&bytes).is_err());
    }

    /// A changed key is none, or another one that does what a key does: it is not taken for the one that it was.
    #[test]
    fn a_changed_key_is_none_or_another_one(which in 0_usize..4, changes in mutations()) {
        static KEYS: LazyLock<[Vec<u8>; 4]> = LazyLock::new(|| [
            KeyPair::generate().unwrap().serialize_der(),
            KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap().serialize_der(),
            KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap().serialize_der(),
            KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap().serialize_der(),
        ]);
        let key = PrivateKey::from_pkcs8_der(&KEYS[which]).unwrap();
        let scheme = match which {
            0 => Scheme::EcdsaFixed(Hash::Sha256),
            1 => Scheme::EcdsaFixed(Hash::Sha512),
            2 => Scheme::Ed25519,
            _ => Scheme::RsaPss(Hash::Sha256),
        };
        let signature = key.sign(scheme, b"message").unwrap();
        let der = mutated(&KEYS[which], &changes);
        if let Ok(changed) = soon(|| PrivateKey::from_pkcs8_der(&der)) {
            let _ = soon(|| changed.sign(scheme, b"message"));
        }
        let public = key.public().spki_der();
        let der = mutated(public, &changes);
        if let Ok(changed) = soon(|| PublicKey::from_spki_der(&der)) {
            let counts = soon(|| changed.verify(scheme, b"message", &signature)).is_ok();
            prop_assert!(!counts || changed.kind() == key.public().kind(), "another kind of key has signed it");
        }
        let signature = mutated(&signature, &changes);
        prop_assert!(key.public().verify(scheme, b"other", &signature).is_err());
    }

    #[test]
    fn a_changed_pem_is_read_or_refused(changes in mutations()) {
        static PEM: LazyLock<[String; 2]> = LazyLock::new(|| {
            let pair = KeyPair::generate().unwrap();
            [pair.serialize_pem(), pair.public_key_pem()]
        });
        let [private, public] = PEM.each_ref().map(|pem| String::from_utf8_lossy(&mutated(pem.as_bytes(), &changes)).into_owned());
        let _ = soon(|| PrivateKey::from_pem(&private));
        let _ = soon(|| PublicKey::from_pem(&public));
    }
}
