//! The plan's front end: from the text of a file to checked values, with every mistake as a [`Diagnostic`].
//!
//! Nothing here runs a step or touches a registry.

mod allow_declaration;
mod condition;
mod diagnostic;
mod diagnostics;
mod document;
pub mod expression;
mod foreach;
mod guessed;
mod handed_on;
mod input;
mod input_type;
mod inputs;
mod kind_info;
mod loop_outputs;
mod names;
mod registry_declaration;
mod rehearsal_declaration;
mod retry;
mod scope;
mod secret_declaration;
mod source_file;
mod span;
mod suggestion;
mod templates;
pub mod yaml;

pub use self::{
    allow_declaration::AllowDeclaration,
    condition::holds,
    diagnostic::Diagnostic,
    diagnostics::Diagnostics,
    document::{Document, StepEntry, Var},
    foreach::{Items, Loop},
    input::{Given, Input, InputDeclaration},
    input_type::InputType,
    inputs::{Unset, resolve as resolve_inputs},
    kind_info::KindInfo,
    names::{LoopKey, LoopUse, Names, Position, Uses},
    registry_declaration::{Referrers, RegistryDeclaration},
    rehearsal_declaration::RehearsalDeclaration,
    retry::{Defaults, RetryDeclaration, TimeLimit, TimeSpan, TryCount},
    scope::{LoopItems, Scope},
    secret_declaration::SecretDeclaration,
    source_file::SourceFile,
    span::Span,
    suggestion::{meant, nearest},
    templates::Templates,
};
