use std::fmt;

use crate::plan::Span;

/// What a value is called in messages.
#[derive(Debug, Clone, Copy)]
pub(super) enum Name<'a> {
    /// What is decoded, as its caller calls it.
    Whole(&'a str),
    /// What stands under a key.
    Key(&'a str, Span),
    /// What stands in the list under a key.
    Entry(&'a str),
    /// What stands in a list that has no key.
    EntryOfWhole(&'a str),
}

impl Name<'_> {
    /// The name of an entry of the list of this name.
    pub(super) const fn entry(self) -> Self {
        match self {
            Self::Key(key, _) | Self::Entry(key) => Self::Entry(key),
            Self::Whole(what) | Self::EntryOfWhole(what) => Self::EntryOfWhole(what),
        }
    }

    /// The same without backticks around what is decoded as a whole.
    pub(super) fn bare(self) -> String {
        match self {
            Self::Whole(what) => what.to_owned(),
            Self::Key(key, _) => key.to_owned(),
            Self::Entry(_) | Self::EntryOfWhole(_) => self.to_string(),
        }
    }

    /// As the place of something: `in attach`, ``in `files` ``.
    pub(super) fn place(self) -> String {
        if let Self::Whole(what) = self { what.to_owned() } else { self.to_string() }
    }

    /// The key, where there is one.
    pub(super) const fn key_span(self) -> Option<Span> {
        if let Self::Key(_, span) = self { Some(span) } else { None }
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(what) if what.contains([' ', '`']) => f.write_str(what),
            Self::Whole(name) | Self::Key(name, _) => write!(f, "`{name}`"),
            Self::Entry(key) => write!(f, "an entry of `{key}`"),
            Self::EntryOfWhole(what) => write!(f, "an entry of {what}"),
        }
    }
}
