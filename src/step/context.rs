use std::sync::Arc;

use super::{Made, Mode, Pins, Places, Programs, StepError, Turn};
use crate::{
    event::Progress,
    oci::{Descriptor, Manifest, Reference, Repository, Target},
    plan::yaml::SecretName,
    secret::{Secret, Secrets},
    sign::Web,
    store::{Store, Stores},
};

/// What a running step may use: stores, the folders of the plan, and its end of the event stream.
#[derive(Debug, Clone)]
pub struct StepContext {
    /// Every repository.
    pub stores: Arc<Stores>,
    /// Where the tags of this run point.
    pub pins: Arc<Pins>,
    /// What this run brought.
    pub made: Arc<Made>,
    /// Where local paths lead.
    pub places: Arc<Places>,
    /// What the run is for.
    pub mode: Mode,
    /// The secrets of the plan.
    pub secrets: Secrets,
    /// The programs that the steps of this run have started.
    pub programs: Programs,
    /// Services of the web; nothing in a rehearsal, which asks nobody.
    pub web: Option<Arc<dyn Web>>,
    /// From when on others may see what it does.
    pub turn: Turn,
    /// What it has to say.
    pub progress: Progress,
    /// `SOURCE_DATE_EPOCH`, in seconds since 1970, where it is set.
    pub epoch: Option<u64>,
    /// How many transfers one copy runs at a time.
    pub concurrency: usize,
}

impl StepContext {
    /// What a secret of the plan says. It is asked for now; in a rehearsal that was not told to, it is a stand-in.
    pub async fn secret(&self, SecretName(name): &SecretName) -> Result<Secret, StepError> {
        if self.mode.takes_secrets() {
            Ok(self.secrets.value(name).await?)
        } else {
            Ok(Secret::new(format!("stand-in for {name}")))
        }
    }

    /// The store of that repository.
    pub fn open(&self, repository: &Repository) -> Arc<dyn Store> {
        self.stores.open(&self.places.repository(repository))
    }

    /// What `reference` names, or an error that says that it is not there. A tag that the plan only reads is resolved
    /// once in a run.
    pub async fn resolve(&self, reference: &Reference) -> Result<Descriptor, StepError> {
        self.find(reference).await?.ok_or_else(|| StepError::NotThere { reference: reference.to_string() })
    }

    /// What `reference` names, if it is there.
    pub async fn find(&self, reference: &Reference) -> Result<Option<Descriptor>, StepError> {
        let store = self.open(&reference.repository);
        let found = match reference.target() {
            Some(Target::Tag(tag)) => self.pins.resolve(&*store, &tag).await,
            Some(target @ Target::Digest(_)) => store.resolve(&target).await,
            None => return self.only(&*store, reference).await,
        };
        found.map_err(StepError::store("resolve", reference))
    }

    /// The one image of an archive, where neither a tag nor a digest names it.
    async fn only(&self, store: &dyn Store, reference: &Reference) -> Result<Option<Descriptor>, StepError> {
        if !reference.repository.is_archive() {
            return Err(StepError::NoTarget { reference: reference.to_string() });
        }
        let mut roots = store.roots().await.map_err(StepError::store("read", reference))?;
        if roots.len() > 1 {
            let tags = store.tags().await.map_err(StepError::store("read", reference))?;
            let tags = tags.iter().map(ToString::to_string).collect();
            return Err(StepError::SeveralImages { reference: reference.to_string(), count: roots.len(), tags });
        }
        Ok(roots.pop())
    }

    /// The manifest that `reference` names, or an error that says that it is not there.
    pub async fn manifest(&self, reference: &Reference) -> Result<Manifest, StepError> {
        let store = self.open(&reference.repository);
        let found = match reference.target() {
            Some(Target::Tag(tag)) => self.pins.manifest(&*store, &tag).await,
            Some(target @ Target::Digest(_)) => store.manifest(&target).await,
            None => match self.only(&*store, reference).await? {
                Some(only) => store.manifest(&Target::Digest(only.digest)).await,
                None => Ok(None),
            },
        };
        let found = found.map_err(StepError::store("fetch", reference))?;
        found.ok_or_else(|| StepError::NotThere { reference: reference.to_string() })
    }
}
