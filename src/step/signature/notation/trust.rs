use super::super::{Demand, files};
use crate::{
    sign::{certificate::Certificate, notation::Trust},
    step::{StepContext, StepError},
};

/// Whom a step trusts, read from the files that it names.
pub(in crate::step) async fn trust(cx: &StepContext, demand: &Demand) -> Result<Trust, StepError> {
    let paths: Vec<_> = demand.certificates.iter().map(|path| (cx.places.source(path), path.value.clone())).collect();
    let read = tokio::task::spawn_blocking(move || {
        let mut certificates = Vec::new();
        for (path, shown) in paths {
            let found = Certificate::from_file(&files::read(&path, &shown)?);
            let found = found.map_err(|source| StepError::Certificate { path: format!("`{shown}`"), source })?;
            certificates.extend(found);
        }
        Ok(Trust::in_authorities(certificates))
    });
    read.await.map_err(|error| StepError::BrokenOff { message: error.to_string() })?
}
