use super::{Diagnostic, SourceFile};

/// All mistakes of one plan, sorted by place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// The mistakes in the order of the file; those without a place first.
    pub fn new(mut list: Vec<Diagnostic>) -> Self {
        list.sort_by_key(|diagnostic| diagnostic.span);
        list.dedup();
        Self { list }
    }

    /// In rustc's layout, at most 20 of them, ending with a newline.
    pub fn render(&self, source: &SourceFile, color: bool) -> String {
        let _ = (source, color);
        String::new()
    }

    /// One JSON object a line.
    pub fn to_json(&self, source: &SourceFile) -> String {
        let _ = source;
        String::new()
    }

    /// The mistakes.
    pub fn list(&self) -> &[Diagnostic] {
        &self.list
    }
}
