/// What the signatures of a rehearsal's throw-away keys say besides, so that nobody takes one for another, should it be kept.
pub(super) const MARK: (&str, &str) = ("consign.rehearsal", "made with a throw-away key");
