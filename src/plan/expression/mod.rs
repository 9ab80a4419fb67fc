//! `${{ expression }}` in text values: reading it, the names in it, and its value.
//!
//! An expression is minijinja's, without statements. The same names give the same value: no clock, no environment, no
//! files, no randomness. Which names exist, and in which order values are worked out, is not decided here.

mod engine;
mod filter;
mod filters;
mod mention;
mod mistake;
mod syntax;
mod template;

pub use self::{
    engine::TESTS,
    filter::{FILTERS, Filter},
    mention::{KeyMention, Mention, Mentions, OutputMention},
    mistake::Mistake,
    template::{Expression, Piece, Template},
};
