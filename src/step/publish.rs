//! Bringing a manifest that consign made to its repository, and its tags to it: what `push`, `image` and `index` share.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::future::try_join_all;

use super::{
    Access, Done, Effects, IfExists, Places, StepContext, StepError, Thing,
    file::Layer,
    reading::{check_writable, on_disk},
    several::several,
};
use crate::{
    event::Outcome,
    oci::{Descriptor, Manifest, Reference, Repository, Tag, Target, annotation, media_type},
    output::Output,
    plan::{Diagnostic, yaml::Spanned},
    store::{self, CopyOptions, Standing, Store},
};

/// A manifest with all that it needs.
pub(super) struct Publication<'a> {
    /// Where; its tag moves.
    pub(super) to: &'a Reference,
    /// Further tags that move.
    pub(super) tags: &'a [Tag],
    /// What happens where one of them points elsewhere.
    pub(super) if_exists: IfExists,
    /// What it is.
    pub(super) manifest: Manifest,
    /// Its config and layers.
    pub(super) blobs: Vec<Layer>,
    /// The manifests that it lists.
    pub(super) parts: Vec<Part>,
}

/// A manifest that an index lists.
pub(super) enum Part {
    /// In another repository, from which it is copied with all that it needs.
    Found { store: Arc<dyn Store>, manifest: Manifest },
    /// Made here, of blobs of the publication.
    Made { manifest: Manifest },
}

/// How many blobs of one step are sent at a time; the registry's own limit holds besides.
const TRANSFERS: usize = 8;

impl Publication<'_> {
    /// Pushes what is not there and moves the tags, last.
    pub(super) async fn publish(self, cx: &StepContext) -> Result<(Done, Descriptor), StepError> {
        let store = cx.open(&self.to.repository);
        let is_absent = self.go_ahead(cx, &*store).await;
        let tags: Vec<&Tag> = self.to.tag.iter().chain(self.tags).collect();
        let mut descriptor = self.manifest.descriptor();
        let mut outcome = Outcome::Created;
        let mut moving = Vec::new();
        let find = try_join_all(tags.iter().map(|tag| cx.pins.resolve(&*store, tag)));
        let find = async { find.await.map_err(StepError::store("look for", self.to)) };
        let (there, is_there) = futures_util::try_join!(find, self.is_there(cx, &*store, is_absent))?;
        if tags.is_empty() && is_there {
            let made = cx.made.contains(store.repository(), &descriptor.digest);
            return Ok(self.done(if made { Outcome::Created } else { Outcome::Unchanged }, descriptor));
        }
        for (tag, found) in tags.iter().zip(there) {
            match found {
                None => moving.push(*tag),
                Some(found) if found.digest == descriptor.digest => {}
                Some(found) if self.differs_only_in_compression(&*store, &found).await? => descriptor = found,
                Some(found) => match self.if_exists {
                    IfExists::Keep => descriptor = found,
                    IfExists::Replace => {
                        outcome = Outcome::Updated;
                        moving.push(*tag);
                    }
                    IfExists::Fail => {
                        return Err(StepError::TagElsewhere {
                            reference: Reference::by_tag(self.to.repository.clone(), (*tag).clone()).to_string(),
                            there: found.digest.to_string(),
                            here: descriptor.digest.to_string(),
                        });
                    }
                },
            }
        }
        if moving.is_empty() && !tags.is_empty() {
            return Ok(self.done(Outcome::Unchanged, descriptor));
        }
        descriptor = self.manifest.descriptor();
        // Where the manifest is, its blobs are as well: a registry where they are not refuses the manifest.
        if !is_there {
            for tag in &tags {
                cx.made.add_tag(store.repository(), tag);
            }
            push_blobs(cx, &*store, &self.blobs).await?;
            self.bring_parts(cx, &store).await?;
        }
        let fail = || StepError::store("push", self.to);
        let mut moving = moving.into_iter();
        let first = moving.next();
        store.push_manifest(&self.manifest, first).await.map_err(fail())?;
        let rest = moving.clone().map(|tag| store.push_manifest(&self.manifest, Some(tag)));
        try_join_all(rest).await.map_err(fail())?;
        for tag in first.into_iter().chain(moving) {
            cx.pins.set(store.repository(), tag, &descriptor).await;
        }
        store.flush().await.map_err(fail())?;
        Ok(self.done(outcome, descriptor))
    }

    /// Before its turn: pushes the blobs of a manifest that is not there, and says whether that is known in its turn. What
    /// fails here fails again in its turn, and is told then.
    async fn go_ahead(&self, cx: &StepContext, store: &dyn Store) -> bool {
        if cx.turn.has_come() {
            return false;
        }
        let arrivals = cx.made.arrivals(store.repository());
        let is_absent = matches!(store.resolve(&self.by_digest()).await, Ok(None));
        if is_absent {
            let _ = push_blobs(cx, store, &self.blobs).await;
        }
        cx.turn.wait().await;
        is_absent && cx.made.arrivals(store.repository()) == arrivals
    }

    /// Whether the manifest is there, whatever names it, unless it is known to be absent. If not, this run is about to
    /// bring it.
    async fn is_there(&self, cx: &StepContext, store: &dyn Store, is_absent: bool) -> Result<bool, StepError> {
        let fail = StepError::store("look for", self.to);
        if !is_absent && store.resolve(&self.by_digest()).await.map_err(fail)?.is_some() {
            return Ok(true);
        }
        cx.made.add(store.repository(), self.manifest.digest());
        Ok(false)
    }

    /// Brings what an index lists. Where the same content is needed twice, it is sent once: they go one after the other.
    async fn bring_parts(&self, cx: &StepContext, target: &Arc<dyn Store>) -> Result<(), StepError> {
        for part in &self.parts {
            let (store, manifest) = match part {
                Part::Found { store, manifest } => (store, manifest),
                Part::Made { manifest } => {
                    let pushed = target.push_manifest(manifest, None).await;
                    pushed.map_err(StepError::store("push", self.to))?;
                    continue;
                }
            };
            let options = CopyOptions { referrers: false, concurrency: cx.concurrency, ..CopyOptions::default() };
            let copied = store::copy(store, manifest, target, &options, &cx.progress, Standing::Unknown).await;
            let name = Reference::by_digest(store.repository().clone(), manifest.digest().clone());
            copied.map_err(StepError::store("copy", &name))?;
        }
        cx.made.arrived(target.repository());
        Ok(())
    }

    fn by_digest(&self) -> Target {
        Target::Digest(self.manifest.digest().clone())
    }

    fn done(&self, outcome: Outcome, descriptor: Descriptor) -> (Done, Descriptor) {
        let output = Output::of_manifest(&self.to.repository, &descriptor);
        let output = match &self.to.tag {
            Some(tag) => output.with("tag", tag.as_str()),
            None => output,
        };
        (Done::new(outcome, output), descriptor)
    }

    /// Whether what is there has the same uncompressed layers and is equal in everything else: another version of
    /// consign, or another compressor, made it.
    async fn differs_only_in_compression(&self, store: &dyn Store, there: &Descriptor) -> Result<bool, StepError> {
        let uncompressed = |layer: &Descriptor| layer.annotations.contains_key(annotation::ORAS_CONTENT_DIGEST);
        let Some(ours) = self.manifest.as_image().filter(|image| image.layers.iter().any(uncompressed)) else {
            return Ok(false);
        };
        let target = Target::Digest(there.digest.clone());
        let theirs = store.manifest(&target).await.map_err(StepError::store("fetch", self.to))?;
        let Some(theirs) = theirs.as_ref().and_then(Manifest::as_image) else { return Ok(false) };
        let plain = |image: &crate::oci::ImageManifest| {
            let mut image = image.clone();
            for layer in image.layers.iter_mut().filter(|layer| uncompressed(layer)) {
                let same = Descriptor::of(media_type::LAYER_TAR, b"");
                (layer.media_type, layer.digest, layer.size) = (same.media_type, same.digest, same.size);
            }
            image
        };
        Ok(plain(ours) == plain(theirs))
    }
}

/// Pushes what a manifest needs. Blobs that are there are not sent.
pub(super) async fn push_blobs(cx: &StepContext, store: &dyn Store, blobs: &[Layer]) -> Result<(), StepError> {
    // The same content under two names is one blob.
    let distinct: BTreeMap<_, _> = blobs.iter().map(|blob| (&blob.descriptor.digest, blob)).collect();
    let pushes = distinct.into_values().map(|blob| async move {
        let source = blob.source.clone().watched(cx.progress.clone());
        let from = blob.from.as_ref().filter(|from| store::is_beside(from, store.repository()));
        let pushed = store.push_blob(&blob.descriptor, &source, from).await;
        if let (Err(_), Some(file)) = (&pushed, &blob.file) {
            // Perhaps it is not what it was hashed to.
            cx.places.digests.forget(file);
        }
        let name = blob.descriptor.title().unwrap_or(&blob.descriptor.media_type).to_owned();
        pushed.map_err(StepError::store("push", &name))
    });
    several(TRANSFERS, pushes.collect()).await.map(drop)
}

/// What is wrong with a reference that something is written to.
pub(super) fn check_target(to: &Spanned<Reference>) -> Option<Diagnostic> {
    let digest = to.digest.as_ref().map(|_| {
        let diagnostic = Diagnostic::new("a target takes a tag, not a digest").at(to.span);
        diagnostic.help("leave the digest out: it follows from the content")
    });
    check_writable(to).or(digest)
}

/// The tags that pushing to `to` moves.
pub(super) fn moves<'a>(
    to: &'a Reference,
    tags: &'a [Tag],
    if_exists: IfExists,
) -> Vec<(&'a Repository, &'a Tag, IfExists)> {
    to.tag.iter().chain(tags).map(|tag| (&to.repository, tag, if_exists)).collect()
}

/// What pushing under tags does: the content is added, the tags move, the tag list grows.
pub(super) fn target_effects(effects: Effects, to: &Reference, tags: &[Tag], places: &Places) -> Effects {
    let repository = places.repository(&to.repository);
    let effects = effects.append(Thing::graph(&repository)).append(Thing::pushed(&repository));
    let effects = on_disk(effects, Access::Append, &repository);
    let tags: Vec<&Tag> = to.tag.iter().chain(tags).collect();
    let effects = if tags.is_empty() { effects } else { effects.append(Thing::tag_list(&repository)) };
    tags.into_iter().fold(effects, |effects, tag| effects.write(Thing::tag(&repository, tag)))
}
