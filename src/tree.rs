//! Trees, drawn with lines: what refers to a manifest, what lies in a folder.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    oci::{Descriptor, Digest},
    text,
};

/// More levels than this are not drawn: nobody reads them, and what a registry says could go down for ever.
const DEPTH: usize = 128;

/// A line of text and what hangs below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// The line.
    pub label: String,
    /// From top to bottom.
    pub children: Vec<Tree>,
}

/// The tree, one line per label, as `oras discover` draws it. Each line ends with a newline.
pub fn draw(tree: &Tree) -> String {
    let mut drawn = format!("{}\n", text::safe_line(&tree.label));
    draw_children(&tree.children, "", DEPTH, &mut drawn);
    drawn
}

fn draw_children(children: &[Tree], indent: &str, depth: usize, drawn: &mut String) {
    let Some((last, others)) = children.split_last() else {
        return;
    };
    if depth == 0 {
        drawn.extend([indent, "└── … and more levels\n"]);
        return;
    }
    for child in others {
        drawn.extend([indent, "├── ", &text::safe_line(&child.label), "\n"]);
        draw_children(&child.children, &format!("{indent}│   "), depth - 1, drawn);
    }
    drawn.extend([indent, "└── ", &text::safe_line(&last.label), "\n"]);
    draw_children(&last.children, &format!("{indent}    "), depth - 1, drawn);
}

impl Tree {
    /// What refers to `root`, at all levels: below each manifest the artifact types of its referrers in order, below each
    /// type their digests in order. `nodes` holds the referrers of each manifest that has some.
    ///
    /// A manifest that is found again has its referrers where it was found first, so that circles end.
    pub fn of_referrers(root_label: String, nodes: &BTreeMap<Digest, Vec<Descriptor>>, root: &Digest) -> Self {
        let mut seen = BTreeSet::from([root]);
        Self { label: root_label, children: referrers(nodes, root, DEPTH, &mut seen) }
    }

    /// The files of `paths`, which are relative and have `/` between their parts, under the folder `root`.
    pub fn of_paths(root: &str, paths: &[String]) -> Self {
        let mut folder = Folder::default();
        for path in paths {
            let mut entry = &mut folder;
            for part in path.split('/').filter(|part| !part.is_empty()).take(DEPTH + 1) {
                entry = entry.0.entry(part).or_default();
            }
        }
        folder.tree(root)
    }
}

fn referrers<'a>(
    nodes: &'a BTreeMap<Digest, Vec<Descriptor>>,
    subject: &Digest,
    depth: usize,
    seen: &mut BTreeSet<&'a Digest>,
) -> Vec<Tree> {
    let mut types: BTreeMap<&str, BTreeSet<&Digest>> = BTreeMap::new();
    for referrer in nodes.get(subject).into_iter().flatten() {
        let artifact_type = referrer.artifact_type.as_deref().filter(|name| !name.is_empty()).unwrap_or("<unknown>");
        types.entry(artifact_type).or_default().insert(&referrer.digest);
    }
    let mut groups = Vec::new();
    for (artifact_type, digests) in types {
        let children = digests.into_iter().map(|digest| {
            let children =
                if depth > 0 && seen.insert(digest) { referrers(nodes, digest, depth - 1, seen) } else { Vec::new() };
            Tree { label: digest.to_string(), children }
        });
        groups.push(Tree { label: artifact_type.to_owned(), children: children.collect() });
    }
    groups
}

#[derive(Default)]
struct Folder<'a>(BTreeMap<&'a str, Folder<'a>>);

impl Folder<'_> {
    fn tree(&self, name: &str) -> Tree {
        Tree { label: name.to_owned(), children: self.0.iter().map(|(name, folder)| folder.tree(name)).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str) -> Digest {
        Digest::sha256(text.as_bytes())
    }

    fn referrer(artifact_type: Option<&str>, content: &str) -> Descriptor {
        Descriptor {
            artifact_type: artifact_type.map(str::to_owned),
            ..Descriptor::of("application/vnd.oci.image.manifest.v1+json", content.as_bytes())
        }
    }

    /// Digests are long: their contents stand for them.
    #[track_caller]
    fn drawn(tree: &Tree, contents: &[&str], expected: &str) {
        let mut text = draw(tree);
        for content in contents {
            text = text.replace(&digest(content).to_string(), &format!("sha256:{content}"));
        }
        assert_eq!(text, expected);
    }

    #[test]
    fn the_tree_of_the_article() {
        let image = digest("image");
        let nodes = BTreeMap::from([
            (
                image.clone(),
                vec![
                    referrer(Some("signature/example"), "signature"),
                    referrer(Some("sbom/example"), "sbom"),
                    referrer(Some("readme/example"), "readme"),
                ],
            ),
            (digest("sbom"), vec![referrer(Some("signature/example"), "sbom signature")]),
        ]);
        drawn(
            &Tree::of_referrers("myregistry.azurecr.io/net-monitor:v1".to_owned(), &nodes, &image),
            &["signature", "sbom", "readme", "sbom signature"],
            "\
myregistry.azurecr.io/net-monitor:v1
├── readme/example
│   └── sha256:readme
├── sbom/example
│   └── sha256:sbom
│       └── signature/example
│           └── sha256:sbom signature
└── signature/example
    └── sha256:signature
",
        );
    }

    #[test]
    fn siblings_of_one_type_stand_together_in_order_of_their_digests() {
        // SHA-256 of "a" begins with ca, of "b" with 3e, of "c" with 2e.
        let root = digest("root");
        let list = vec![
            referrer(Some("x/y"), "a"),
            referrer(None, "c"),
            referrer(Some("x/y"), "b"),
            referrer(Some(""), "d"),
            referrer(Some("x/y"), "a"),
        ];
        drawn(
            &Tree::of_referrers("r".to_owned(), &BTreeMap::from([(root.clone(), list)]), &root),
            &["a", "b", "c", "d"],
            "\
r
├── <unknown>
│   ├── sha256:d
│   └── sha256:c
└── x/y
    ├── sha256:b
    └── sha256:a
",
        );
    }

    #[test]
    fn circles_end() {
        let (a, b) = (digest("a"), digest("b"));
        let nodes = BTreeMap::from([
            (a.clone(), vec![referrer(Some("x/y"), "b")]),
            (b, vec![referrer(Some("x/y"), "a"), referrer(Some("x/y"), "b")]),
        ]);
        drawn(
            &Tree::of_referrers("a".to_owned(), &nodes, &a),
            &["a", "b"],
            "a\n└── x/y\n    └── sha256:b\n        └── x/y\n            ├── sha256:b\n            └── sha256:a\n",
        );
    }

    #[test]
    fn a_chain_without_end_is_cut_and_says_so() {
        let chain = |index: usize| format!("link {index}");
        let nodes: BTreeMap<_, _> =
            (0..5_000).map(|index| (digest(&chain(index)), vec![referrer(Some("x/y"), &chain(index + 1))])).collect();
        let drawn = draw(&Tree::of_referrers("root".to_owned(), &nodes, &digest(&chain(0))));
        assert!(drawn.ends_with("└── … and more levels\n"), "{}", drawn.lines().last().unwrap_or_default());
        let path = Tree::of_paths("root", &["a/".repeat(100_000)]);
        assert!(draw(&path).ends_with("└── … and more levels\n"));
    }

    #[test]
    fn files_stand_under_their_folders() {
        let paths = ["readme.md", "details/more.md", "details/details.md"].map(str::to_owned);
        drawn(
            &Tree::of_paths("download/readme", &paths),
            &[],
            "\
download/readme
├── details
│   ├── details.md
│   └── more.md
└── readme.md
",
        );
        drawn(&Tree::of_paths("download", &[]), &[], "download\n");
    }

    #[test]
    fn a_label_is_one_line() {
        let child = Tree { label: "a\nb\u{1b}[1m".to_owned(), children: Vec::new() };
        drawn(&Tree { label: "x".to_owned(), children: vec![child] }, &[], "x\n└── a\\nb\\u001b[1m\n");
    }
}
