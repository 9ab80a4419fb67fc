/// A filter that an expression may use.
#[derive(Debug, Clone, Copy)]
pub struct Filter {
    /// What stands behind the `|`.
    pub name: &'static str,
    /// What it gives, in a few words.
    pub summary: &'static str,
    /// An expression with it.
    pub example: &'static str,
    /// What that gives, as JSON; a test works it out.
    pub gives: &'static str,
}

/// Every filter that an expression may use, by name: those of minijinja that only look at their value, and our own.
pub const FILTERS: &[Filter] = &[
    filter("abs", "a number without its sign", "-3 | abs", "3"),
    filter("attr", "a member of a value", "{'a': 1} | attr('a')", "1"),
    filter("basename", "the last part of a path", "'dist/app.tgz' | basename", "\"app.tgz\""),
    filter("batch", "the items in lists of that many", "[1, 2, 3] | batch(2)", "[[1,2],[3]]"),
    filter("bool", "whether a value counts as true", "'' | bool", "false"),
    filter("capitalize", "the first letter in upper case, the rest in lower case", "'aB' | capitalize", "\"Ab\""),
    filter("chain", "lists one after the other, or mappings in one", "[1] | chain([2])", "[1,2]"),
    filter("count", "as `length`", "'abc' | count", "3"),
    filter("d", "as `default`", "{}.a | d('none')", "\"none\""),
    filter("default", "something in the place of what is undefined", "{}.a | default('none')", "\"none\""),
    filter("dictsort", "a mapping's pairs, sorted by key", "{'b': 1, 'a': 2} | dictsort", "[[\"a\",2],[\"b\",1]]"),
    filter(
        "digest_of",
        "the digest of a reference",
        "'a.io/b@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a' | digest_of",
        "\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\"",
    ),
    filter("first", "the first item", "['a', 'b'] | first", "\"a\""),
    filter("float", "a number with a fraction", "'1.5' | float", "1.5"),
    filter("format", "the value with others put in, as `printf` does", "'%s-%02d' | format('a', 7)", "\"a-07\""),
    filter(
        "groupby",
        "the items in groups by a member, each as its value and its items",
        "[{'a': 1}, {'a': 1}] | groupby('a') | length",
        "1",
    ),
    filter(
        "hex",
        "a digest without its algorithm",
        "'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a' | hex",
        "\"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\"",
    ),
    filter(
        "indent",
        "lines moved to the right by that many spaces, but for the first",
        "'a\\nb' | indent(2)",
        "\"a\\n  b\"",
    ),
    filter("int", "a whole number", "'42' | int", "42"),
    filter("items", "a mapping's pairs, in its order", "{'a': 1} | items", "[[\"a\",1]]"),
    filter("join", "the items as one text, with that between", "['a', 'b'] | join('-')", "\"a-b\""),
    filter("last", "the last item", "['a', 'b'] | last", "\"b\""),
    filter("length", "how many letters or items there are", "['a', 'b'] | length", "2"),
    filter("lines", "text as a list of its lines", "'a\\nb' | lines", "[\"a\",\"b\"]"),
    filter("list", "a value's items as a list", "'ab' | list", "[\"a\",\"b\"]"),
    filter("lower", "in lower case", "'aB' | lower", "\"ab\""),
    filter("map", "a member of each item, or a filter of each", "['a', 'b'] | map('upper')", "[\"A\",\"B\"]"),
    filter("max", "the largest item", "[1, 3, 2] | max", "3"),
    filter("min", "the smallest item", "[1, 3, 2] | min", "1"),
    filter("oci_tag", "any text made a legal tag", "'feature/login' | oci_tag", "\"feature-login\""),
    filter(
        "pluck",
        "that output of each item of a `foreach`, or that member of each value of a list, as a list",
        "[{'a': 1}, {'a': 2}] | pluck('a')",
        "[1,2]",
    ),
    filter("registry", "the registry of a reference", "'a.io/b/c:v1' | registry", "\"a.io\""),
    filter("reject", "the items that a test is not true of", "[1, 2, 3] | reject('odd')", "[2]"),
    filter(
        "rejectattr",
        "the items that a test of a member is not true of",
        "[{'a': 1}, {'a': 2}] | rejectattr('a', 'odd')",
        "[{\"a\":2}]",
    ),
    filter("replace", "text with each of one put for another", "'a-b' | replace('-', '_')", "\"a_b\""),
    filter(
        "repository",
        "the repository of a reference, without its registry",
        "'a.io/b/c:v1' | repository",
        "\"b/c\"",
    ),
    filter("reverse", "the other way round", "[1, 2] | reverse", "[2,1]"),
    filter("round", "a number to that many digits", "1.27 | round(1)", "1.3"),
    filter("select", "the items that a test is true of", "[1, 2, 3] | select('odd')", "[1,3]"),
    filter(
        "selectattr",
        "the items that a test of a member is true of",
        "[{'a': 1}, {'a': 2}] | selectattr('a', 'odd')",
        "[{\"a\":1}]",
    ),
    filter("semver_major", "the major version", "'1.4.0' | semver_major", "\"1\""),
    filter("semver_minor", "the major and minor version", "'1.4.0' | semver_minor", "\"1.4\""),
    filter(
        "short",
        "the first 12 digits of a digest",
        "'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a' | short",
        "\"44136fa355b3\"",
    ),
    filter("slice", "the items in that many lists", "[1, 2, 3] | slice(2)", "[[1,2],[3]]"),
    filter("sort", "the items in order", "['b', 'a'] | sort", "[\"a\",\"b\"]"),
    filter("split", "text cut at that", "'a,b' | split(',')", "[\"a\",\"b\"]"),
    filter("string", "a value as text", "42 | string", "\"42\""),
    filter("sum", "the items added up", "[1, 2] | sum", "3"),
    filter("tag_of", "the tag of a reference", "'a.io/b/c:v1' | tag_of", "\"v1\""),
    filter("title", "each word with its first letter in upper case", "'net monitor' | title", "\"Net Monitor\""),
    filter("tojson", "a value as JSON", "{'a': 1} | tojson", "\"{\\\"a\\\": 1}\""),
    filter("trim", "text without what is blank around it", "' a ' | trim", "\"a\""),
    filter("unique", "each item once", "[1, 1, 2] | unique", "[1,2]"),
    filter("upper", "in upper case", "'aB' | upper", "\"AB\""),
    filter("zip", "lists side by side", "[1, 2] | zip(['a', 'b'])", "[[1,\"a\"],[2,\"b\"]]"),
];

const fn filter(name: &'static str, summary: &'static str, example: &'static str, gives: &'static str) -> Filter {
    Filter { name, summary, example, gives }
}
