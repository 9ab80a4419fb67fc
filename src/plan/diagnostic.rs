use super::Span;

/// One mistake in a plan: what is wrong, where, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong: lower case, names in backticks, no period.
    pub message: String,
    /// Where; without it no source line is shown.
    pub span: Option<Span>,
    /// What stands under the caret; may be empty.
    pub label: String,
    /// Further lines, in order. One that begins with `help: ` is shown as help.
    pub notes: Vec<String>,
    /// Whether what stands there may be a secret, and is not shown with any diagnostic.
    pub hides: bool,
}

impl Diagnostic {
    /// A mistake without a place.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), span: None, label: String::new(), notes: Vec::new(), hides: false }
    }

    /// The same at `span`.
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.span = Some(span);
        self
    }

    /// The same about what must not be shown.
    #[must_use]
    pub fn hide(mut self) -> Self {
        self.hides = true;
        self
    }

    /// The same with `label` under the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// The same with one more note.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// The same with one more note that says what to do.
    #[must_use]
    pub fn help(self, help: impl AsRef<str>) -> Self {
        self.note(format!("help: {}", help.as_ref()))
    }
}
