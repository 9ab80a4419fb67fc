use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Algorithm, Hasher};

/// The address of content: `sha256:` and 64 hexadecimal digits, lower case.
///
/// <https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md#digests>
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    algorithm: Algorithm,
    hex: Box<str>,
}

/// Why a text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// There is no colon.
    #[error("`{text}` is not a digest: write `sha256:` and 64 hexadecimal digits")]
    NoAlgorithm {
        /// What was given.
        text: String,
    },
    /// The algorithm is not a registered one.
    #[error("the digest algorithm `{name}` is not supported: use `sha256` or `sha512`")]
    UnknownAlgorithm {
        /// What stands before the colon.
        name: String,
    },
    /// The digits are too few, too many, or not lower-case hexadecimal.
    #[error("`{text}` is not a digest: {algorithm} takes {} lower-case hexadecimal digits, not `{hex}`", algorithm.hex_length())]
    Hex {
        /// What was given.
        text: String,
        /// The algorithm that it names.
        algorithm: Algorithm,
        /// What stands after the colon.
        hex: String,
    },
}

impl Digest {
    /// The SHA-256 digest of `bytes`.
    pub fn sha256(bytes: &[u8]) -> Self {
        Self::of(Algorithm::Sha256, bytes)
    }

    /// The digest of `bytes`.
    pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    pub(super) fn from_hash(algorithm: Algorithm, hash: &[u8]) -> Self {
        // By hand: a large plan is checked with tens of thousands of digests, and `{:02x}` takes longer than hashing.
        let digit = |value: u8| char::from(if value < 10 { b'0' + value } else { b'a' + value - 10 });
        let mut hex = String::with_capacity(hash.len() * 2);
        for byte in hash {
            hex.push(digit(byte >> 4));
            hex.push(digit(byte & 0xf));
        }
        Self { algorithm, hex: hex.into() }
    }

    /// The algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The digits, without the algorithm.
    pub fn hex(&self) -> &str {
        &self.hex
    }

    /// The first 12 digits, as people are shown.
    pub fn short(&self) -> &str {
        &self.hex[..12]
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm, self.hex)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (name, hex) = text.split_once(':').ok_or_else(|| DigestError::NoAlgorithm { text: text.to_owned() })?;
        let algorithm =
            Algorithm::from_name(name).ok_or_else(|| DigestError::UnknownAlgorithm { name: name.to_owned() })?;
        let lower_hex = hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if hex.len() != algorithm.hex_length() || !lower_hex {
            return Err(DigestError::Hex { text: text.to_owned(), algorithm, hex: hex.to_owned() });
        }
        Ok(Self { algorithm, hex: hex.into() })
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_what_it_parsed() {
        let text = Digest::sha256(b"{}").to_string();
        assert_eq!(text, "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
        assert_eq!(text.parse::<Digest>().unwrap().to_string(), text);
        assert_eq!(text.parse::<Digest>().unwrap().short(), "44136fa355b3");
    }

    #[test]
    fn every_byte_has_its_digits() {
        let hash: Vec<u8> = (0..=255).collect();
        let digits: Vec<String> = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(Digest::from_hash(Algorithm::Sha256, &hash).hex(), digits.concat());
    }

    #[test]
    fn refuses_what_is_not_a_digest() {
        for text in ["", "sha256", "sha256:", "sha256:44", "md5:44136fa355b3678a1146ad16f7e8649e"] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
        let upper = format!("sha256:{}", "A".repeat(64));
        assert!(matches!(upper.parse::<Digest>(), Err(DigestError::Hex { .. })));
    }
}
