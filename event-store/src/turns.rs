//! Who may decide next. Commands that would outrun each other wait here instead of losing at the append.
//!
//! Two stripes of locks, taken in one order: first the asker's own (most commands write the asker's
//! collection), then, only after losing at the append, that of one stream over which it was lost. Nobody
//! holding a lock of the second kind waits for another lock of either kind (it is given back before the
//! next one is taken), so nobody can wait in a circle. These locks save work only; what is right is decided
//! by the versions at the append.

use domain::ids::UserId;
use domain::stream::StreamId;
use std::hash::{BuildHasher, Hash, RandomState};
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard};

const ASKERS: usize = 4_096;
const STREAMS: usize = 1_024;

pub(crate) struct Turns {
    hasher: RandomState,
    askers: Box<[Mutex<()>]>,
    streams: Box<[Mutex<()>]>,
}

/// Waiting took too long.
#[derive(Debug)]
pub(crate) struct TooLong;

impl Turns {
    pub(crate) fn new() -> Self {
        let stripe = |n| std::iter::repeat_with(Mutex::default).take(n).collect();
        Self { hasher: RandomState::new(), askers: stripe(ASKERS), streams: stripe(STREAMS) }
    }

    /// Waits until no other command of this user is being decided.
    pub(crate) async fn of_asker(&self, user: UserId, wait: Duration) -> Result<MutexGuard<'_, ()>, TooLong> {
        self.take(&self.askers, &user, wait).await
    }

    /// Waits until no other command that lost over this stream is being decided.
    pub(crate) async fn of_stream(
        &self,
        stream: &StreamId,
        wait: Duration,
    ) -> Result<MutexGuard<'_, ()>, TooLong> {
        self.take(&self.streams, stream, wait).await
    }

    async fn take<'a>(
        &'a self,
        stripe: &'a [Mutex<()>],
        key: &impl Hash,
        wait: Duration,
    ) -> Result<MutexGuard<'a, ()>, TooLong> {
        let hash = usize::try_from(self.hasher.hash_one(key) >> 32).unwrap_or(0);
        let lock = stripe.get(hash % stripe.len().max(1)).ok_or(TooLong)?;
        match lock.try_lock() {
            Ok(guard) => Ok(guard),
            Err(_) => tokio::time::timeout(wait, lock.lock()).await.map_err(|_| TooLong),
        }
    }
}
