/// Where a value stands, which decides what it may look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// The default of the input at this place: inputs above it.
    Input(usize),
    /// The var at this place: inputs, vars above it, any step.
    Var(usize),
    /// The step at this place: inputs, vars, steps above it.
    Step(usize),
    /// What a plan says about one that it includes: the same as for its steps, with the names of the plan of that number.
    Around {
        /// Steps above this place may be looked at.
        step: usize,
        /// Whose names are meant.
        module: usize,
    },
    /// `foreach` of the loop at this place: inputs, and vars that look at no step.
    Items(usize),
    /// The key of the items of the loop at this place: the same, and the item.
    Key(usize),
    /// The plan's outputs: everything.
    Outputs,
    /// `registries`, `secrets` and `allow` of the plan of that number: inputs, and vars that look at no step.
    Settings(usize),
}

impl Position {
    /// The place of the step above which steps may be looked at.
    pub const fn before(self) -> Option<usize> {
        match self {
            Self::Step(at) | Self::Around { step: at, .. } => Some(at),
            _ => None,
        }
    }

    /// What to say of steps where none has run yet.
    pub(super) const fn before_steps(self) -> Option<&'static str> {
        match self {
            Self::Settings(_) => Some(
                "`registries`, `secrets` and `allow` are read before any step runs: use inputs, and vars without steps",
            ),
            Self::Items(_) | Self::Key(_) => {
                Some("the items of a `foreach` are known before any step runs: use inputs, and vars without steps")
            }
            Self::Input(_) | Self::Var(_) | Self::Step(_) | Self::Around { .. } | Self::Outputs => None,
        }
    }
}
