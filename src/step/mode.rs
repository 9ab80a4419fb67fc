/// What a run is for. Kinds that work with keys, programs and services outside decide on it what they do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// It is meant.
    #[default]
    Real,
    /// It shows what would happen, and asks for nothing outside that it was not told to ask.
    Rehearsal(Rehearsing),
}

/// What a rehearsal was told to do for real.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rehearsing {
    /// Programs run. Otherwise what the plan says of them takes their place.
    pub exec: bool,
    /// The plan's secrets are asked for, and its keys sign. Otherwise stand-ins take their place.
    pub secrets: bool,
    /// It only wants to know what would change: content that is not needed for that is not fetched, and no file is written.
    pub preview: bool,
}

impl Mode {
    /// Whether secrets and keys are those of the plan, and not stand-ins.
    pub const fn takes_secrets(self) -> bool {
        match self {
            Self::Real => true,
            Self::Rehearsal(rehearsing) => rehearsing.secrets,
        }
    }

    /// Whether the programs of the plan run.
    pub const fn runs_programs(self) -> bool {
        match self {
            Self::Real => true,
            Self::Rehearsal(rehearsing) => rehearsing.exec,
        }
    }

    /// Whether it is only to be found out what would change.
    pub const fn is_preview(self) -> bool {
        matches!(self, Self::Rehearsal(Rehearsing { preview: true, .. }))
    }

    /// Whether this is a rehearsal.
    pub const fn is_rehearsal(self) -> bool {
        matches!(self, Self::Rehearsal(_))
    }
}
