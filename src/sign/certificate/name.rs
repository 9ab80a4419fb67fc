use std::fmt::{self, Write};

use const_oid::{ObjectIdentifier, db::DB};
use der::{
    Encode, Tag, Tagged,
    asn1::{BmpString, Ia5StringRef, PrintableStringRef, TeletexStringRef, Utf8StringRef},
};
use x509_cert::{attr::AttributeTypeAndValue, name::RdnSequence};

/// Who somebody is: attributes with their values, as RFC 4514 writes them.
///
/// <https://www.rfc-editor.org/rfc/rfc4514>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(Vec<Attribute>);

/// One attribute of a name. A part of a name that has several of them is read as several parts.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Attribute {
    /// In upper case, `S` as `ST`; or an object identifier.
    name: String,
    value: String,
}

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It is not made of `NAME=value`.
    #[error("`{part}` is not `NAME=value`")]
    NoPair {
        /// What stands there.
        part: String,
    },
    /// Several attributes in one part, or a value in hexadecimal digits.
    #[error("`{part}` is written in a way that cannot be compared: write one `NAME=value` for each part")]
    Unsupported {
        /// What stands there.
        part: String,
    },
    /// An attribute stands there twice.
    #[error("`{name}` stands there twice")]
    Twice {
        /// Which.
        name: String,
    },
    /// It does not say enough to tell two of one name apart.
    #[error("`{name}` is missing: at least C, ST and O are needed")]
    Missing {
        /// Which attribute.
        name: &'static str,
    },
    /// A backslash with nothing behind it that may stand there.
    #[error("`{part}` ends within an escape")]
    Escape {
        /// What stands there.
        part: String,
    },
}

impl Name {
    /// The name in a certificate.
    pub(super) fn of(name: &RdnSequence) -> Self {
        Self(name.0.iter().flat_map(|part| part.0.iter()).map(Attribute::of).collect())
    }

    /// Reads an identity of a trust policy: no attribute twice, none in hexadecimal digits, and at least country, state
    /// and organisation.
    ///
    /// <https://github.com/notaryproject/specifications/blob/v1.1.0/specs/trust-store-trust-policy.md#trusted-identities-constraints>
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let mut attributes: Vec<Attribute> = Vec::new();
        for part in split(text) {
            let attribute = Attribute::parse(part)?;
            if attributes.iter().any(|other| other.name == attribute.name) {
                return Err(NameError::Twice { name: attribute.name });
            }
            attributes.push(attribute);
        }
        let has = |name: &str| attributes.iter().any(|attribute| attribute.name == name && !attribute.value.is_empty());
        match ["C", "ST", "O"].into_iter().find(|name| !has(name)) {
            Some(name) => Err(NameError::Missing { name }),
            None => Ok(Self(attributes)),
        }
    }

    /// Whether every attribute of this name is in `other` with the same value.
    pub fn is_part_of(&self, other: &Self) -> bool {
        self.0.iter().all(|attribute| {
            let mut same = other.0.iter().filter(|other| other.name == attribute.name);
            // An attribute that stands there twice is not one that can be compared.
            same.next().is_some_and(|found| found.value == attribute.value) && same.next().is_none()
        })
    }
}

/// The parts between commas that are not escaped.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut escaped = false;
    text.split(move |letter: char| {
        let is_escape = letter == '\\' && !escaped;
        let is_border = matches!(letter, ',' | ';') && !escaped;
        escaped = is_escape;
        is_border
    })
}

impl Attribute {
    fn of(pair: &AttributeTypeAndValue) -> Self {
        let name = match short_name(pair.oid) {
            Some(name) => name.to_owned(),
            None => pair.oid.to_string(),
        };
        let text = match pair.value.tag() {
            Tag::PrintableString => PrintableStringRef::try_from(&pair.value).ok().map(|text| text.to_string()),
            Tag::Utf8String => Utf8StringRef::try_from(&pair.value).ok().map(|text| text.to_string()),
            Tag::Ia5String => Ia5StringRef::try_from(&pair.value).ok().map(|text| text.to_string()),
            Tag::TeletexString => TeletexStringRef::try_from(&pair.value).ok().map(|text| text.to_string()),
            Tag::BmpString => pair.value.decode_as::<BmpString>().ok().map(|text| text.to_string()),
            _ => None,
        };
        let hex = || {
            let bytes = pair.value.to_der().unwrap_or_default();
            bytes.iter().fold("#".to_owned(), |mut hex, byte| {
                // Writing to a string cannot fail.
                let _ = write!(hex, "{byte:02x}");
                hex
            })
        };
        Self { name, value: text.unwrap_or_else(hex) }
    }

    fn parse(part: &str) -> Result<Self, NameError> {
        let shown = || part.trim().to_owned();
        let (name, value) = part.split_once('=').ok_or_else(|| NameError::NoPair { part: shown() })?;
        let (name, value) = (name.trim(), value.trim_start());
        if name.is_empty() {
            return Err(NameError::NoPair { part: shown() });
        }
        if value.starts_with('#') {
            return Err(NameError::Unsupported { part: shown() });
        }
        let mut bytes = Vec::with_capacity(value.len());
        let mut letters = value.bytes();
        // Blanks at the end count only where they are escaped.
        let mut kept = 0;
        while let Some(letter) = letters.next() {
            match letter {
                b'\\' => {
                    let escape = || NameError::Escape { part: shown() };
                    let next = letters.next().ok_or_else(escape)?;
                    match char::from(next).to_digit(16) {
                        Some(high) => {
                            let low = letters.next().and_then(|low| char::from(low).to_digit(16)).ok_or_else(escape)?;
                            bytes.push(u8::try_from(high * 16 + low).map_err(|_| escape())?);
                        }
                        None => bytes.push(next),
                    }
                    kept = bytes.len();
                }
                b'+' => return Err(NameError::Unsupported { part: shown() }),
                letter => {
                    bytes.push(letter);
                    if letter != b' ' {
                        kept = bytes.len();
                    }
                }
            }
        }
        bytes.truncate(kept);
        let value = String::from_utf8(bytes).map_err(|_| NameError::Escape { part: shown() })?;
        let name = match name.to_ascii_uppercase() {
            name if name == "S" => "ST".to_owned(),
            name => name,
        };
        Ok(Self { name, value })
    }
}

/// The names that RFC 4514 and the certificates of signers use.
fn short_name(identifier: ObjectIdentifier) -> Option<&'static str> {
    use const_oid::db::rfc4519;
    Some(match identifier {
        rfc4519::CN => "CN",
        rfc4519::C => "C",
        rfc4519::ST => "ST",
        rfc4519::L => "L",
        rfc4519::O => "O",
        rfc4519::OU => "OU",
        rfc4519::STREET => "STREET",
        rfc4519::DC => "DC",
        rfc4519::UID => "UID",
        rfc4519::SERIAL_NUMBER => "SERIALNUMBER",
        rfc4519::POSTAL_CODE => "POSTALCODE",
        _ => return DB.by_oid(&identifier).filter(|name| *name == "emailAddress").map(|_| "EMAILADDRESS"),
    })
}

impl fmt::Display for Name {
    /// The last part first, as RFC 4514 says and notation shows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, attribute) in self.0.iter().rev().enumerate() {
            if place > 0 {
                f.write_char(',')?;
            }
            write!(f, "{}=", attribute.name)?;
            let last = attribute.value.chars().count().saturating_sub(1);
            for (place, letter) in attribute.value.chars().enumerate() {
                let is_edge = (place == 0 && matches!(letter, ' ' | '#')) || (place == last && letter == ' ');
                match letter {
                    ',' | '+' | '"' | '\\' | '<' | '>' | ';' => write!(f, "\\{letter}")?,
                    _ if is_edge => write!(f, "\\{letter}")?,
                    // A name is shown in a terminal.
                    letter if letter.is_control() => {
                        let mut bytes = [0; 4];
                        for byte in letter.encode_utf8(&mut bytes).bytes() {
                            write!(f, "\\{byte:02X}")?;
                        }
                    }
                    letter => f.write_char(letter)?,
                }
            }
        }
        Ok(())
    }
}
