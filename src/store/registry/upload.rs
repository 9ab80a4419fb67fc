//! Writing blobs over HTTP: mounted where another repository has them, otherwise sent, as whole as the registry takes them,
//! and small ones in one request where it takes them so.
//!
//! What broke off is gone on with where the registry has kept some of it, in parts from then on. Which ways a registry does
//! not take is found out by what it does, and known for the rest of the run.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-blobs>

use reqwest::{Method, StatusCode};
use tokio::sync::OwnedMutexGuard;

use super::{
    Answer, RegistryStore, Request, Scope,
    outgoing::Outgoing,
    session::{Session, Setback, SetbackKind, Way},
    single_post::Posted,
};
use crate::{
    oci::{Descriptor, Digest, Repository, RepositoryName, media_type},
    store::{Delivery, Source, StoreError, Unhashed, read},
};

/// Up to this size a blob is sent without asking whether it is there: asking takes as long. A run that goes on with another
/// one asks all the same.
const TINY: u64 = 4 * 1024;
/// From this size on it is worth asking even when an upload session is open already.
const LARGE: u64 = 1024 * 1024;
/// Up to this size content is read before it is sent.
pub(super) const SMALL: u64 = 1024 * 1024;
/// How often the way of sending may change for one blob.
const MAX_CHANGES: u32 = 12;

impl RegistryStore {
    /// Makes sure that the blob is there. Who comes while it is being sent waits for that.
    pub(super) async fn bring(
        &self,
        blob: &Descriptor,
        source: &Source,
        from: Option<&Repository>,
    ) -> Result<Delivery, StoreError> {
        if self.registry.known.has_blob(&self.name, &blob.digest) {
            return Ok(Delivery::Existing);
        }
        let _turn = self.known.pushing.take(&blob.digest).await;
        if self.registry.known.has_blob(&self.name, &blob.digest) {
            return Ok(Delivery::Existing);
        }
        let delivery = {
            let _turn = self.turn_to_bring(blob, from).await;
            self.deliver(blob, source, from).await?
        };
        self.registry.known.blob_is_there(&self.name, &blob.digest);
        Ok(delivery)
    }

    /// Where somebody is bringing the blob to another repository, it will be mounted from there: waits for that. Nothing:
    /// there is nobody to be waited for, and nobody has to wait.
    async fn turn_to_bring(&self, blob: &Descriptor, from: Option<&Repository>) -> Option<OwnedMutexGuard<()>> {
        let known = &self.registry.known;
        let is_waited_for = || known.mounts() != Some(false) && self.holder(blob, from).is_none();
        if !is_waited_for() {
            return None;
        }
        let turn = known.bringing.take(&blob.digest).await;
        is_waited_for().then_some(turn)
    }

    async fn deliver(
        &self,
        blob: &Descriptor,
        source: &Source,
        from: Option<&Repository>,
    ) -> Result<Delivery, StoreError> {
        let mut session = None;
        // A registry that mounts answers so where the repository itself has the blob: asked and begun with one request.
        let is_asked = blob.size > TINY && blob.size <= LARGE && !self.registry.goes_on;
        let known = &self.registry.known;
        let itself = Some(&self.name).filter(|_| is_asked && known.mounts() == Some(true));
        if let Some(holder) = self.holder(blob, from).or_else(|| itself.cloned()) {
            match self.mount(blob, &holder).await {
                Ok(answer) if answer.status == StatusCode::CREATED => {
                    known.learn_mounts(true);
                    return Ok(if holder == self.name { Delivery::Existing } else { Delivery::Mounted });
                }
                Ok(answer) if answer.status == StatusCode::ACCEPTED => {
                    if known.has_blob(&holder, &blob.digest) {
                        known.learn_mounts(false);
                    }
                    session = Some(Session::new(&self.registry, &self.name, &answer)?);
                }
                // Whoever may not read the source may still write here.
                Ok(_) => {}
                // It is a short cut, and the way around it is tried as often as need be. Some token services refuse a
                // token for both repositories.
                Err(error) if error.is_temporary() || is_refusal(&error) => {}
                Err(error) => return Err(error),
            }
        }
        let is_large = if session.is_some() { blob.size > LARGE } else { blob.size > TINY };
        if (is_large || self.registry.goes_on) && self.ask_blob(blob).await? {
            return Ok(Delivery::Existing);
        }
        if session.is_some() || blob.size > SMALL {
            return self.send(blob, source, session).await;
        }
        if let Some(attempt) = known.single_post.attempt(blob.size, source.is_at_hand()) {
            let content = read(blob, source.open(blob).await?, SMALL).await?;
            let source = Source::bytes(content.clone());
            match self.post(blob, &content, attempt).await? {
                Posted::Done => {}
                Posted::Session(session) => self.send_after_post(blob, &source, session).await?,
                Posted::Not => return self.send(blob, &source, None).await,
            }
            return Ok(Delivery::Copied);
        }
        if source.as_bytes().is_some() {
            return self.send(blob, source, None).await;
        }
        // What is small is read while the session is opened.
        let read = async { read(blob, source.open(blob).await?, SMALL).await };
        let (session, content) = futures_util::try_join!(self.start(), read)?;
        self.send(blob, &Source::bytes(content), Some(session)).await
    }

    /// Sends the content until it is there, in one way or another.
    pub(super) async fn send(
        &self,
        blob: &Descriptor,
        source: &Source,
        mut session: Option<Session>,
    ) -> Result<Delivery, StoreError> {
        let content = Outgoing::new(blob, source);
        let known = &self.registry.known;
        let mut tries = self.registry.start();
        let mut way = known.upload_way(blob.size);
        let mut changes = 0;
        loop {
            let mut current = match session.take() {
                Some(session) => session,
                None => self.start().await?,
            };
            let before = current.at;
            let Err(setback) = current.send(&content, way).await else {
                return Ok(Delivery::Copied);
            };
            let Setback { error, kind, is_end } = setback;
            if current.at > before {
                tries.achieved();
            }
            match kind {
                SetbackKind::Passing | SetbackKind::Gone => {
                    // A session that is gone may be the one that an earlier try has ended well.
                    tries.again_if(error, kind == SetbackKind::Gone).await?;
                    // Perhaps only the answer was lost.
                    if is_end && self.ask_blob(blob).await? {
                        current.is_over();
                        return Ok(Delivery::Copied);
                    }
                    if kind == SetbackKind::Gone {
                        current.is_over();
                        continue;
                    }
                    // What is small is sent as fast as it is asked for.
                    if blob.size > LARGE && known.takes_chunks() && current.ask(blob.size).await? {
                        way = way.narrower();
                        session = Some(current);
                    }
                    continue;
                }
                _ if changes >= MAX_CHANGES => return Err(error),
                SetbackKind::TooLarge => {
                    let Some(narrower) = way.below(blob.size) else { return Err(error) };
                    known.learn_upload_way(narrower);
                    way = narrower;
                    session = current.ask(blob.size).await?.then_some(current);
                }
                SetbackKind::Range => {
                    let at = current.at;
                    session = current.ask(blob.size).await?.then_some(current);
                    if session.as_ref().is_some_and(|current| current.at == at) {
                        // Nothing was wrong with where it began, so it was too much.
                        let Some(narrower) = way.modest() else { return Err(error) };
                        known.learn_upload_way(narrower);
                        way = narrower;
                    }
                }
                SetbackKind::Way if way != Way::Whole => {
                    known.learn_upload_way(Way::Whole);
                    way = Way::Whole;
                }
                SetbackKind::Way | SetbackKind::Final => return Err(error),
            }
            changes += 1;
            // Whole content needs a session with nothing in it.
            session = session.filter(|session| way != Way::Whole || session.at == 0);
        }
    }

    /// Sends content whose digest is not known, in a stream that is closed with the digest, and goes on with it where the
    /// registry has kept what came. What does not go well is done again with the digest, in every way that there is.
    pub(super) async fn send_unhashed(&self, content: &Unhashed) -> Option<Digest> {
        let most = content.size().unwrap_or(u64::MAX);
        if self.registry.goes_on || self.registry.known.upload_way(most) != Way::Stream {
            return None;
        }
        // The size is what it says, or more than there is; the digest is nobody's.
        let unknown = Descriptor::new(media_type::LAYER_TAR, Digest::sha256(b""), most);
        let source = Source::unhashed(content.clone());
        let outgoing = match content.size() {
            Some(_) => Outgoing::new(&unknown, &source),
            None => Outgoing::of_any_size(&unknown, &source),
        };
        let mut session = self.filled(&outgoing).await?;
        let (digest, size) = content.known()?;
        let blob = Descriptor { digest, size, ..unknown };
        session.close(&Outgoing::new(&blob, &source)).await.ok()?;
        content.tell();
        self.registry.known.blob_is_there(&self.name, &blob.digest);
        Some(blob.digest)
    }

    /// A session that has all of the content. Nothing: it broke off, and what had come is lost.
    async fn filled(&self, content: &Outgoing<'_>) -> Option<Session> {
        let mut tries = self.registry.start();
        let mut session = self.start().await.ok()?;
        let mut way = Way::Stream;
        loop {
            let before = session.at;
            let Err(setback) = session.fill(content, way).await else { return Some(session) };
            if session.at > before {
                tries.achieved();
            }
            if setback.kind != SetbackKind::Passing {
                return None;
            }
            tries.again(setback.error).await.ok()?;
            if !self.registry.known.takes_chunks() || !session.ask(content.blob.size).await.ok()? {
                return None;
            }
            if content.size.is_some() {
                way = way.narrower();
            }
        }
    }

    /// Another repository of this registry that has the blob.
    fn holder(&self, blob: &Descriptor, from: Option<&Repository>) -> Option<RepositoryName> {
        let named = match from {
            Some(Repository::Registry { registry, name }) if registry.identity() == self.registry.name.identity() => {
                Some(name)
            }
            _ => None,
        };
        let known = self.registry.known.holder(&blob.digest, named);
        known.or_else(|| named.cloned()).filter(|holder| *holder != self.name)
    }

    /// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#mounting-a-blob-from-another-repository>
    async fn mount(&self, blob: &Descriptor, holder: &RepositoryName) -> Result<Answer, StoreError> {
        let mut url = self.registry.url(&self.name, &["blobs", "uploads", ""])?;
        url.query_pairs_mut().append_pair("mount", &blob.digest.to_string()).append_pair("from", holder.as_str());
        let scope = if *holder == self.name { Scope::push(&self.name) } else { Scope::mount(&self.name, holder) };
        self.registry.send(&Request::new(Method::POST, url, scope).single()).await
    }

    /// Opens an upload session and says where it goes on.
    async fn start(&self) -> Result<Session, StoreError> {
        let url = self.registry.url(&self.name, &["blobs", "uploads", ""])?;
        let answer = self.registry.send(&Request::new(Method::POST, url, Scope::push(&self.name))).await?;
        if answer.status != StatusCode::ACCEPTED {
            return Err(answer.refused().into());
        }
        Session::new(&self.registry, &self.name, &answer)
    }
}

/// Whether somebody answered, and said no.
fn is_refusal(error: &StoreError) -> bool {
    matches!(error, StoreError::Registry(error) if error.status().is_some_and(|status| status.is_client_error()))
}

#[cfg(test)]
mod made_tests;
#[cfg(test)]
mod tests;
