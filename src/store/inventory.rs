//! Which manifests a repository has, as far as that can be told.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Listed, Store, StoreError, needs, walk::Walk};
use crate::oci::{Descriptor, Digest, Manifest, Platform, Tag, Target, media_type};

/// The manifests of a repository, without the lists that the referrers tag schema keeps.
#[derive(Debug)]
pub struct Inventory {
    /// Sorted by digest.
    pub manifests: Vec<Held>,
    /// Whether the repository listed them itself. Otherwise they are what its tags reach: what they name, what that lists,
    /// what that is about, and what refers to any of it.
    pub is_own: bool,
}

/// A manifest that is there. What it says of itself was read and verified.
#[derive(Debug, Clone)]
pub struct Held {
    /// Which one.
    pub digest: Digest,
    /// The media type.
    pub media_type: String,
    /// In bytes; nothing where it is of a type that is not read, such as the oldest ones of Docker.
    pub size: Option<u64>,
    /// The artifact type.
    pub artifact_type: Option<String>,
    /// The manifest that it is about.
    pub subject: Option<Digest>,
    /// What runs it: as an index says that lists it, otherwise as the repository does.
    pub platform: Option<Platform>,
    /// The tags that name it, without those of the referrers tag schema.
    pub tags: BTreeSet<Tag>,
    /// When it came, where the repository says so.
    pub created: Option<String>,
    /// When it or its tags changed last, where the repository says so.
    pub last_updated: Option<String>,
}

impl Inventory {
    /// How many manifests of one repository are looked at.
    pub const LIMIT: usize = 100_000;

    /// Asks the repository for its list of manifests, and where it has none, follows its tags.
    pub async fn take(store: &Arc<dyn Store>) -> Result<Self, StoreError> {
        let mut survey = Survey { store: Arc::clone(store), found: BTreeMap::new(), seen: HashSet::new() };
        let listing = store.listing().await?;
        let is_own = listing.is_some();
        match listing {
            Some(listing) => survey.read(listing).await?,
            None => survey.follow_tags().await?,
        }
        Ok(Self { manifests: survey.held(), is_own })
    }
}

/// A repository while it is looked through.
struct Survey {
    store: Arc<dyn Store>,
    found: BTreeMap<Digest, Found>,
    /// What was asked for, whether it was there or not.
    seen: HashSet<Digest>,
}

/// A manifest with what leads on from it.
struct Found {
    held: Held,
    children: Vec<Descriptor>,
}

impl Survey {
    /// How many questions are out at a time.
    const CONCURRENCY: usize = 16;

    async fn read(&mut self, listing: Vec<Listed>) -> Result<(), StoreError> {
        // A manifest that only such tags name is a list of referrers.
        let is_list = |listed: &Listed| !listed.tags.is_empty() && listed.tags.iter().all(Tag::is_of_referrers);
        let listing: Vec<_> = listing.into_iter().filter(|listed| !is_list(listed)).collect();
        let mut wanted = Vec::new();
        for Listed { digest, media_type, .. } in &listing {
            match media_type.as_ref().filter(|it| !media_type::is_manifest(it)) {
                // Not even its digest would be that of its bytes: the oldest ones of Docker hold their own signature.
                Some(unread) => {
                    self.found.insert(digest.clone(), Found::unread(digest.clone(), unread.clone()));
                }
                None => wanted.push(digest.clone()),
            }
        }
        self.look(wanted).await?;
        for listed in listing {
            // What is gone since is not there.
            let Some(found) = self.found.get_mut(&listed.digest) else { continue };
            let held = &mut found.held;
            held.tags.extend(listed.tags.into_iter().filter(|tag| !tag.is_of_referrers()));
            held.platform = listed.platform;
            held.created = listed.created;
            held.last_updated = listed.last_updated;
        }
        Ok(())
    }

    async fn follow_tags(&mut self) -> Result<(), StoreError> {
        let tags = self.store.tags().await?;
        let tags: Vec<_> = tags.into_iter().filter(|tag| !tag.is_of_referrers()).collect();
        self.within_limit(tags.len())?;
        let store = &self.store;
        let mut named = stream::iter(tags)
            .map(|tag| async move { Ok::<_, StoreError>((look(&**store, &tag.clone().into()).await?, tag)) })
            .buffered(Self::CONCURRENCY);
        while let Some((found, tag)) = named.try_next().await? {
            // A tag may go after the list was made.
            let Some(found) = found else { continue };
            let digest = found.held.digest.clone();
            self.seen.insert(digest.clone());
            self.found.entry(digest).or_insert(found).held.tags.insert(tag);
        }
        drop(named);
        let mut level: Vec<_> = self.found.keys().cloned().collect();
        let Some(first) = level.first() else { return Ok(()) };
        let mut walk = Walk::new(Arc::clone(&self.store), first.clone());
        while !level.is_empty() {
            let mut next = BTreeSet::new();
            for found in level.iter().filter_map(|digest| self.found.get(digest)) {
                next.extend(found.children.iter().map(|child| child.digest.clone()));
                next.extend(found.held.subject.clone());
            }
            for (_, referrers) in walk.ask(level).await? {
                next.extend(referrers.into_iter().map(|referrer| referrer.digest));
            }
            next.retain(|digest| !self.seen.contains(digest));
            level = self.look(next.into_iter().collect()).await?;
        }
        Ok(())
    }

    /// Takes in those of `digests` that are there, and says which these are.
    async fn look(&mut self, digests: Vec<Digest>) -> Result<Vec<Digest>, StoreError> {
        self.within_limit(digests.len())?;
        let store = &self.store;
        let mut looks = stream::iter(digests)
            .map(|digest| async move { Ok::<_, StoreError>((look(&**store, &digest.clone().into()).await?, digest)) })
            .buffered(Self::CONCURRENCY);
        let mut there = Vec::new();
        while let Some((found, digest)) = looks.try_next().await? {
            self.seen.insert(digest.clone());
            if let Some(found) = found {
                self.found.insert(digest.clone(), found);
                there.push(digest);
            }
        }
        Ok(there)
    }

    fn within_limit(&self, more: usize) -> Result<(), StoreError> {
        if self.seen.len() + more <= Inventory::LIMIT {
            return Ok(());
        }
        let repository = self.store.repository().to_string();
        Err(StoreError::RepositoryTooLarge { repository, limit: Inventory::LIMIT })
    }

    fn held(mut self) -> Vec<Held> {
        let mut platforms: BTreeMap<Digest, Platform> = BTreeMap::new();
        for entry in self.found.values().flat_map(|found| &found.children) {
            if let Some(platform) = entry.platform.as_ref().filter(|platform| !platform.is_unknown()) {
                platforms.entry(entry.digest.clone()).or_insert_with(|| platform.clone());
            }
        }
        for (digest, platform) in platforms {
            if let Some(found) = self.found.get_mut(&digest) {
                found.held.platform = Some(platform);
            }
        }
        self.found.into_values().map(|found| found.held).collect()
    }
}

impl Found {
    fn of(manifest: &Manifest) -> Self {
        let held = Held {
            size: Some(manifest.descriptor().size),
            artifact_type: manifest.artifact_type().map(str::to_owned),
            subject: manifest.subject().map(|subject| subject.digest.clone()),
            ..Held::unread(manifest.digest().clone(), manifest.media_type().to_owned())
        };
        Self { held, children: needs::manifests(manifest).cloned().collect() }
    }

    const fn unread(digest: Digest, media_type: String) -> Self {
        Self { held: Held::unread(digest, media_type), children: Vec::new() }
    }
}

impl Held {
    const fn unread(digest: Digest, media_type: String) -> Self {
        Self {
            digest,
            media_type,
            size: None,
            artifact_type: None,
            subject: None,
            platform: None,
            tags: BTreeSet::new(),
            created: None,
            last_updated: None,
        }
    }
}

async fn look(store: &dyn Store, target: &Target) -> Result<Option<Found>, StoreError> {
    match store.manifest(target).await {
        Ok(found) => Ok(found.as_ref().map(Found::of)),
        // It is there all the same. Who may push must not be able to spoil the list.
        Err(StoreError::Manifest(error)) => match error.of_what() {
            Some((digest, media_type)) => Ok(Some(Found::unread(digest.clone(), media_type.to_owned()))),
            None => Err(error.into()),
        },
        Err(error) => Err(error),
    }
}
