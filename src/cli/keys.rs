//! `consign keys`: a new key pair, in the files that cosign makes and reads.

use std::{
    env,
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use super::{arguments::KeysArguments, complain};
use crate::{
    event::ExitCode,
    secret::Secret,
    sign::{
        cosign::{KeyFile, KeyFileError},
        key::PrivateKey,
    },
};

/// What cosign takes the password from.
const PASSWORD: &str = "COSIGN_PASSWORD";
/// Longer than any password.
const LONGEST: u64 = 1024 * 1024;

/// `consign keys NAME`
pub(super) fn keys(command: &KeysArguments) -> io::Result<ExitCode> {
    let [private, public] = ["key", "pub"].map(|extension| file(&command.name, extension));
    if let Some(there) = [&private, &public].into_iter().find(|path| path.symlink_metadata().is_ok()) {
        complain(&format!("`{}` is there already: name another key, or remove it first", there.display()));
        return Ok(ExitCode::Invalid);
    }
    let password = match password(command.password_stdin) {
        Ok(password) => password,
        Err(message) => {
            complain(&message);
            return Ok(ExitCode::Invalid);
        }
    };
    let (sealed, pem) = match generate(&password) {
        Ok(pair) => pair,
        Err(error) => {
            complain(&error.to_string());
            return Ok(ExitCode::Failed);
        }
    };
    let written = write(&private, &sealed, 0o600).and_then(|()| {
        // Half a pair is of no use.
        write(&public, &pem, 0o644).inspect_err(|_| drop(fs::remove_file(&private)))
    });
    if let Err(message) = written {
        complain(&message);
        return Ok(ExitCode::Failed);
    }
    writeln!(io::stdout().lock(), "{}\n{}", private.display(), public.display())?;
    Ok(ExitCode::Success)
}

/// `NAME.key`, also where the name has a dot in it.
fn file(name: &Path, extension: &str) -> PathBuf {
    let mut name = name.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}

/// What will open the file. An empty one is legal, but it must be said.
fn password(is_piped: bool) -> Result<Secret, String> {
    if !is_piped {
        let ask = format!("there is no password: set `{PASSWORD}`, or pipe it in with --password-stdin");
        return env::var(PASSWORD).map(Secret::new).map_err(|_| ask);
    }
    let mut text = String::new();
    let read = io::stdin().lock().take(LONGEST + 1).read_to_string(&mut text);
    read.map_err(|error| format!("the password cannot be read: {error}"))?;
    if text.len() as u64 > LONGEST {
        return Err(format!("the password has more than {LONGEST} bytes"));
    }
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Secret::new(line.strip_suffix('\r').unwrap_or(line)))
}

/// The encrypted private key, and the public one, as texts.
fn generate(password: &Secret) -> Result<(String, String), KeyFileError> {
    let pkcs8 = PrivateKey::new_pkcs8()?;
    let public = PrivateKey::from_pkcs8_der(&pkcs8)?.public().to_pem();
    Ok((KeyFile::seal(&pkcs8, password)?, public))
}

/// Writes a file that was not there.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), String> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| format!("cannot write `{}`: {error}", path.display()))
}
