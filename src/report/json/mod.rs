//! Parts of a run as JSON has them, the same in events and in the result. Their schemas follow from these types.

mod edge;
mod failure;
mod lacking;
mod link;
mod output;
mod rehearsed;
mod time;

pub(super) use self::{
    edge::EdgeJson,
    failure::FailureJson,
    lacking::LackingJson,
    link::LinkJson,
    output::output,
    rehearsed::RehearsedJson,
    time::{millis, timestamp},
};
