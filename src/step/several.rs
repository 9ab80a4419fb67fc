use std::future::Future;

use futures_util::{StreamExt, TryStreamExt, stream};

/// Runs `futures`, at most `limit` of them at a time, and gives their values in the same order. The first error ends it.
pub(super) async fn several<F, T, E>(limit: usize, futures: Vec<F>) -> Result<Vec<T>, E>
where
    F: Future<Output = Result<T, E>>,
{
    stream::iter(futures).buffered(limit).try_collect().await
}
