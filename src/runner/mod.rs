//! The one loop: starts what is ready, hears what happens, tells the reporters.
//!
//! There is no `?` in it: a run that stopped listening would lose steps. A report that cannot be written interrupts the
//! run; the steps that are running are still heard out.

mod handed_on;
mod options;
mod run;
#[cfg(test)]
mod tests;

pub use self::{
    options::RunOptions,
    run::{Ended, run},
};
