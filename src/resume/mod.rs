//! Going on with a run that ended early: what of it is taken over, and what runs again and why.
//!
//! Here is decided what can be told from the journal, the plan and the files; whether what a step made is still there is
//! asked by the runner when its turn comes.

mod judge;
mod overwritten;
#[cfg(test)]
mod tests;

pub use self::judge::{Wishes, judge};
