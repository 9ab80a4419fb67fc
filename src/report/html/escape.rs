use quick_xml::escape;

use crate::text;

/// Text in one line that a page takes as text, also in an attribute.
pub(super) fn line(text: &str) -> String {
    escape::escape(text::safe_line(text).as_ref()).into_owned()
}

/// The same with line ends and tabs.
pub(super) fn lines(text: &str) -> String {
    escape::escape(text::safe_lines(text).as_ref()).into_owned()
}
