//! The program as its users see it: whole stdout, whole stderr and the exit code.

mod allow;
mod archives;
mod clean_up;
mod control;
mod copies;
mod copy_mistakes;
mod doctor;
mod exec;
mod foreach;
mod graph;
mod habits;
mod hostile;
mod images;
mod include;
mod include_each;
mod include_mistakes;
mod inputs;
mod inspect;
mod journal;
mod keys;
mod login;
mod mistakes;
mod mistakes_together;
mod names;
mod proxy;
mod registries;
mod rehearsals;
mod rehearse;
mod reports;
mod retries;
mod secrets;
mod selection;
mod show;
mod signatures;
pub(crate) mod test;

use self::test::Test;
