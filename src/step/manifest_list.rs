//! The manifests of a repository, as `inspect` hands them on and prints them.

use serde_json::{Value, json};

use super::Guess;
use crate::{
    oci::{Reference, Repository, media_type},
    store::{Held, Inventory},
    table,
};

/// The manifests as a list of mappings; every one has every key.
pub(super) fn describe(repository: &Repository, inventory: &Inventory) -> Vec<Value> {
    inventory.manifests.iter().map(|held| describe_one(repository, held)).collect()
}

fn describe_one(repository: &Repository, held: &Held) -> Value {
    json!({
        "digest": held.digest.to_string(),
        "reference": Reference::by_digest(repository.clone(), held.digest.clone()).to_string(),
        "media_type": held.media_type,
        "size": held.size,
        "artifact_type": held.artifact_type,
        "subject": held.subject.as_ref().map(ToString::to_string),
        "platform": held.platform.as_ref().map(ToString::to_string),
        "tags": held.tags.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "created": held.created,
        "last_updated": held.last_updated,
    })
}

/// One that stands for all before the run.
pub(super) fn guessed(repository: &Repository, guess: &Guess<'_>) -> Value {
    let digest = guess.digest("manifests");
    json!({
        "digest": digest.to_string(),
        "reference": Reference::by_digest(repository.clone(), digest).to_string(),
        "media_type": media_type::IMAGE_MANIFEST,
        "size": u64::from(guess.world),
        "artifact_type": format!("guess/{}", guess.text("artifact_type")),
        "subject": guess.digest("subject").to_string(),
        "platform": guess.text("platform"),
        "tags": [guess.text("tags")],
        "created": guess.text("created"),
        "last_updated": guess.text("last_updated"),
    })
}

/// One line a manifest.
pub(super) fn table(inventory: &Inventory) -> String {
    let row = |held: &Held| {
        let tags: Vec<_> = held.tags.iter().map(ToString::to_string).collect();
        let platform = held.platform.as_ref().map(ToString::to_string).unwrap_or_default();
        let kind = held.artifact_type.as_ref().unwrap_or(&held.media_type).clone();
        let size = held.size.map(|size| size.to_string()).unwrap_or_default();
        vec![held.digest.to_string(), kind, platform, size, tags.join(", ")]
    };
    let rows: Vec<_> = inventory.manifests.iter().map(row).collect();
    table::draw(&["DIGEST", "TYPE", "PLATFORM", "SIZE", "TAGS"], &rows)
}
