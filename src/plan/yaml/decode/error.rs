use std::fmt;

use serde::de::{self, Expected, Unexpected};

/// Why a value could not be read.
#[derive(Debug)]
pub(super) enum Error {
    /// It is in the diagnostics; what it is about must still be left out of the next reading.
    Recorded,
    /// It is in the diagnostics, and the next reading leaves it out.
    LeftOut,
    /// Not in the diagnostics yet.
    Mistake(Box<Mistake>),
}

/// What is wrong with a value.
#[derive(Debug)]
pub(super) enum Mistake {
    /// What a type says about it.
    Custom(String),
    /// It should be something else.
    Takes(String),
    /// It should be the name of a secret.
    NoSecret,
    /// There are too many or too few.
    Length(usize, String),
    /// It needs another key.
    Missing(&'static str),
    /// A key means nothing.
    UnknownKey(String, &'static [&'static str]),
    /// It is none of the names that it may be.
    UnknownName(String, &'static [&'static str]),
}

impl Error {
    pub(super) fn takes(what: impl Into<String>) -> Self {
        Mistake::Takes(what.into()).into()
    }
}

impl From<Mistake> for Error {
    fn from(mistake: Mistake) -> Self {
        Self::Mistake(Box::new(mistake))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recorded | Self::LeftOut => f.write_str("a mistake that was recorded"),
            Self::Mistake(mistake) => write!(f, "{mistake:?}"),
        }
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Mistake::Custom(message.to_string()).into()
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::takes(expected.to_string())
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::takes(expected.to_string())
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Mistake::Length(length, expected.to_string()).into()
    }

    fn unknown_variant(name: &str, expected: &'static [&'static str]) -> Self {
        Mistake::UnknownName(name.to_owned(), expected).into()
    }

    fn unknown_field(key: &str, expected: &'static [&'static str]) -> Self {
        Mistake::UnknownKey(key.to_owned(), expected).into()
    }

    fn missing_field(key: &'static str) -> Self {
        Mistake::Missing(key).into()
    }

    fn duplicate_field(key: &'static str) -> Self {
        Mistake::Custom(format!("`{key}` is given twice, once under another name")).into()
    }
}
