//! The program as its users see it: whole stdout, whole stderr and the exit code.

mod graph;
mod hostile;
mod inputs;
mod mistakes;
mod names;
mod rehearse;
pub(crate) mod test;

use self::test::Test;
