//! Reading an object that may be large: for as long as something comes, and on from where a connection broke.

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use object_store::path::Path;
use object_store::{Error, GetOptions, GetRange, GetResult, ObjectMeta, Result};

use super::backoff::Backoff;
use super::failure::StoreFailure;
use super::progress::Stalled;
use super::{Location, NOTHING_MOVES};

/// How often in a row a reading that has begun is taken up again although nothing more came.
const FRUITLESS_MAX: u32 = 4;

/// How often bytes are read that are not what they must be.
const READS_MAX: usize = 4;

/// All bytes of an object.
///
/// # Errors
///
/// The store's. A reading that has not begun is not tried twice.
pub async fn whole(location: &Location, path: &Path) -> Result<Bytes> {
    let mut bytes = BytesMut::new();
    let size = each_chunk(location, path, |size, chunk| {
        if bytes.is_empty() {
            bytes.reserve(usize::try_from(size).unwrap_or(0));
        }
        bytes.extend_from_slice(chunk);
        true
    });
    size.await?;
    Ok(bytes.freeze())
}

/// All bytes of an object, as `check` takes them. Bytes that it refuses may have been damaged on their way, so they are read
/// again, until they pass, or the same come twice: those lie there.
///
/// # Errors
///
/// The store's; within, the check's.
pub async fn checked<T, E>(
    location: &Location,
    path: &Path,
    check: impl Fn(Bytes) -> std::result::Result<T, E>,
) -> Result<std::result::Result<T, E>> {
    let mut before: Option<Bytes> = None;
    for reads_left in (0..READS_MAX).rev() {
        let bytes = whole(location, path).await?;
        let taken = check(bytes.clone());
        if taken.is_ok() || before.as_ref() == Some(&bytes) || reads_left == 0 {
            return Ok(taken);
        }
        tracing::warn!(%path, "what was read is damaged; reading it again");
        before = Some(bytes);
    }
    unreachable!("the last reading returns")
}

/// Hands out an object chunk by chunk, with its size, until `take` says that it wants no more. Returns the size.
///
/// # Errors
///
/// The store's. A reading that has not begun is not tried twice.
pub async fn each_chunk(
    location: &Location,
    path: &Path,
    mut take: impl FnMut(u64, &Bytes) -> bool,
) -> Result<u64> {
    let (mut at, mut fruitless) = (0, 0);
    let mut known: Option<ObjectMeta> = None;
    let mut backoff = Backoff::of_store(path.as_ref().len() as u64);
    loop {
        let before = at;
        let failed = match get(location, path, at).await {
            Err(error) => error,
            Ok(found) => {
                let object = known.get_or_insert_with(|| found.meta.clone());
                if object.size != found.meta.size || object.e_tag != found.meta.e_tag {
                    return Err(generic(format!("{path} was replaced while it was read")));
                }
                let size = object.size;
                let chunks = &mut |chunk: &Bytes| {
                    at += chunk.len() as u64;
                    take(size, chunk)
                };
                match chunks_of(found, chunks).await {
                    Err(Ended::Enough) => return Ok(size),
                    _ if at == size => return Ok(size),
                    Ok(()) => generic(format!("{path} ended after {at} of {size} bytes")),
                    Err(Ended::Failed(error)) => error,
                }
            }
        };
        fruitless = if at > before { 0 } else { fruitless + 1 };
        let is_over = at == 0 || fruitless == FRUITLESS_MAX;
        if is_over || StoreFailure::of(&failed) != StoreFailure::MayPass {
            return Err(failed);
        }
        if fruitless == 0 {
            backoff = Backoff::of_store(at);
        }
        tracing::debug!(%path, at, error = %failed, "a reading broke off; going on");
        tokio::time::sleep(backoff.wait()).await;
    }
}

/// Why chunks end before the object.
enum Ended {
    Enough,
    Failed(Error),
}

async fn get(location: &Location, path: &Path, at: u64) -> Result<GetResult> {
    let range = (at > 0).then_some(GetRange::Offset(at));
    let options = GetOptions { range, ..GetOptions::default() };
    moving(location.store.get_opts(path, options)).await?
}

async fn chunks_of(
    found: GetResult,
    take: &mut impl FnMut(&Bytes) -> bool,
) -> std::result::Result<(), Ended> {
    let mut chunks = found.into_stream();
    while let Some(chunk) = moving(chunks.next()).await.map_err(Ended::Failed)? {
        if !take(&chunk.map_err(Ended::Failed)?) {
            return Err(Ended::Enough);
        }
    }
    Ok(())
}

/// For stores that have no limit of their own.
async fn moving<T>(step: impl Future<Output = T>) -> Result<T> {
    let done = tokio::time::timeout(NOTHING_MOVES, step).await;
    done.map_err(|_| Error::Generic { store: "store", source: Stalled(NOTHING_MOVES).into() })
}

fn generic(reason: String) -> Error {
    Error::Generic { store: "store", source: reason.into() }
}
