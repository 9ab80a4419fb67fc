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
}
