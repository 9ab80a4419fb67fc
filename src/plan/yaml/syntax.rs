//! What is wrong with a text that is no YAML, in words that say what to do.

use granit_parser::{ErrorKind, ScanError};

use super::limits;
use crate::plan::{Diagnostic, Span};

/// The mistake that the parser stopped at.
pub(super) fn diagnostic(source: &str, error: &ScanError) -> Diagnostic {
    let at = source.floor_char_boundary(error.marker().byte_offset().unwrap_or(source.len()));
    let at = if is_about_a_tab(error.kind()) { tab_near(source, at) } else { at };
    let next = source.get(at..).and_then(|rest| rest.chars().next()).filter(|next| *next != '\n');
    let span = Span::new(at, at + next.map_or(0, char::len_utf8));
    words(source, at, error).at(span)
}

fn words(source: &str, at: usize, error: &ScanError) -> Diagnostic {
    match error.kind() {
        ErrorKind::RecursionLimitExceeded => limits::depth(),
        kind if is_about_a_tab(kind) => Diagnostic::new("a tab cannot indent in YAML").label("use spaces"),
        ErrorKind::MappingValueNotAllowed if begins_its_line(source, at) => {
            Diagnostic::new("this key does not line up with the ones before it").label("check the indentation")
        }
        ErrorKind::MappingValueNotAllowed => {
            Diagnostic::new("`: ` cannot stand in a value without quotes").label("quote the whole value")
        }
        ErrorKind::InvalidColonPlacement => {
            Diagnostic::new("a `:` is out of place here").label("is a `[` or `{` before it never closed?")
        }
        ErrorKind::UnclosedQuotedScalar => Diagnostic::new("the quote is never closed").label("it opens here"),
        ErrorKind::InvalidTrailingDoubleQuotedScalar | ErrorKind::InvalidTrailingSingleQuotedScalar => {
            Diagnostic::new("something stands after the closing quote").label("quote the whole value")
        }
        ErrorKind::UnknownQuotedScalarEscape
        | ErrorKind::InvalidQuotedScalarHexEscape
        | ErrorKind::InvalidUnicodeEscape => Diagnostic::new("in double quotes, `\\` begins an escape that YAML knows")
            .label("write `\\\\`, or use single quotes"),
        ErrorKind::UnexpectedCharacter { character } if character.is_control() => {
            Diagnostic::new(format!("the character U+{:04X} cannot stand in YAML", u32::from(*character)))
        }
        ErrorKind::UnexpectedCharacter { character } => {
            Diagnostic::new(format!("a value cannot begin with `{character}`")).label("quote the whole value")
        }
        ErrorKind::UnexpectedEofFlowSequence | ErrorKind::ExpectedFlowSequenceSeparator => {
            Diagnostic::new("a list in `[ ]` takes `,` or `]` here")
        }
        ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping
        | ErrorKind::ExpectedFlowMappingSeparator => Diagnostic::new("a mapping in `{ }` takes `,` or `}` here"),
        ErrorKind::MisplacedFlowCollectionEnd => Diagnostic::new("this bracket closes nothing"),
        ErrorKind::UnclosedFlowCollection { open } => Diagnostic::new(format!("this `{open}` is never closed")),
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            Diagnostic::new(format!("`{open}` is closed by `{close}`"))
        }
        ErrorKind::ExpectedBlockMappingKey => {
            Diagnostic::new("a key was expected here").label("check the indentation, and that a `:` follows the key")
        }
        ErrorKind::ExpectedBlockSequenceEntry => {
            Diagnostic::new("an entry of the list was expected here").label("begin it with `- `, or indent the list")
        }
        ErrorKind::BlockSequenceEntryNotAllowed => {
            Diagnostic::new("a list cannot begin here").label("write it on the next line, or as `[ … ]`")
        }
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            Diagnostic::new("this is neither a key nor a value").label("a `:` and a space follow a key")
        }
        ErrorKind::InvalidIndentation | ErrorKind::InvalidFlowScalarIndent => {
            Diagnostic::new("this line does not line up with the ones before it").label("check the indentation")
        }
        ErrorKind::BomInsideDocument => Diagnostic::new("a byte-order mark stands in the middle of the file"),
        kind => Diagnostic::new(format!("this is no YAML: {}", kind.to_string().replace(['\n', '\r'], " "))),
    }
}

fn is_about_a_tab(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabInIndentation
            | ErrorKind::TabAtBlockScalarStart
            | ErrorKind::TabInPlainScalar
    )
}

/// The parser reports what stands before or behind the tab.
fn tab_near(source: &str, at: usize) -> usize {
    let behind = source.get(..at).filter(|before| before.ends_with('\t')).map(|before| before.len() - 1);
    let ahead = || source.get(at..).and_then(|rest| rest.find('\t')).map(|tab| at + tab);
    behind.or_else(ahead).unwrap_or(at)
}

/// Whether the key that ends at `at` is the first thing on its line.
fn begins_its_line(source: &str, at: usize) -> bool {
    let before = source.get(..at).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    before.contains('\n') && !line.contains(": ") && !line.trim_start().starts_with("- ")
}
