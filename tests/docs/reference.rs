//! The language reference.

use consign::{
    plan::{SourceFile, expression::FILTERS, yaml as front_end},
    step::KINDS,
};
use regex::Regex;

use super::{consign, read};

#[test]
fn the_reference_is_what_the_program_prints() {
    let said = consign(&["reference"]);
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
    assert!(read("docs/language.md") == said.stdout, "write it anew: consign reference > docs/language.md");
}

#[test]
fn every_kind_field_output_effect_and_filter_stands_in_it() {
    let page = read("docs/language.md");
    for kind in KINDS {
        let section = page.split_once(&format!("\n### {}\n", kind.name)).unwrap().1;
        let section = section.split("\n### ").next().unwrap();
        for name in kind.fields().iter().map(|field| field.name.as_str()).chain(kind.outputs.iter().map(|of| of.name)) {
            assert!(section.contains(&format!("`{name}`")), "{}: {name}", kind.name);
        }
        for effect in kind.effects {
            assert!(page.contains(&format!("{} {}", effect.sort, effect.which)), "{}: {effect:?}", kind.name);
        }
    }
    for filter in FILTERS {
        assert!(page.contains(&format!("\n| `{}` | ", filter.name)), "{}", filter.name);
    }
    assert_eq!(Regex::new(r"(?m)^@\w|@tests").unwrap().find(&page).map(|mark| mark.as_str()), None);
}

#[test]
fn its_links_lead_somewhere_and_its_tables_are_whole() {
    let page = read("docs/language.md");
    let headings = Regex::new(r"(?m)^#+ (.*)$").unwrap();
    let anchors: Vec<_> =
        headings.captures_iter(&page).map(|found| found[1].to_lowercase().replace(' ', "-")).collect();
    for link in Regex::new(r"\]\(#([^)]*)\)").unwrap().captures_iter(&page) {
        assert!(anchors.contains(&link[1].to_owned()), "{}", &link[1]);
    }
    let cells = Regex::new(r"(^|[^\\])\|").unwrap();
    let mut columns = None;
    for line in page.lines() {
        let count = line.starts_with('|').then(|| cells.find_iter(line).count());
        assert!(columns.is_none() || count.is_none() || columns == count, "{line}");
        columns = count;
    }
}

#[test]
fn its_examples_are_read() {
    let page = read("docs/language.md");
    let blocks = Regex::new("(?ms)^```yaml\n(.*?)^```$").unwrap();
    assert!(blocks.captures_iter(&page).count() > KINDS.len());
    for block in blocks.captures_iter(&page) {
        assert!(front_end::parse(&SourceFile::new("docs/language.md", block[1].to_owned())).is_ok(), "{}", &block[1]);
    }
}
