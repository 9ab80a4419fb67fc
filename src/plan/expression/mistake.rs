use std::ops::Range;

use crate::plan::{Diagnostic, SourceFile, yaml::Node};

/// What is wrong in a text with expressions; the range is in bytes of that text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where.
    pub range: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What stands under the caret; may be empty.
    pub label: String,
    /// What to do about it; may be empty.
    pub help: String,
}

impl Mistake {
    /// A mistake with nothing but a place and words.
    pub fn new(range: Range<usize>, message: impl Into<String>) -> Self {
        Self { range, message: message.into(), label: String::new(), help: String::new() }
    }

    /// The same with `label` under the caret.
    pub fn label(self, label: impl Into<String>) -> Self {
        Self { label: label.into(), ..self }
    }

    /// The same, saying what to do.
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: help.into(), ..self }
    }

    /// The mistake at its place in the file; `node` is the scalar that the text stands in.
    pub fn diagnostic(&self, node: &Node, source: &SourceFile) -> Diagnostic {
        let diagnostic = Diagnostic::new(&self.message).at(node.locate(source, self.range.clone())).label(&self.label);
        if self.help.is_empty() { diagnostic } else { diagnostic.help(&self.help) }
    }
}
