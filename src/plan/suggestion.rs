/// Comparing longer names costs more than the answer is worth.
const LONGEST: usize = 64;

/// The one of `known` that `wrong` was probably meant to be.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = wrong.chars().count();
    if length > LONGEST {
        return None;
    }
    let wrong = wrong.to_lowercase();
    let most = (length / 3).max(1);
    known
        .into_iter()
        .filter(|candidate| candidate.len() <= 2 * LONGEST)
        .map(|candidate| (strsim::damerau_levenshtein(&wrong, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= most && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// What others call what is meant here, first to last: a word goes for the first that is known.
const ELSEWHERE: &[(&str, &str)] = &[
    ("if", "when"),
    ("depends_on", "needs"),
    ("strategy", "foreach"),
    ("matrix", "foreach"),
    ("loop", "foreach"),
    ("with_items", "foreach"),
    ("items", "in"),
    ("run", "exec"),
    ("script", "exec"),
    ("command", "run"),
    ("environment", "env"),
    ("images", "manifests"),
    ("from", "base"),
    ("source", "from"),
    ("target", "to"),
    ("destination", "to"),
    ("image", "subject"),
    ("variables", "vars"),
    ("parameters", "inputs"),
    ("always", "finally"),
];

/// The key among `known` that `wrong` was probably meant to be: what others call it so, or the nearest.
pub fn meant<'a>(wrong: &str, known: &[&'a str]) -> Option<&'a str> {
    let mut here = ELSEWHERE.iter().filter(|(elsewhere, _)| *elsewhere == wrong);
    let here = here.find_map(|(_, here)| known.iter().copied().find(|known| known == here));
    here.or_else(|| nearest(wrong, known.iter().copied()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_is_suggested_and_what_is_far_is_not() {
        let known = ["subject", "artifact_type", "files", "to"];
        assert_eq!(nearest("artifact_typ", known), Some("artifact_type"));
        assert_eq!(nearest("artifactType", known), Some("artifact_type"));
        assert_eq!(nearest("fiels", known), Some("files"));
        assert_eq!(nearest("x", known), None);
        assert_eq!(nearest("ts", known), Some("to"));
        assert_eq!(nearest("platform", known), None);
    }

    #[test]
    fn a_word_of_others_is_taken_for_ours_where_that_is_known() {
        assert_eq!(meant("if", &["id", "when"]), Some("when"));
        assert_eq!(meant("if", &["id", "needs"]), Some("id"));
        assert_eq!(meant("depends_on", &["id", "needs"]), Some("needs"));
        assert_eq!(meant("matrix", &["id"]), None);
    }
}
