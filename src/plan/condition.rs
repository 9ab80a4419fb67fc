use serde_json::Value;

use super::{
    Diagnostic, Scope,
    yaml::{Node, NodeKind, Style},
};

/// Whether the condition in `when` holds. It must be true or false.
pub fn holds(when: &Node, scope: &Scope) -> Result<bool, Diagnostic> {
    let value = scope.evaluate(when)?;
    let wrong = |what: &str| Diagnostic::new(format!("`when` takes a condition, not {what}")).at(when.span);
    match &value.kind {
        NodeKind::Value(Value::Bool(holds)) => Ok(*holds),
        NodeKind::Scalar(scalar) if scalar.style == Style::Plain && &*scalar.text == "true" => Ok(true),
        NodeKind::Scalar(scalar) if scalar.style == Style::Plain && &*scalar.text == "false" => Ok(false),
        NodeKind::Scalar(scalar) if scalar.text.is_empty() => {
            Err(wrong("nothing").help("write `when: ${{ … }}`, or leave it out"))
        }
        NodeKind::Scalar(scalar) => {
            Err(wrong("text").help(format!("write it as an expression: `when: ${{{{ {} }}}}`", scalar.text)))
        }
        NodeKind::Value(Value::String(text)) if matches!(text.as_str(), "true" | "false") => {
            Err(wrong(&format!("the text `{text}`")).help("compare it: `${{ … == 'true' }}`"))
        }
        NodeKind::Value(Value::String(_)) => Err(wrong("text").help("compare it: `${{ … == '…' }}`")),
        NodeKind::Value(Value::Number(_)) => Err(wrong("a number").help("compare it: `${{ … > 0 }}`")),
        NodeKind::Sequence(_) => Err(wrong("a list").help("compare its length: `${{ … | length > 0 }}`")),
        NodeKind::Secret(_) => Err(wrong("a secret")),
        NodeKind::Value(_) | NodeKind::Mapping(_) | NodeKind::Unknown => Err(wrong("this")),
    }
}
