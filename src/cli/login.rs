//! `consign login` and `consign logout`: a login that the registry takes, kept where the other programs look for it.

use std::io::{self, IsTerminal, Read, Write};

use super::{
    arguments::{LoginArguments, LogoutArguments},
    complain,
};
use crate::{
    event::ExitCode,
    oci::RegistryName,
    store::{
        StoreError,
        registry::{
            Credential, CredentialError, CredentialSource, Credentials, LoginFile, Registries, RegistryOptions,
            RegistryProblem, Secret,
        },
    },
};

/// Longer than any token; the key of a service account is a few kilobytes.
const MAX_SECRET: u64 = 1024 * 1024;

/// `consign login REGISTRY`
pub(super) fn login(command: &LoginArguments) -> io::Result<ExitCode> {
    let ready = registry(&command.registry).and_then(|registry| {
        let file = match &command.authfile {
            Some(path) => LoginFile::at(path.clone()),
            None => LoginFile::from_environment().map_err(|error| error.to_string())?,
        };
        let options = command.reach.options(&registry)?;
        Ok((registry, file, options, credential(command)?))
    });
    let (registry, file, options, credential) = match ready {
        Ok(ready) => ready,
        Err(message) => {
            complain(&message);
            return Ok(ExitCode::Invalid);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let is_asked = match runtime.block_on(check(options, &registry, &credential)) {
        Ok(is_asked) => is_asked,
        Err(error) => {
            complain(&refusal(&registry, &error));
            if let StoreError::Registry(error) = &error
                && matches!(error.problem, RegistryProblem::Certificate { .. })
                && let Some(help) = error.help()
            {
                say(&format!("help: {help}"));
            }
            return Ok(if error.is_temporary() { ExitCode::Temporary } else { ExitCode::Failed });
        }
    };
    let source = match runtime.block_on(file.store(&registry, &credential)) {
        Ok(source) => source,
        Err(error) => {
            complain(&format!("the login is right, but could not be stored: {error}"));
            return Ok(ExitCode::Failed);
        }
    };
    if !is_asked {
        warn(&format!("`{registry}` takes anybody, so nobody has checked this login"));
    }
    if matches!(source, CredentialSource::File { .. }) {
        warn(
            "the login is stored unencrypted; a credential helper avoids that: https://docs.docker.com/go/credential-store/",
        );
    }
    say(&format!("logged in to `{registry}`; the login is stored in {source}"));
    match &command.authfile {
        Some(path) => say(&format!("to use it set `REGISTRY_AUTH_FILE` to `{}`", path.display())),
        None => match runtime.block_on(found(&registry)) {
            Ok(Some(other)) if other != source => warn(&format!("{other}, comes before it and is what counts")),
            Ok(_) => {}
            Err(error) => warn(&error.to_string()),
        },
    }
    Ok(ExitCode::Success)
}

/// `consign logout REGISTRY`
pub(super) fn logout(command: &LogoutArguments) -> io::Result<ExitCode> {
    let ready = registry(&command.registry).and_then(|registry| match &command.authfile {
        Some(path) => Ok((registry, LoginFile::at(path.clone()))),
        None => LoginFile::from_environment().map(|file| (registry, file)).map_err(|error| error.to_string()),
    });
    let (registry, file) = match ready {
        Ok(ready) => ready,
        Err(message) => {
            complain(&message);
            return Ok(ExitCode::Invalid);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(file.erase(&registry)) {
        Ok(erased) if erased.is_empty() => {
            say(&format!("there is no login for `{registry}` in `{}`", file.path().display()));
        }
        Ok(erased) => {
            let places: Vec<_> = erased.iter().map(ToString::to_string).collect();
            say(&format!("logged out of `{registry}`: removed {}", places.join(" and ")));
        }
        Err(error) => {
            complain(&error.to_string());
            return Ok(ExitCode::Failed);
        }
    }
    if command.authfile.is_none()
        && let Ok(Some(other)) = runtime.block_on(found(&registry))
    {
        warn(&format!("there is still a login for `{registry}`: {other}"));
    }
    Ok(ExitCode::Success)
}

fn registry(text: &str) -> Result<RegistryName, String> {
    text.parse().map_err(|error| format!("{error}"))
}

/// Where a run finds the login for the registry as a whole.
async fn found(registry: &RegistryName) -> Result<Option<CredentialSource>, CredentialError> {
    Ok(Credentials::from_environment().find(registry, None).await?.map(|login| login.source))
}

/// Whether the registry asked who one is; an error where it did not like the answer.
async fn check(options: RegistryOptions, registry: &RegistryName, credential: &Credential) -> Result<bool, StoreError> {
    let credentials = Credentials::none().with(registry.clone(), credential.clone());
    Registries::new(RegistryOptions { credentials, ..options })?.check_login(registry).await
}

fn refusal(registry: &RegistryName, error: &StoreError) -> String {
    let status = match error {
        StoreError::Registry(error) => error.status().map(|status| status.as_u16()),
        _ => None,
    };
    match status {
        Some(400 | 401 | 403) => format!("`{registry}` does not take this login, so it is not stored: {error}"),
        Some(404) => format!("`{registry}` is no registry, so the login is not stored: {error}"),
        _ => format!("the login could not be checked, so it is not stored: {error}"),
    }
}

fn credential(command: &LoginArguments) -> Result<Credential, String> {
    if command.identity_token_stdin {
        if command.username.is_some() {
            warn("an identity token says itself whose it is: `--username` is not used");
        }
        return Ok(Credential::Identity(secret_from_stdin("identity token")?));
    }
    let can_ask = io::stdin().is_terminal() && io::stderr().is_terminal();
    let username = match &command.username {
        Some(username) => username.clone(),
        None if can_ask && !command.password_stdin => ask_username().map_err(|error| error.to_string())?,
        None => return Err("whose login is it? Say `--username USER`".to_owned()),
    };
    if username.is_empty() || username.contains(':') {
        return Err(format!("`{username}` is no user name: it has at least one character, and no `:`"));
    }
    let password = if command.password_stdin {
        secret_from_stdin("password")?
    } else if can_ask {
        ask_password().map_err(|error| error.to_string())?
    } else {
        return Err("there is no terminal to ask for the password: pipe it in, with `--password-stdin`".to_owned());
    };
    Ok(Credential::Basic { username, password })
}

/// All of stdin but its last line break.
fn secret_from_stdin(what: &str) -> Result<Secret, String> {
    let mut text = String::new();
    let fail = |error: io::Error| format!("the {what} cannot be read from stdin: {error}");
    let length = io::stdin().lock().take(MAX_SECRET + 1).read_to_string(&mut text).map_err(fail)?;
    if length as u64 > MAX_SECRET {
        return Err(format!("the {what} on stdin has more than {MAX_SECRET} bytes"));
    }
    let text = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    if text.is_empty() { Err(format!("there is no {what} on stdin")) } else { Ok(Secret::new(text)) }
}

fn ask_username() -> io::Result<String> {
    let mut stderr = io::stderr().lock();
    stderr.write_all(b"user: ")?;
    stderr.flush()?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

/// Without showing what is typed.
fn ask_password() -> io::Result<Secret> {
    let terminal = console::Term::stderr();
    terminal.write_str("password: ")?;
    let password = terminal.read_secure_line()?;
    if password.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "there is no password"));
    }
    Ok(Secret::new(password))
}

/// Writes to stderr, for people. Where that fails, nobody is there to hear it.
fn say(message: &str) {
    let _ = writeln!(io::stderr().lock(), "{message}");
}

fn warn(message: &str) {
    say(&format!("warning: {message}"));
}
