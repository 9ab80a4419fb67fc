//! Rows of text in aligned columns.

use crate::text;

/// `rows` under `header`, in columns two spaces apart, without spaces at the ends of lines. An empty header is left out.
pub fn draw(header: &[&str], rows: &[Vec<String>]) -> String {
    let header = header.iter().map(|cell| text::safe_line(cell)).collect::<Vec<_>>();
    let rows = rows.iter().map(|row| row.iter().map(|cell| text::safe_line(cell)).collect());
    let lines: Vec<Vec<_>> = std::iter::once(header).chain(rows).collect();
    let mut widths = Vec::new();
    for line in &lines {
        widths.resize(widths.len().max(line.len()), 0);
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = text::width(cell).max(*width);
        }
    }
    let mut drawn = String::new();
    for line in lines.iter().skip_while(|line| line.is_empty()) {
        let cells: Vec<_> = line.iter().zip(&widths).map(|(cell, width)| text::pad(cell, *width)).collect();
        drawn.push_str(cells.join("  ").trim_end());
        drawn.push('\n');
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn drawn(header: &[&str], rows: &[&[&str]], expected: &[&str]) {
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(ToString::to_string).collect()).collect();
        assert_eq!(draw(header, &rows).lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        drawn(
            &["type", "digest", ""],
            &[&["sbom/example", "sha256:55"], &["東京", "x", "y"], &["", "", ""]],
            &["type          digest", "sbom/example  sha256:55", "東京          x          y", ""],
        );
    }

    #[test]
    fn a_cell_is_one_line() {
        drawn(&[], &[&["a\nb", "c\u{1b}[2J"], &["longer"]], &[r"a\nb    c\u001b[2J", "longer"]);
        drawn(&["name"], &[], &["name"]);
        drawn(&[], &[], &[]);
    }
}
