//! Files with certificates and policies: read whole, and bounded.

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

/// The certificates of the files that a step names, in order.
pub(super) async fn certificates(cx: &StepContext, paths: &[Spanned<String>]) -> Result<Vec<Certificate>, StepError> {
    let paths: Vec<_> = paths.iter().map(|path| (cx.places.source(path), path.value.clone())).collect();
    let read = tokio::task::spawn_blocking(move || read_certificates(&paths));
    read.await.map_err(|error| StepError::BrokenOff { message: error.to_string() })?
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
