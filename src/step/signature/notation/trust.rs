use std::{fs, io, path::Path};

use super::super::{Demand, files};
use crate::{
    oci::Repository,
    sign::{
        certificate::Certificate,
        notation::{Checks, Home, Identities, PolicyError, StoreKind, StoreName, Trust, TrustPolicy},
    },
    step::{StepContext, StepError},
};

/// The `trust_policy` that stands for notation's own folder.
pub(in crate::step) const NOTATION: &str = "notation";

/// Whom a step trusts about manifests of `repository`, read from the files that it names; nothing where its policy says
/// that nothing is looked at.
pub(in crate::step) async fn trust(
    cx: &StepContext,
    demand: &Demand,
    repository: &Repository,
) -> Result<Option<Trust>, StepError> {
    let scope = repository.to_string();
    let (policy, store) = (demand.trust_policy.as_ref(), demand.trust_store.as_ref());
    let store = store.map(|store| cx.places.source(store));
    let policy = match policy.map(|policy| policy.value.as_str()) {
        None => None,
        Some(NOTATION) => {
            let home = Home::of_user().ok_or_else(|| StepError::Unreadable {
                path: NOTATION.to_owned(),
                message: "there is no home folder: set `HOME` or `XDG_CONFIG_HOME`".to_owned(),
            })?;
            let (newer, older) = (home.oci_trust_policy(), home.trust_policy());
            let file = if newer.is_file() { newer } else { older };
            // A rehearsal needs nothing installed: it trusts nobody but its own throw-away key then.
            if !cx.mode.takes_secrets() && !file.is_file() {
                return Ok(Some(Trust::in_authorities([])));
            }
            let shown = file.display().to_string();
            Some((file, shown, store.unwrap_or_else(|| home.trust_store())))
        }
        Some(path) => {
            let (file, shown) = (cx.places.source(path), path.to_owned());
            let beside = file.parent().unwrap_or(Path::new("/")).join("truststore");
            Some((file, shown, store.unwrap_or(beside)))
        }
    };
    let Some((file, shown, store)) = policy else { return by_certificates(cx, demand).await.map(Some) };
    let read = tokio::task::spawn_blocking(move || by_policy(&file, &shown, &store, &scope));
    read.await.map_err(|error| StepError::BrokenOff { message: error.to_string() })?
}

/// Trust in the certificates of the files that the step names.
async fn by_certificates(cx: &StepContext, demand: &Demand) -> Result<Trust, StepError> {
    let mut trust = Trust::in_authorities([]);
    for (kind, paths) in [
        (StoreKind::Authority, &demand.certificates),
        (StoreKind::SigningAuthority, &demand.signing_authorities),
        (StoreKind::TimestampAuthority, &demand.timestamp_certificates),
    ] {
        let certificates = files::certificates(cx, paths).await?;
        trust.anchors.extend(certificates.into_iter().map(|certificate| (kind, certificate)));
    }
    if !demand.identities.is_empty() {
        let fail = |source| StepError::Policy { path: "`identities`".to_owned(), source };
        trust.identities = Identities::parse(&demand.identities).map_err(fail)?;
    }
    Ok(trust)
}

/// Trust as a policy has it. Blocking.
fn by_policy(file: &Path, shown: &str, store: &Path, scope: &str) -> Result<Option<Trust>, StepError> {
    let fail = |source: PolicyError| StepError::Policy { path: format!("`{shown}`"), source };
    let policy = TrustPolicy::parse(&files::read(file, shown)?).map_err(fail)?;
    let Some(policy) = policy.of(scope) else {
        let message = format!("no policy in `{shown}` is for `{scope}`, and none for `*`");
        return Err(StepError::Refused { message, found: Vec::new() });
    };
    let Some(Checks { level, timestamp, stores, identities }) = policy.checks.clone() else { return Ok(None) };
    let mut anchors = Vec::new();
    for name in &stores {
        let certificates = read_store(&store.join("x509").join(name.kind.folder()).join(&name.name), name)?;
        anchors.extend(certificates.into_iter().map(|certificate| (name.kind, certificate)));
    }
    Ok(Some(Trust { level, timestamp, identities, anchors }))
}

/// The certificates of one trust store: every file in its folder, and nothing that leads elsewhere. Blocking.
///
/// <https://github.com/notaryproject/specifications/blob/v1.1.0/specs/trust-store-trust-policy.md#trust-store>
fn read_store(folder: &Path, name: &StoreName) -> Result<Vec<Certificate>, StepError> {
    let shown = folder.display().to_string();
    let fail = |message: String| StepError::Unreadable { path: shown.clone(), message };
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut entries = entries.map_err(|error| fail(error.to_string()))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    let mut certificates = Vec::new();
    for entry in entries {
        let kind = entry.file_type().map_err(|error| fail(error.to_string()))?;
        if kind.is_dir() {
            continue;
        }
        let path = entry.path();
        if !kind.is_file() {
            let path = path.display().to_string();
            let message = "it is no plain file, and a trust store has nothing else".to_owned();
            return Err(StepError::Unreadable { path, message });
        }
        let here = path.display().to_string();
        for certificate in files::read_certificates(&[(path, here.clone())])? {
            let certified = |source| StepError::Certificate { path: format!("`{here}`"), source };
            let is_anchor = certificate.is_authority().map_err(certified)?
                || certificate.is_issued_by(&certificate).map_err(certified)?;
            if !is_anchor {
                let subject = certificate.subject();
                let message = format!("the certificate `{subject}` is neither that of an authority nor self-signed");
                return Err(StepError::Unreadable { path: here, message });
            }
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        let message = format!("the trust store `{}:{}` has no certificate", name.kind.folder(), name.name);
        return Err(StepError::Unreadable { path: shown.clone(), message });
    }
    Ok(certificates)
}
