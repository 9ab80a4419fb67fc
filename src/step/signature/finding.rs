use std::fmt;

use serde_json::{Value, json};

use crate::oci::Digest;

/// A signature that was looked at.
#[derive(Debug, Clone)]
pub(in crate::step) struct Finding {
    /// Of the manifest that carries it.
    pub(in crate::step) digest: Digest,
    /// What it is worth, or why nothing.
    pub(in crate::step) result: Result<Signature, String>,
}

/// A signature that counts.
#[derive(Debug, Clone)]
pub(in crate::step) struct Signature {
    /// Who signed, in words.
    pub(in crate::step) signer: String,
    /// What else the output `signers` says.
    pub(in crate::step) details: serde_json::Map<String, Value>,
    /// What a stricter look would refuse.
    pub(in crate::step) warnings: Vec<String>,
}

impl Finding {
    /// The entry of the output `signers`, where it counts.
    pub(in crate::step) fn describe(&self) -> Option<Value> {
        let signature = self.result.as_ref().ok()?;
        let mut entry = json!({ "signer": signature.signer, "signature": self.digest.to_string() });
        if let Value::Object(entry) = &mut entry {
            entry.extend(signature.details.clone());
            entry.insert("warnings".to_owned(), json!(signature.warnings));
        }
        Some(entry)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.result {
            Ok(signature) => write!(f, "{}: signed by `{}`", self.digest, signature.signer),
            Err(reason) => write!(f, "{}: {reason}", self.digest),
        }
    }
}
