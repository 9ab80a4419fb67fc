use super::Node;
use crate::plan::{Diagnostic, SourceFile};

/// Reads the one document of `source`, or says everything that is wrong with it as YAML.
pub fn parse(source: &SourceFile) -> Result<Node, Vec<Diagnostic>> {
    let _ = source;
    Err(Vec::new())
}
