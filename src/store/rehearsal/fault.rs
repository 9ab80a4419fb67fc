use std::{fmt, ops::RangeInclusive, str::FromStr};

use reqwest::StatusCode;

use crate::oci::{ReferenceError, RegistryName};

/// Something that is to go wrong in a rehearsal, as `--fault` says it: `[STEP:]STATUS`, `cut:upload`, `cut:download`,
/// `lost:manifest` or `no-referrers`, each with `@REGISTRY` behind it or none, all but the last also with `*TIMES`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    text: String,
    pub(super) kind: FaultKind,
    /// The kind of steps, or the one step, that it meets.
    pub(super) step: Option<String>,
    pub(super) registry: Option<RegistryName>,
    /// How often.
    pub(super) times: u32,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// A request is refused.
    Status(StatusCode),
    /// A blob breaks off on its way out.
    CutUpload,
    /// A blob breaks off on its way in.
    CutDownload,
    /// A manifest is stored, and the answer does not come.
    LostManifest,
    /// There is no referrers API.
    NoReferrers,
}

/// Why a text is no fault, or one that cannot come about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// Neither a status nor one of the words.
    #[error("`{what}` is nothing that can go wrong")]
    Kind {
        /// What stands there.
        what: String,
    },
    /// A status that is no refusal.
    #[error("{status} is no refusal: write a status from 400 to 599")]
    Status {
        /// What stands there.
        status: u16,
    },
    /// Absence is an answer.
    #[error("404 says that something is absent: leave it out of the seed instead")]
    Absent,
    /// Not a number of times.
    #[error("`{times}` is not how often: write a number from 1 to {}", Fault::TIMES.end())]
    Times {
        /// What stands there.
        times: String,
    },
    /// What is so all the time is not counted.
    #[error("a registry has referrers or not: leave out `*{times}`")]
    Always {
        /// What stands there.
        times: u32,
    },
    /// Not a registry.
    #[error(transparent)]
    Registry(#[from] ReferenceError),
    /// The plan has no such step.
    #[error("the plan has no step `{name}`, and none of that kind")]
    NoStep {
        /// What stands there.
        name: String,
    },
    /// The plan does not touch that registry.
    #[error("the plan has nothing to do with `{registry}`")]
    Nowhere {
        /// What stands there.
        registry: RegistryName,
    },
}

impl Fault {
    /// How often a fault may come about.
    const TIMES: RangeInclusive<u32> = 1..=1000;

    /// What can be written, each with what it does, for people.
    pub const FORMS: &[(&str, &str)] = &[
        ("503*2", "the first two requests are refused with 503"),
        ("copy:503*2", "the first two requests of steps of that kind, or of the step of that name"),
        ("429@registry.example.com", "one request to that registry"),
        ("cut:upload", "a blob breaks off on its way out, once"),
        ("cut:download", "a blob breaks off on its way in, once"),
        ("lost:manifest", "a manifest is stored, and the answer is lost, once"),
        ("no-referrers", "there is no referrers API"),
    ];

    /// The registry that it is about, where it is about one.
    pub const fn registry(&self) -> Option<&RegistryName> {
        self.registry.as_ref()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let (rest, registry) = match text.rsplit_once('@') {
            Some((rest, registry)) => (rest, Some(registry.parse()?)),
            None => (text, None),
        };
        let (what, times) = match rest.rsplit_once('*') {
            Some((what, times)) => (what, Some(parse_times(times)?)),
            None => (rest, None),
        };
        let (step, kind) = match (what, what.split_once(':')) {
            ("cut:upload", _) => (None, FaultKind::CutUpload),
            ("cut:download", _) => (None, FaultKind::CutDownload),
            ("lost:manifest", _) => (None, FaultKind::LostManifest),
            ("no-referrers", _) => (None, FaultKind::NoReferrers),
            (_, Some((step, status))) => (Some(step.to_owned()), parse_status(what, status)?),
            (_, None) => (None, parse_status(what, what)?),
        };
        match times {
            Some(times) if kind == FaultKind::NoReferrers => Err(FaultError::Always { times }),
            _ => Ok(Self { text: text.to_owned(), kind, step, registry, times: times.unwrap_or(1) }),
        }
    }
}

fn parse_times(times: &str) -> Result<u32, FaultError> {
    let number = times.parse().ok().filter(|number| Fault::TIMES.contains(number));
    number.ok_or_else(|| FaultError::Times { times: times.to_owned() })
}

fn parse_status(what: &str, status: &str) -> Result<FaultKind, FaultError> {
    let number = status.parse::<u16>().map_err(|_| FaultError::Kind { what: what.to_owned() })?;
    match StatusCode::from_u16(number) {
        Ok(StatusCode::NOT_FOUND) => Err(FaultError::Absent),
        Ok(status) if status.is_client_error() || status.is_server_error() => Ok(FaultKind::Status(status)),
        _ => Err(FaultError::Status { status: number }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_can_be_written() {
        for (form, _) in Fault::FORMS {
            assert_eq!(form.parse::<Fault>().unwrap().to_string(), *form);
        }
        let fault: Fault = "push_it:429*3@localhost:5000".parse().unwrap();
        assert_eq!((fault.step.as_deref(), fault.times), (Some("push_it"), 3));
        assert_eq!(fault.kind, FaultKind::Status(StatusCode::TOO_MANY_REQUESTS));
        assert_eq!(fault.registry().unwrap().as_str(), "localhost:5000");
        // A step may be called `cut`.
        assert_eq!("cut:503".parse::<Fault>().unwrap().step.as_deref(), Some("cut"));
    }

    #[test]
    fn anything_else_is_explained() {
        let said = |text: &str| text.parse::<Fault>().unwrap_err().to_string();
        assert_eq!(said("copy"), "`copy` is nothing that can go wrong");
        assert_eq!(said("cut:tree"), "`cut:tree` is nothing that can go wrong");
        assert_eq!(said(""), "`` is nothing that can go wrong");
        assert_eq!(said("200"), "200 is no refusal: write a status from 400 to 599");
        assert_eq!(said("copy:404"), "404 says that something is absent: leave it out of the seed instead");
        for times in ["0", "-1", "1001", "x", ""] {
            let expected = format!("`{times}` is not how often: write a number from 1 to 1000");
            assert_eq!(said(&format!("503*{times}")), expected);
        }
        assert_eq!(said("no-referrers*2"), "a registry has referrers or not: leave out `*2`");
        assert!(said("503@a b").contains("`a b`"), "{}", said("503@a b"));
    }
}
