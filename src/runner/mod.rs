//! The one loop: starts what is ready, hears what happens, tells the reporters.
//!
//! There is no `?` in it: a run that stopped listening would lose steps. A report that cannot be written interrupts the
//! run; the steps that are running are still heard out.

mod earlier;
mod handed_on;
mod options;
mod run;
mod running;
#[cfg(test)]
mod tests;
mod worked;

pub use self::{
    earlier::{Earlier, EarlierStep, EndedWell},
    handed_on::HandedOn,
    options::RunOptions,
    run::{Ended, run},
};
