//! States kept in memory. One may be older than the log, never wrong: the append checks versions, and what
//! is not appended is confirmed before it is answered.

use domain::collection::{Collection, Piece, Wish};
use domain::figure::Figure;
use domain::stream::{StreamId, Version};
use domain::world::State;
use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use std::sync::Arc;

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
        let bytes = match state {
            State::Collection(collection) => collection_bytes(collection),
            State::Figure(figure) => figure_bytes(figure),
            State::Preorder(_) => 800,
            State::Entity(_) | State::Claim(_) => 0,
        };
        u64::try_from(512 + bytes).unwrap_or(u64::MAX).min(self.most)
    }
}

/// Of how many pieces and wishes the pictures and notes are counted; the rest is taken to be like them. A map has no
/// order of its own, so they are any.
const LOOKED_AT: usize = 256;

fn collection_bytes(collection: &Collection) -> usize {
    let piece = |piece: &Arc<Piece>| {
        let kept = piece.pictures.as_ref().map_or(0, |kept| {
            size_of_val(&**kept)
                + size_of_val(&*kept.photos)
                + size_of_val(&*kept.scans)
                + size_of_val(&*kept.documents)
        });
        400 + kept
    };
    let wish = |wish: &Wish| 200 + wish.note.as_ref().map_or(0, |note| note.as_str().len());
    about(collection.pieces.len(), collection.pieces.values().map(piece))
        + about(collection.wishes.len(), collection.wishes.values().map(wish))
        + 50 * (collection.live.len() + collection.deleted_imports.len())
        + 100 * collection.cabinets.len()
}

/// The sum of so many, of which only the first are asked.
fn about(all: usize, bytes: impl Iterator<Item = usize>) -> usize {
    let asked = all.min(LOOKED_AT);
    let sum: usize = bytes.take(asked).sum();
    sum * all / asked.max(1)
}

fn figure_bytes(figure: &Figure) -> usize {
    let text = |text: Option<usize>| text.unwrap_or(0);
    let details = text(figure.details.description.as_ref().map(|it| it.as_str().len()))
        + text(figure.details.materials.as_ref().map(|it| it.as_str().len()))
        + text(figure.details.official_image_url.as_ref().map(|it| it.as_str().len()));
    let links: usize = figure.buy_links.iter().map(|link| size_of_val(link) + link.path.as_str().len()).sum();
    size_of_val(figure)
        + details
        + links
        + size_of_val(&*figure.photos.all)
        + size_of_val(&*figure.releases)
        + size_of_val(&*figure.series_ids)
        + size_of_val(&*figure.character_ids)
        + size_of_val(&*figure.aliases)
        + figure.market.stock.len() * 120
        + figure.market.price.as_ref().map_or(0, |price| size_of_val(&**price))
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
    use domain::ids::{FigureId, PieceId, UserId};
    use domain::text::Note;
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

    #[test]
    fn what_people_write_counts() {
        let note = Note::new(&"n".repeat(5_000)).unwrap();
        let mut told = Figure::default();
        let plain = figure_bytes(&told);
        told.details.description = Some("d".repeat(9_000).parse().unwrap());
        assert!(figure_bytes(&told) >= plain + 9_000);
        let mut wishes = Collection::default();
        for n in 0..1_000 {
            let wish = Wish { target: None, note: Some(note.clone()), version: Version(n) };
            wishes.wishes.insert(FigureId(Uuid::from_u128(u128::try_from(n).unwrap())), wish);
        }
        assert!(
            collection_bytes(&wishes) >= 1_000 * 5_000,
            "those that were not looked at are like the others"
        );
    }
}
