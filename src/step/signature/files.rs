//! Files with certificates and policies: read whole, and bounded. Certificates and keys may stand in the plan itself as well.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use crate::{
    plan::yaml::Spanned,
    sign::certificate::Certificate,
    step::{StepContext, StepError},
};

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

/// Whether that is PEM, and not the path of a file.
pub(in crate::step) fn is_pem(text: &str) -> bool {
    text.trim_start().starts_with("-----BEGIN ")
}

/// The certificates that a step names, in order: files, or PEM that stands in the plan.
pub(super) async fn certificates(cx: &StepContext, named: &[Spanned<String>]) -> Result<Vec<Certificate>, StepError> {
    let mut certificates = Vec::new();
    for one in named {
        if is_pem(one) {
            let fail = |source| StepError::Certificate { path: "a certificate in the plan".to_owned(), source };
            certificates.extend(Certificate::from_pem(one.as_bytes()).map_err(fail)?);
        } else {
            let file = [(cx.places.source(one), one.value.clone())];
            let read = tokio::task::spawn_blocking(move || read_certificates(&file));
            certificates.extend(read.await.map_err(|error| StepError::BrokenOff { message: error.to_string() })??);
        }
    }
    Ok(certificates)
}

/// The certificates of these files, in order. Blocking.
pub(super) fn read_certificates(paths: &[(PathBuf, String)]) -> Result<Vec<Certificate>, StepError> {
    let mut certificates = Vec::new();
    for (path, shown) in paths {
        let found = Certificate::from_file(&read(path, shown)?);
        certificates.extend(found.map_err(|source| StepError::Certificate { path: format!("`{shown}`"), source })?);
    }
    Ok(certificates)
}
