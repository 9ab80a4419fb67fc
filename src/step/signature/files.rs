//! Files with certificates and policies: read whole, and bounded.

use std::{fs::File, io::Read, path::Path};

use crate::step::StepError;

/// Certificates have a few kilobytes, a file with those of all authorities some hundred.
const LARGEST: u64 = 4 * 1024 * 1024;

/// What a file holds. Blocking.
pub(super) fn read(path: &Path, shown: &str) -> Result<Vec<u8>, StepError> {
    let fail = |message: String| StepError::Unreadable { path: shown.to_owned(), message };
    let file = File::open(path).map_err(|error| fail(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| fail(error.to_string()))?;
    if bytes.len() as u64 > LARGEST {
        return Err(fail(format!("it holds more than {LARGEST} bytes")));
    }
    Ok(bytes)
}
