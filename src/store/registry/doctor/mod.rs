//! What a registry can do, found out by asking it.
//!
//! What only needs an answer is asked about things that do not exist: a registry that cannot delete says so of those too.
//! What needs something to be there is tried only where it can be removed again. It knows nothing of plans and steps,
//! and prints nothing.

mod ability;
mod examination;
mod finding;
mod patient;
mod reading;
#[cfg(test)]
mod tests;
mod writing;

pub use self::{
    ability::Ability,
    examination::Examination,
    finding::{Finding, Verdict},
};
