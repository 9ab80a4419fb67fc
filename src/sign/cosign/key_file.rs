use base64::{Engine, engine::general_purpose::STANDARD};
use crypto_secretbox::{KeyInit, XSalsa20Poly1305, aead::Aead};
use der::pem;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::KeyFileError;
use crate::{secret::Secret, sign::key::PrivateKey};

/// A private key in a file that a password opens, as `cosign generate-key-pair` writes it.
///
/// <https://github.com/sigstore/cosign/blob/v3.1.1/pkg/cosign/keys.go>
#[derive(Debug)]
pub struct KeyFile;

const LABELS: [&str; 2] = ["ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY"];

#[derive(Deserialize)]
struct Sealed {
    kdf: Kdf,
    cipher: Cipher,
    ciphertext: String,
}

#[derive(Deserialize)]
struct Kdf {
    name: String,
    params: Parameters,
    salt: String,
}

#[derive(Deserialize)]
struct Parameters {
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
}

#[derive(Deserialize)]
struct Cipher {
    name: String,
    nonce: String,
}

impl KeyFile {
    /// Whether the text is such a file.
    pub fn is(text: &str) -> bool {
        LABELS.iter().any(|label| text.contains(&format!("-----BEGIN {label}-----")))
    }

    /// The key in it. It takes about a tenth of a second and 64 MiB: more is refused, so that a file cannot ask for it.
    pub fn open(text: &str, password: &Secret) -> Result<PrivateKey, KeyFileError> {
        let malformed = |problem| KeyFileError::Malformed { problem };
        let (label, json) = pem::decode_vec(text.trim().as_bytes()).map_err(|_| malformed("it is no PEM"))?;
        if !LABELS.contains(&label) {
            return Err(malformed("it is no encrypted key of cosign"));
        }
        let sealed: Sealed = serde_json::from_slice(&json).map_err(|_| malformed("what is in it is not JSON"))?;
        if sealed.kdf.name != "scrypt" || sealed.cipher.name != "nacl/secretbox" {
            return Err(malformed("it is not sealed with scrypt and nacl/secretbox"));
        }
        let decode = |text: &str| STANDARD.decode(text).map_err(|_| malformed("a part of it is not base64"));
        let (salt, nonce, ciphertext) =
            (decode(&sealed.kdf.salt)?, decode(&sealed.cipher.nonce)?, decode(&sealed.ciphertext)?);
        let nonce: [u8; 24] = nonce.try_into().map_err(|_| malformed("its nonce has not 24 bytes"))?;
        let Parameters { n, r, p } = sealed.kdf.params;
        let log_n = match (n, r, p) {
            (65536, 8, 1) => 16,
            (32768, 8, 1) => 15,
            (n, r, p) => return Err(KeyFileError::Work { n, r, p }),
        };
        let work = scrypt::Params::new(log_n, r, p).map_err(|_| KeyFileError::Work { n, r, p })?;
        let mut key = Zeroizing::new([0; 32]);
        scrypt::scrypt(password.reveal().as_bytes(), &salt, &work, &mut *key).map_err(|_| KeyFileError::Work {
            n,
            r,
            p,
        })?;
        let opened = XSalsa20Poly1305::new((&*key).into()).decrypt((&nonce).into(), ciphertext.as_slice());
        let der = Zeroizing::new(opened.map_err(|_| KeyFileError::Password)?);
        Ok(PrivateKey::from_pkcs8_der(&der)?)
    }
}
