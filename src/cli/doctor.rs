//! `consign doctor`: what a registry can do, as text and as JSON.

use std::io;

use super::{
    arguments::{DoctorArguments, DoctorFormat},
    complain, print,
};
use crate::{
    event::ExitCode,
    oci::{RegistryName, RepositoryName},
    store::{
        StoreError,
        registry::{Credentials, Registries, RegistryOptions, doctor::Examination},
    },
    table,
};

/// `consign doctor REGISTRY[/REPOSITORY]`
pub(super) fn doctor(command: &DoctorArguments) -> io::Result<ExitCode> {
    let ready = place(&command.place).and_then(|(registry, repository)| {
        let options = command.reach.options(&registry)?;
        Ok((options, registry, repository))
    });
    let (options, registry, repository) = match ready {
        Ok(ready) => ready,
        Err(message) => {
            complain(&message);
            return Ok(ExitCode::Invalid);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let examination = match runtime.block_on(examine(options, &registry, repository.as_ref(), command.push)) {
        Ok(examination) => examination,
        Err(error) => {
            complain(&error.to_string());
            return Ok(if error.is_temporary() { ExitCode::Temporary } else { ExitCode::Failed });
        }
    };
    print(&match command.format {
        DoctorFormat::Text => draw(&examination),
        DoctorFormat::Json => format!("{:#}\n", examination.to_json()),
    })?;
    Ok(if examination.is_usable() { ExitCode::Success } else { ExitCode::Failed })
}

fn place(text: &str) -> Result<(RegistryName, Option<RepositoryName>), String> {
    let (registry, repository) = match text.split_once('/') {
        Some((registry, repository)) => (registry, Some(repository)),
        None => (text, None),
    };
    let registry = registry.parse().map_err(|error| format!("{error}"))?;
    let repository = repository.map(str::parse).transpose().map_err(|error| format!("{error}"))?;
    Ok((registry, repository))
}

async fn examine(
    options: RegistryOptions,
    registry: &RegistryName,
    repository: Option<&RepositoryName>,
    may_leave: bool,
) -> Result<Examination, StoreError> {
    let options = RegistryOptions { credentials: Credentials::from_environment(), ..options };
    Registries::new(options)?.examine(registry, repository, may_leave).await
}

fn draw(examination: &Examination) -> String {
    let place = match &examination.repository {
        Some(repository) => format!("{}/{repository}", examination.registry),
        None => examination.registry.to_string(),
    };
    let row =
        |ability: &str, verdict: &str, detail: &str| vec![ability.to_owned(), verdict.to_owned(), detail.to_owned()];
    let findings = examination.findings.iter();
    let rows: Vec<_> =
        findings.map(|finding| row(finding.ability.title(), finding.verdict.word(), &finding.detail)).collect();
    let mut out = format!("{place}\n\n{}", table::draw(&[], &rows));
    if examination.repository.is_none() {
        out.push_str("\nName a repository that may be written, `REGISTRY/REPOSITORY`, to find out more.\n");
    }
    for left in &examination.left_behind {
        out.push_str("\nleft behind: ");
        out.push_str(left);
        out.push('\n');
    }
    out
}
