//! What a real run would do, at the end of a rehearsal, as a table for people.

use super::Palette;
use crate::{
    event::{Change, InjectedFault, Rehearsed, RehearsedRepository},
    oci::{Digest, Target},
    table, text,
};

/// More changes of one repository than this are only counted.
const LISTED: usize = 20;

/// A row for each change, then what became of the faults. Ends with a newline where there is anything to say.
pub(super) fn draw(rehearsed: &Rehearsed, palette: Palette) -> String {
    let mut drawn = String::new();
    let rows: Vec<_> = rehearsed.repositories.iter().flat_map(rows).collect();
    if !rows.is_empty() {
        drawn.extend([&palette.heading("a real run:"), "\n"]);
        let table = table::draw(&["in", "needs", "to", ""], &rows);
        drawn.extend(table.lines().flat_map(|line| ["  ", line, "\n"]));
    }
    if !rehearsed.faults.is_empty() {
        let faults: Vec<_> = rehearsed.faults.iter().map(fault).collect();
        let tries = match rehearsed.tries {
            1 => "1 more try".to_owned(),
            tries => format!("{tries} more tries"),
        };
        drawn.extend(["faults: ", &faults.join(", "), "; they cost ", &tries, "\n"]);
    }
    drawn
}

fn rows(it: &RehearsedRepository) -> Vec<Vec<String>> {
    let mut rows: Vec<_> = it.changes.iter().take(LISTED).map(change).collect();
    if it.changes.len() > LISTED {
        rows.push(["", "", "", &format!("and {} more", it.changes.len() - LISTED)].map(str::to_owned).into());
    }
    if rows.is_empty() {
        rows.push(vec![String::new(); 4]);
    }
    if let Some([repository, rights, ..]) = rows.first_mut().map(Vec::as_mut_slice) {
        *repository = it.repository.to_string();
        // Nobody asks who writes to a folder.
        if it.repository.is_registry() {
            *rights = it.rights.words().join(", ");
        }
    }
    rows
}

fn change(change: &Change) -> Vec<String> {
    let short = |digest: &Digest| format!("{}:{}", digest.algorithm().name(), digest.short());
    let what = match (&change.target, &change.before, &change.after) {
        (Target::Digest(digest), _, _) => short(digest),
        (Target::Tag(tag), Some(before), Some(after)) => format!("{tag}: {} → {}", short(before), short(after)),
        (Target::Tag(tag), None, Some(after)) => format!("{tag} → {}", short(after)),
        (Target::Tag(tag), Some(before), None) => format!("{tag}, now {}", short(before)),
        (Target::Tag(tag), None, None) => tag.to_string(),
    };
    vec![String::new(), String::new(), change.verb().to_owned(), what]
}

fn fault(fault: &InjectedFault) -> String {
    format!("`{}` {} of {}", text::safe_line(&fault.spec), fault.injected, text::count(fault.wanted as usize, "time"))
}
