//! Blobs on their way in: in one request, in two, or in chunks that can be resumed and given up; or from a repository
//! that has them.

use bytes::Bytes;
use hyper::{
    StatusCode,
    body::{Body as _, Incoming},
    header,
};

use super::{
    answer::{self, Answer},
    body,
    failure::Failure,
    manifests::digest,
    range,
    request::Head,
    service::Service,
    sessions::Session,
};
use crate::{
    oci::{Algorithm, Digest, RepositoryName},
    store::Staged,
};

/// How much is taken in before it is written.
const PIECE: usize = 512 * 1024;

impl Service {
    /// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-blobs>
    pub(super) async fn begin_upload(
        &self,
        head: &Head,
        name: &RepositoryName,
        body: &mut Incoming,
    ) -> Result<Answer, Failure> {
        if let Some(wanted) = head.parameter("mount") {
            let wanted = digest(wanted)?;
            if self.mount(head, name, &wanted).await? {
                return Ok(answer::created(&answer::blob_location(name, &wanted), &wanted));
            }
        } else if let Some(wanted) = head.parameter("digest") {
            let wanted = digest(wanted)?;
            let staged = self.host.stage(wanted.algorithm()).await?;
            self.receive(&staged, 0, None, body).await?;
            return self.keep(name, &staged, &wanted).await;
        }
        self.sessions.make_room()?;
        let algorithm = match head.parameter("digest-algorithm") {
            None => Algorithm::Sha256,
            Some(algorithm) => Algorithm::from_name(algorithm).ok_or_else(|| Failure::DigestInvalid {
                message: "the digest algorithm is not supported: use `sha256` or `sha512`".to_owned(),
            })?,
        };
        let session = self.sessions.begin(name, self.host.stage(algorithm).await?)?;
        Ok(standing(&session, StatusCode::ACCEPTED))
    }

    /// What a mount cannot find is uploaded.
    async fn mount(&self, head: &Head, name: &RepositoryName, wanted: &Digest) -> Result<bool, Failure> {
        let Ok(from) = head.parameter("from").map(str::parse).transpose() else {
            return Ok(false);
        };
        Ok(self.host.mount(wanted, from.as_ref(), name).await?)
    }

    /// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-a-blob-in-chunks>
    pub(super) async fn upload_chunk(
        &self,
        head: &Head,
        session: &Session,
        body: &mut Incoming,
    ) -> Result<Answer, Failure> {
        self.receive_chunk(head, session, body).await?;
        Ok(standing(session, StatusCode::ACCEPTED))
    }

    /// Where an upload stands.
    pub(super) fn upload_status(session: &Session) -> Answer {
        standing(session, StatusCode::NO_CONTENT)
    }

    /// The last chunk, if any, and what all of them are.
    pub(super) async fn finish_upload(
        &self,
        head: &Head,
        name: &RepositoryName,
        session: &Session,
        body: &mut Incoming,
    ) -> Result<Answer, Failure> {
        let wanted = head.parameter("digest").ok_or_else(|| Failure::DigestInvalid {
            message: "an upload is finished with `?digest=`, the digest of all of it".to_owned(),
        })?;
        let wanted = digest(wanted)?;
        self.receive_chunk(head, session, body).await?;
        let kept = self.keep(name, &session.staged, &wanted).await;
        // What it turned out not to be, it will not become.
        self.sessions.end(session);
        kept
    }

    /// Gives an upload up.
    pub(super) fn cancel_upload(&self, session: &Session) -> Answer {
        self.sessions.end(session);
        answer::empty(StatusCode::NO_CONTENT)
    }

    async fn keep(&self, name: &RepositoryName, staged: &Staged, wanted: &Digest) -> Result<Answer, Failure> {
        self.host.open(name).await?.keep(staged, wanted).await?;
        Ok(answer::created(&answer::blob_location(name, wanted), wanted))
    }

    /// Takes a chunk where it says that it belongs; without saying so, it belongs to the end.
    async fn receive_chunk(&self, head: &Head, session: &Session, body: &mut Incoming) -> Result<(), Failure> {
        let size = session.staged.size();
        let (start, length) = match head.header(header::CONTENT_RANGE) {
            None => (size, None),
            Some(text) => {
                let message = "`Content-Range` is the first and the last byte of the chunk: `0-1023`";
                let chunk = range::chunk(text).ok_or(Failure::UploadInvalid { message })?;
                let length = chunk.end - chunk.start;
                if body.size_hint().exact().is_some_and(|exact| exact != length) {
                    return Err(Failure::SizeInvalid);
                }
                (chunk.start, Some(length))
            }
        };
        if start != size {
            return Err(Failure::OutOfOrder { location: session.location(), size });
        }
        let received = self.receive(&session.staged, start, length, body).await;
        session.touch();
        match received {
            // It ended, or somebody else wrote here meanwhile.
            Err(Failure::OutOfOrder { size, .. }) => Err(Failure::OutOfOrder { location: session.location(), size }),
            Err(failure @ (Failure::TooLarge { .. } | Failure::Internal(_))) => {
                self.sessions.end(session);
                Err(failure)
            }
            Err(failure) => Err(failure),
            Ok(taken) if length.is_some_and(|length| taken != length) => Err(Failure::SizeInvalid),
            Ok(_) => Ok(()),
        }
    }

    /// Takes a body in behind the first `at` bytes, not more than `length` of it. How much it was.
    async fn receive(
        &self,
        staged: &Staged,
        at: u64,
        length: Option<u64>,
        body: &mut Incoming,
    ) -> Result<u64, Failure> {
        let limit = self.options.max_blob_size;
        if at.saturating_add(body.size_hint().lower()) > limit {
            return Err(Failure::TooLarge { limit });
        }
        let (mut written, mut taken) = (at, 0);
        let (mut pieces, mut gathered) = (Vec::new(), 0);
        loop {
            let next = body::next(body).await;
            if let Ok(Some(bytes)) = &next {
                taken += bytes.len() as u64;
                if at.saturating_add(taken) > limit {
                    return Err(Failure::TooLarge { limit });
                }
                if length.is_some_and(|length| taken > length) {
                    return Err(Failure::SizeInvalid);
                }
                gathered += bytes.len();
                pieces.push(bytes.clone());
            }
            // What has arrived is kept also where the rest does not come: the upload goes on from there.
            if gathered >= PIECE || (gathered > 0 && !matches!(next, Ok(Some(_)))) {
                written = append(staged, written, std::mem::take(&mut pieces)).await?;
                self.counters.received(gathered as u64);
                gathered = 0;
            }
            if next?.is_none() {
                return Ok(taken);
            }
        }
    }
}

async fn append(staged: &Staged, at: u64, pieces: Vec<Bytes>) -> Result<u64, Failure> {
    match staged.append(at, pieces).await? {
        Some(size) => Ok(size),
        None => Err(Failure::OutOfOrder { location: String::new(), size: staged.size() }),
    }
}

/// The answer that says where an upload stands.
fn standing(session: &Session, status: StatusCode) -> Answer {
    let mut answer = answer::with(answer::empty(status), header::LOCATION, &session.location());
    answer = answer::with(answer, header::RANGE, &answer::received(session.staged.size()));
    answer::with(answer, answer::UPLOAD, &session.id)
}
