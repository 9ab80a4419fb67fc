//! The one place where content is verified: a stream ends well only if its size and digest are right.

use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, TryStreamExt};

use super::{ContentError, Store, StoreError};
use crate::oci::{Descriptor, Digest, Hasher};

/// Content on its way, in pieces.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, StoreError>> + Send>>;

/// The same stream, ending with an error unless it is what `descriptor` says. It stops at the first byte too many.
pub fn verified(
    descriptor: &Descriptor,
    stream: impl Stream<Item = Result<Bytes, StoreError>> + Send + 'static,
) -> ByteStream {
    struct State<S> {
        stream: Pin<Box<S>>,
        hasher: Option<Hasher>,
        seen: u64,
    }
    let (digest, size) = (descriptor.digest.clone(), descriptor.size);
    let state = State { stream: Box::pin(stream), hasher: Some(Hasher::new(digest.algorithm())), seen: 0 };
    Box::pin(futures_util::stream::try_unfold(state, move |mut state| {
        let digest = digest.clone();
        async move {
            // The hasher is taken when the stream has ended, well or not.
            let Some(mut hasher) = state.hasher.take() else {
                return Ok(None);
            };
            match state.stream.try_next().await? {
                Some(bytes) => {
                    state.seen += bytes.len() as u64;
                    if state.seen > size {
                        return Err(ContentError::Size { digest, expected: size, actual: state.seen }.into());
                    }
                    hasher.update(&bytes);
                    state.hasher = Some(hasher);
                    Ok(Some((bytes, state)))
                }
                None if state.seen < size => {
                    Err(ContentError::Size { digest, expected: size, actual: state.seen }.into())
                }
                None => {
                    expect(&digest, hasher.finish())?;
                    Ok(None)
                }
            }
        }
    }))
}

/// As [`verified`], for content that is in memory already.
pub(super) fn check(descriptor: &Descriptor, content: &[u8]) -> Result<(), ContentError> {
    let expected = descriptor.digest.clone();
    if content.len() as u64 != descriptor.size {
        return Err(ContentError::Size { digest: expected, expected: descriptor.size, actual: content.len() as u64 });
    }
    expect(&expected, Digest::of(expected.algorithm(), content))
}

/// Whether content whose digest was computed on its way is what was wanted.
pub(super) fn expect(wanted: &Digest, actual: Digest) -> Result<(), ContentError> {
    if actual == *wanted { Ok(()) } else { Err(ContentError::Digest { expected: wanted.clone(), actual }) }
}

/// Reads a verified stream whole, where `descriptor` says that it has at most `limit` bytes.
pub async fn read(descriptor: &Descriptor, mut stream: ByteStream, limit: u64) -> Result<Bytes, StoreError> {
    if descriptor.size > limit {
        return Err(ContentError::TooLarge { digest: descriptor.digest.clone(), size: descriptor.size, limit }.into());
    }
    // The size is a claim until the bytes are here: reserve little, grow as they come.
    let mut content = BytesMut::with_capacity(usize::try_from(descriptor.size.min(64 * 1024)).unwrap_or_default());
    while let Some(bytes) = stream.next().await {
        content.extend_from_slice(&bytes?);
    }
    Ok(content.freeze())
}

/// Fetches a blob and reads it whole, where it has at most `limit` bytes.
pub async fn read_blob(store: &dyn Store, descriptor: &Descriptor, limit: u64) -> Result<Bytes, StoreError> {
    read(descriptor, store.blob(descriptor).await?, limit).await
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    async fn check(descriptor: &Descriptor, pieces: &[&'static [u8]]) -> Result<Bytes, StoreError> {
        let pieces: Vec<_> = pieces.iter().map(|piece| Ok(Bytes::from_static(piece))).collect();
        read(descriptor, verified(descriptor, stream::iter(pieces)), 1024).await
    }

    #[tokio::test]
    async fn only_what_was_asked_for_comes_through() {
        let wanted = Descriptor::of("a/b", b"hello");
        assert_eq!(check(&wanted, &[b"hel", b"", b"lo"]).await.unwrap(), "hello");
        assert!(matches!(
            check(&wanted, &[b"hell"]).await,
            Err(StoreError::Content(ContentError::Size { actual: 4, .. }))
        ));
        assert!(matches!(
            check(&wanted, &[b"hello", b"!"]).await,
            Err(StoreError::Content(ContentError::Size { actual: 6, .. }))
        ));
        assert!(matches!(check(&wanted, &[b"hullo"]).await, Err(StoreError::Content(ContentError::Digest { .. }))));
    }

    #[tokio::test]
    async fn a_claim_of_size_allocates_nothing() {
        let bomb = Descriptor { size: u64::MAX, ..Descriptor::of("a/b", b"x") };
        assert!(matches!(check(&bomb, &[b"x"]).await, Err(StoreError::Content(ContentError::TooLarge { .. }))));
    }
}
