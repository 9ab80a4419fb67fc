use base64::{Engine, engine::general_purpose::STANDARD};
use crypto_secretbox::{KeyInit, XSalsa20Poly1305, aead::Aead};
use der::pem;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::KeyFileError;
use crate::{secret::Secret, sign::key::PrivateKey};

/// A private key in a file that a password opens, as `cosign generate-key-pair` writes it.
///
/// <https://github.com/sigstore/cosign/blob/v3.1.1/pkg/cosign/keys.go>
#[derive(Debug)]
pub struct KeyFile;

const LABELS: [&str; 2] = ["ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY"];

#[derive(Serialize, Deserialize)]
struct Sealed {
    kdf: Kdf,
    cipher: Cipher,
    ciphertext: String,
}

#[derive(Serialize, Deserialize)]
struct Kdf {
    name: String,
    params: Parameters,
    salt: String,
}

#[derive(Serialize, Deserialize)]
struct Parameters {
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
}

#[derive(Serialize, Deserialize)]
struct Cipher {
    name: String,
    nonce: String,
}

/// The work that opening a new file takes: as much as cosign takes.
const LOG_N: u8 = 16;
const R: u32 = 8;
const P: u32 = 1;
const KDF: &str = "scrypt";
const CIPHER: &str = "nacl/secretbox";

impl KeyFile {
    /// Seals a key, PKCS#8, in a file that this password opens.
    pub fn seal(pkcs8: &[u8], password: &Secret) -> Result<String, KeyFileError> {
        let (mut salt, mut nonce) = ([0; 32], [0; 24]);
        getrandom::fill(&mut salt).and_then(|()| getrandom::fill(&mut nonce)).map_err(|_| KeyFileError::NotSealed)?;
        let key = stretch(password, &salt, LOG_N)?;
        let sealed = XSalsa20Poly1305::new((&*key).into()).encrypt((&nonce).into(), pkcs8);
        let sealed = Sealed {
            kdf: Kdf {
                name: KDF.to_owned(),
                params: Parameters { n: 1 << LOG_N, r: R, p: P },
                salt: STANDARD.encode(salt),
            },
            cipher: Cipher { name: CIPHER.to_owned(), nonce: STANDARD.encode(nonce) },
            ciphertext: STANDARD.encode(sealed.map_err(|_| KeyFileError::NotSealed)?),
        };
        let json = serde_json::to_vec(&sealed).map_err(|_| KeyFileError::NotSealed)?;
        pem::encode_string(LABELS[0], pem::LineEnding::LF, &json).map_err(|_| KeyFileError::NotSealed)
    }

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
        if sealed.kdf.name != KDF || sealed.cipher.name != CIPHER {
            return Err(malformed("it is not sealed with scrypt and nacl/secretbox"));
        }
        let decode = |text: &str| STANDARD.decode(text).map_err(|_| malformed("a part of it is not base64"));
        let (salt, nonce, ciphertext) =
            (decode(&sealed.kdf.salt)?, decode(&sealed.cipher.nonce)?, decode(&sealed.ciphertext)?);
        let nonce: [u8; 24] = nonce.try_into().map_err(|_| malformed("its nonce has not 24 bytes"))?;
        let Parameters { n, r, p } = sealed.kdf.params;
        let log_n = match (n, r, p) {
            (65536, R, P) => 16,
            (32768, R, P) => 15,
            (n, r, p) => return Err(KeyFileError::Work { n, r, p }),
        };
        let key = stretch(password, &salt, log_n)?;
        let opened = XSalsa20Poly1305::new((&*key).into()).decrypt((&nonce).into(), ciphertext.as_slice());
        let der = Zeroizing::new(opened.map_err(|_| KeyFileError::Password)?);
        Ok(PrivateKey::from_pkcs8_der(&der)?)
    }
}

/// The key that a password stands for.
fn stretch(password: &Secret, salt: &[u8], log_n: u8) -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
    let refused = || KeyFileError::Work { n: 1 << log_n, r: R, p: P };
    let work = scrypt::Params::new(log_n, R, P).map_err(|_| refused())?;
    let mut key = Zeroizing::new([0; 32]);
    scrypt::scrypt(password.reveal().as_bytes(), salt, &work, &mut *key).map_err(|_| refused())?;
    Ok(key)
}
