//! consign runs plans: YAML files that say how artifacts reach their registries.
//!
//! The modules are layers; each imports only from those above it in this list, and a test holds that.

pub mod oci;

pub mod output;

pub mod event;

pub mod secret;

pub mod store;

pub mod pack;

pub mod sign;

pub mod text;

pub mod tree;

pub mod table;

pub mod plan;

pub mod step;

pub mod graph;

pub mod schedule;

pub mod program;

pub mod journal;

pub mod report;

pub mod runner;

pub mod preview;

pub mod lock;

pub mod resume;

pub mod serve;

pub mod cli;
