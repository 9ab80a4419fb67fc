//! What the surroundings say: terminals, colour, the environment.

use std::{
    env,
    io::{self, IsTerminal},
    path::PathBuf,
};

use super::arguments::{ColorWhen, Global, ProgressHow};
use crate::{pack::DigestCache, report::Verbosity};

/// Whether stderr gets colour.
pub(super) fn color_on_stderr(global: &Global) -> bool {
    match global.color {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto => io::stderr().is_terminal() && !is_set("NO_COLOR") && !is_dumb(),
    }
}

/// How much is told on stderr.
pub(super) const fn verbosity(global: &Global) -> Verbosity {
    match (global.quiet, global.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, true) => Verbosity::Verbose,
        (false, false) => Verbosity::Normal,
    }
}

/// Whether stdout gets colour.
pub(super) fn color_on_stdout(global: &Global) -> bool {
    match global.color {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto => io::stdout().is_terminal() && !is_set("NO_COLOR") && !is_dumb(),
    }
}

/// How progress is shown, `auto` decided.
pub(super) fn progress(how: ProgressHow) -> ProgressHow {
    match how {
        ProgressHow::Auto if io::stderr().is_terminal() && !is_dumb() && !is_github() => ProgressHow::Tty,
        ProgressHow::Auto => ProgressHow::Plain,
        how => how,
    }
}

/// Whether this is a job of GitHub Actions.
pub(super) fn is_github() -> bool {
    env::var("GITHUB_ACTIONS").is_ok_and(|value| value == "true")
}

/// `SOURCE_DATE_EPOCH`, in seconds since 1970.
///
/// <https://reproducible-builds.org/specs/source-date-epoch/>
pub(super) fn epoch() -> Result<Option<u64>, String> {
    match env::var("SOURCE_DATE_EPOCH").ok().filter(|value| !value.is_empty()) {
        None => Ok(None),
        Some(value) => match value.parse() {
            Ok(seconds) => Ok(Some(seconds)),
            Err(_) => Err(format!("SOURCE_DATE_EPOCH is `{value}`: it takes seconds since 1970")),
        },
    }
}

/// The digests that earlier runs have kept: in the file that `CONSIGN_DIGEST_CACHE` names, or where the user has such
/// files; `off`: nothing is kept.
pub(super) fn digest_cache() -> DigestCache {
    let folder = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = || folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")));
    match folder("CONSIGN_DIGEST_CACHE") {
        Some(off) if off.as_os_str() == "off" => DigestCache::none(),
        Some(file) => DigestCache::in_file(file),
        None => {
            cache().map_or_else(DigestCache::none, |cache| DigestCache::in_file(cache.join("consign/digests.json")))
        }
    }
}

fn is_dumb() -> bool {
    env::var("TERM").is_ok_and(|term| term == "dumb")
}

fn is_set(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| !value.is_empty())
}
