//! The plan's front end: from the text of a file to checked values, with every mistake as a [`Diagnostic`].
//!
//! Nothing here runs a step or touches a registry.

mod diagnostic;
mod diagnostics;
mod source_file;
mod span;
mod suggestion;
pub mod yaml;

pub use self::{
    diagnostic::Diagnostic, diagnostics::Diagnostics, source_file::SourceFile, span::Span, suggestion::nearest,
};
