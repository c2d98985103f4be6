//! States kept in memory. One may be older than the log, never wrong: the append checks versions, and what
//! is not appended is confirmed before it is answered.

use domain::stream::{StreamId, Version};
use domain::world::State;
use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

#[derive(Clone)]
struct Weigh;

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
        512 + 400 * u64::try_from(entries).unwrap_or(u64::MAX / 800)
    }
}

pub(crate) struct StateCache(Cache<StreamId, (State, Version), Weigh>);

impl StateCache {
    pub(crate) fn new(bytes: u64) -> Self {
        // Few shards: a shard's share of the room is also the largest state it takes.
        let options = OptionsBuilder::new()
            .shards(4)
            .estimated_items_capacity(usize::try_from(bytes / 4_096).unwrap_or(1_024).max(16))
            .weight_capacity(bytes)
            .build();
        let hasher = DefaultHashBuilder::default();
        let lifecycle = quick_cache::sync::DefaultLifecycle::default();
        Self(match options {
            Ok(options) => Cache::with_options(options, Weigh, hasher, lifecycle),
            Err(_) => Cache::with(1_024, bytes, Weigh, hasher, lifecycle),
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
