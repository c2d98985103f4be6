//! States kept in memory. One may be older than the log, never wrong: the append checks versions, and what
//! is not appended is confirmed before it is answered.

use domain::stream::{StreamId, Version};
use domain::world::State;
use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

/// A shard's share of the room bounds what a single state may weigh in it, so there are few.
const SHARDS: u64 = 4;

#[derive(Clone)]
struct Weigh {
    /// The most one state counts. A giant that did not fit would be loaded for every command on it.
    most: u64,
}

impl Weighter<StreamId, (State, Version)> for Weigh {
    /// About the bytes a state takes.
    fn weight(&self, _: &StreamId, (state, _): &(State, Version)) -> u64 {
        let entries = match state {
            State::Collection(c) => {
                c.pieces.len()
                    + c.wishes.len() / 2
                    + c.live.len() / 8
                    + c.deleted_imports.len() / 8
                    + c.cabinets.len() / 4
            }
            State::Preorder(_) | State::Figure(_) => 2,
            State::Entity(_) | State::Claim(_) => 0,
        };
        (512 + 400 * u64::try_from(entries).unwrap_or(u64::MAX / 800)).min(self.most)
    }
}

pub(crate) struct StateCache(Cache<StreamId, (State, Version), Weigh>);

impl StateCache {
    pub(crate) fn new(bytes: u64) -> Self {
        let weigh = Weigh { most: (bytes / SHARDS / 2).max(1) };
        let options = OptionsBuilder::new()
            .shards(usize::try_from(SHARDS).unwrap_or(1))
            .estimated_items_capacity(usize::try_from(bytes / 4_096).unwrap_or(1_024).max(16))
            .weight_capacity(bytes)
            .build();
        let hasher = DefaultHashBuilder::default();
        let lifecycle = quick_cache::sync::DefaultLifecycle::default();
        Self(match options {
            Ok(options) => Cache::with_options(options, weigh, hasher, lifecycle),
            Err(_) => Cache::with(1_024, bytes, weigh, hasher, lifecycle),
        })
    }

    pub(crate) fn get(&self, stream: &StreamId) -> Option<(State, Version)> {
        self.0.get(stream)
    }

    /// Keeps a state unless a newer one is kept already. Two racing calls may leave the older one, which
    /// costs its next user a retry and nothing else.
    pub(crate) fn put(&self, stream: &StreamId, state: State, version: Version) {
        if self.0.peek(stream).is_none_or(|(_, kept)| kept < version) {
            self.0.insert(stream.clone(), (state, version));
        }
    }

    /// Forgets a state.
    pub(crate) fn forget(&self, stream: &StreamId) {
        self.0.remove(stream);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::collection::Collection;
    use domain::ids::{PieceId, UserId};
    use std::sync::Arc;
    use uuid::Uuid;

    fn stream(n: u128) -> StreamId {
        StreamId::Collection(UserId(Uuid::from_u128(n)))
    }

    #[test]
    fn an_older_state_never_takes_the_place_of_a_newer_one() {
        let cache = StateCache::new(1 << 20);
        let state = State::empty(&stream(1));
        cache.put(&stream(1), state.clone(), Version(5));
        cache.put(&stream(1), state, Version(4));
        assert_eq!(cache.get(&stream(1)).unwrap().1, Version(5));
    }

    #[test]
    fn a_state_larger_than_the_room_is_kept_all_the_same() {
        let mut giant = Collection::default();
        for n in 0..20_000 {
            giant.deleted_imports.insert(PieceId(Uuid::from_u128(n)));
        }
        let cache = StateCache::new(64 << 10);
        cache.put(&stream(1), State::Collection(Arc::new(giant)), Version(1));
        assert!(cache.get(&stream(1)).is_some());
    }

    #[test]
    fn the_room_is_bounded() {
        let cache = StateCache::new(64 << 10);
        for n in 0..10_000 {
            cache.put(&stream(n), State::empty(&stream(n)), Version(1));
        }
        let kept = (0..10_000).filter(|n| cache.get(&stream(*n)).is_some()).count();
        assert!((1..=128).contains(&kept), "{kept}");
    }
}
