//! Reading one person's part of the log, together with the catalogue entries that it names.

use crate::engine::{EngineError, Entry};
use domain::collection::CollectionEvent;
use domain::entity::EntityEvent;
use domain::figure::FigureEvent;
use domain::ids::UserId;
use domain::preorder::PreorderEvent;
use domain::stream::{Event, Position, StreamId};
use event_store::{EventStore, StoreError};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::ControlFlow;
use uuid::Uuid;

/// A person with more events than this is not folded back, nor one whose catalogue entries have more.
pub const MOST_EVENTS: i64 = 200_000;
/// Events per page, at most and at least; between them it goes by their size.
const PAGE: (usize, usize) = (8, 500);
/// About how many bytes of payload a page may take.
const PAGE_BYTES: usize = 4 << 20;

/// What happens to a figure every other day and to nobody's own half.
const MARKET: &[&str] = &["figure.price_moved", "figure.stock_changed"];

/// Why there is no past to show.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    /// There is too much of it.
    #[error("more than {MOST_EVENTS} events lie before that")]
    TooMany,
    /// The log cannot be folded or read.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl From<StoreError> for PastError {
    fn from(error: StoreError) -> Self {
        Self::Engine(EngineError::Log(error))
    }
}

/// The events of one person up to a position, those of the catalogue between them.
pub(super) struct Walk<'a> {
    log: &'a EventStore,
    user: UserId,
    until: Position,
    catalogue: VecDeque<Entry>,
    /// Where figures and stores went that were merged after the position.
    moved: HashMap<Uuid, Uuid>,
}

impl<'a> Walk<'a> {
    /// Reads the events once to learn what they name, since what happened to a figure or a store counts from
    /// the beginning. Reading twice keeps memory small however long somebody's history is.
    pub async fn prepare(log: &'a EventStore, user: UserId, until: Position) -> Result<Self, PastError> {
        if log.count_of(user, until, MOST_EVENTS.saturating_add(1)).await? > MOST_EVENTS {
            return Err(PastError::TooMany);
        }
        let mut walk = Self { log, user, until, catalogue: VecDeque::new(), moved: HashMap::new() };
        let mut named = Named::default();
        let note = |entries: &[Entry]| {
            entries.iter().flatten().for_each(|event| named.note(&event.event));
            Ok(ControlFlow::Continue(()))
        };
        walk.each(note).await?;
        walk.look_up(named).await?;
        Ok(walk)
    }

    /// Loads the streams of what is named, and of what that was merged into or has absorbed.
    async fn look_up(&mut self, mut named: Named) -> Result<(), PastError> {
        let mut found: BTreeMap<Position, Entry> = BTreeMap::new();
        let mut known = Named::default();
        loop {
            let (figures, stores) =
                (named.figures.difference(&known.figures), named.stores.difference(&known.stores));
            let wanted = [("figure", ids(figures)), ("entity", ids(stores))];
            if wanted.iter().all(|(_, ids)| ids.is_empty()) {
                break;
            }
            known = named.clone();
            for (kind, ids) in wanted.iter().filter(|(_, ids)| !ids.is_empty()) {
                let room = MOST_EVENTS.saturating_sub(i64::try_from(found.len()).unwrap_or(MOST_EVENTS));
                let page = self.log.load_streams(kind, ids, MARKET, room.saturating_add(1)).await?;
                for entry in page.events {
                    if let Ok(event) = &entry {
                        named.note(&event.event);
                    }
                    found.insert(crate::engine::position(&entry), entry);
                }
                if i64::try_from(found.len()).unwrap_or(i64::MAX) > MOST_EVENTS {
                    return Err(PastError::TooMany);
                }
            }
        }
        let later = match self.until.0.checked_add(1) {
            Some(next) => found.split_off(&Position(next)),
            None => BTreeMap::new(),
        };
        for event in later.into_values().flatten() {
            match (&event.stream, &event.event) {
                (StreamId::Figure(loser), Event::Figure(FigureEvent::MergedInto { winner_id })) => {
                    self.moved.insert(loser.uuid(), winner_id.uuid());
                }
                (StreamId::Entity(loser), Event::Entity(EntityEvent::MergedInto { winner_id, .. })) => {
                    self.moved.insert(loser.uuid(), winner_id.uuid());
                }
                _ => {}
            }
        }
        self.catalogue = found.into_values().collect();
        Ok(())
    }

    /// The id under which the catalogue has something now that had this id at the position.
    pub fn now(&self, id: Uuid) -> Uuid {
        let mut at = id;
        // No longer than there are merges: a chain in a damaged log may be a circle.
        for _ in 0..self.moved.len() {
            match self.moved.get(&at) {
                Some(winner) => at = *winner,
                None => break,
            }
        }
        at
    }

    /// Gives every event, in position order, a page at a time, until told to break. Those of the catalogue
    /// are given once.
    pub async fn each(
        &mut self,
        mut to: impl FnMut(&[Entry]) -> Result<ControlFlow<()>, PastError> + Send,
    ) -> Result<(), PastError> {
        let (mut after, mut limit) = (Position::default(), PAGE.1 / 4);
        loop {
            let asked = i64::try_from(limit).unwrap_or(i64::MAX);
            let page = self.log.read_of(self.user, after, self.until, asked).await?;
            let read = page.events.len();
            let is_last = read < limit;
            limit = (PAGE_BYTES / (page.bytes / read.max(1)).max(1)).clamp(PAGE.0, PAGE.1);
            after = page.events.last().map_or(after, crate::engine::position);
            let mut together = Vec::with_capacity(read);
            for entry in page.events {
                self.catalogue_before(crate::engine::position(&entry), &mut together);
                together.push(entry);
            }
            if is_last {
                together.extend(self.catalogue.drain(..));
            }
            if to(&together)?.is_break() || is_last {
                return Ok(());
            }
        }
    }

    fn catalogue_before(&mut self, position: Position, into: &mut Vec<Entry>) {
        while self.catalogue.front().is_some_and(|entry| crate::engine::position(entry) < position) {
            into.extend(self.catalogue.pop_front());
        }
    }
}

fn ids<'a>(ids: impl Iterator<Item = &'a Uuid>) -> Vec<String> {
    ids.map(ToString::to_string).collect()
}

/// What events name of the catalogue.
#[derive(Debug, Clone, Default)]
struct Named {
    figures: BTreeSet<Uuid>,
    stores: BTreeSet<Uuid>,
}

impl Named {
    fn note(&mut self, event: &Event) {
        match event {
            Event::Collection(event) => self.collection(event),
            Event::Preorder(event) => self.preorder(event),
            Event::Figure(
                FigureEvent::MergedInto { winner_id: other } | FigureEvent::Absorbed { loser_id: other, .. },
            ) => {
                self.figures.insert(other.uuid());
            }
            Event::Entity(
                EntityEvent::MergedInto { winner_id: other, .. }
                | EntityEvent::Absorbed { loser_id: other, .. },
            ) => {
                self.stores.insert(other.uuid());
            }
            Event::Figure(_) | Event::Entity(_) | Event::Claim(_) => {}
        }
    }

    fn collection(&mut self, event: &CollectionEvent) {
        use CollectionEvent as E;
        match event {
            E::PieceAdded { figure_id, store_id, .. } => {
                self.figures.insert(figure_id.uuid());
                self.stores.extend(store_id.map(|id| id.uuid()));
            }
            E::PiecePurchaseRecorded { store_id, .. } => self.stores.extend(store_id.map(|id| id.uuid())),
            E::Wished { figure_id, .. }
            | E::WishTargetSet { figure_id, .. }
            | E::WishNoted { figure_id, .. }
            | E::Unwished { figure_id, .. } => {
                self.figures.insert(figure_id.uuid());
            }
            E::PiecesConditionSet { .. }
            | E::PiecesMoved { .. }
            | E::PiecesArranged { .. }
            | E::PieceCostRecorded { .. }
            | E::PieceNoted { .. }
            | E::PieceProvenanceRecorded { .. }
            | E::PieceValued { .. }
            | E::PieceValuationCleared { .. }
            | E::PieceCoverPinned { .. }
            | E::PhotosAdded { .. }
            | E::PhotosOrdered { .. }
            | E::PhotoReplaced { .. }
            | E::PhotoRemoved { .. }
            | E::PhotoShared { .. }
            | E::ScanMade { .. }
            | E::ScanFramesReplaced { .. }
            | E::ScanRemoved { .. }
            | E::ScanShared { .. }
            | E::DocumentAdded { .. }
            | E::DocumentRemoved { .. }
            | E::PiecesArchived { .. }
            | E::PieceRestored { .. }
            | E::PieceDated { .. }
            | E::PiecesDeleted { .. }
            | E::CabinetCreated { .. }
            | E::CabinetRenamed { .. }
            | E::CabinetDeleted { .. }
            | E::CabinetsOrdered { .. }
            | E::PersonErased {}
            | E::Erased {} => {}
        }
    }

    fn preorder(&mut self, event: &PreorderEvent) {
        use PreorderEvent as E;
        match event {
            E::Placed(placed) | E::Replaced(placed) => {
                self.figures.insert(placed.figure_id.uuid());
                self.stores.extend(placed.store_id.map(|id| id.uuid()));
            }
            E::StoreRecorded { store_id, .. } => self.stores.extend(store_id.map(|id| id.uuid())),
            E::StatusAdvanced { .. }
            | E::StatusCorrected { .. }
            | E::Shipped { .. }
            | E::Received { .. }
            | E::Cancelled { .. }
            | E::ReleaseDateNamed { .. }
            | E::ReleaseDateSlipped(_)
            | E::ReleaseDateBroughtForward(_)
            | E::ReleaseDateNarrowed(_)
            | E::CostRecorded { .. }
            | E::BalancePaid { .. }
            | E::BalanceReopened { .. }
            | E::TrackingRecorded { .. }
            | E::DeliveryEstimated { .. }
            | E::ChapterDated { .. }
            | E::Erased {} => {}
        }
    }
}
