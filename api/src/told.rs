//! Events in sentences, for the person whose they are.

use std::collections::{BTreeSet, HashMap};

use domain::{
    collection::{CollectionEvent, Cost, UnwishReason},
    dates::{Precision, ReleaseDate},
    ids::{PieceId, UserId},
    money::{Amount, Currency, Money, display_amount},
    picture::Cover,
    preorder::{DateChanged, Placed, PreorderEvent},
    stream::{Event, Recorded, StreamId},
};
use projections::{
    figures::summary::EntityName,
    past::names::{self, FigureName},
};
use uuid::Uuid;

use crate::{problem::Problem, state::AppState};

/// How many figures a sentence names.
const MOST_NAMED: usize = 3;

/// What an event is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    pieces: Vec<Uuid>,
    figure: Option<Uuid>,
    store: Option<Uuid>,
}

impl About {
    /// What this one is about.
    #[must_use]
    pub fn of(recorded: &Recorded) -> Self {
        let mut about = Self::default();
        match &recorded.event {
            Event::Collection(event) => about.collection(event),
            Event::Preorder(event) => {
                if let StreamId::Preorder(piece) = &recorded.stream {
                    about.pieces.push(piece.uuid());
                }
                match event {
                    PreorderEvent::Placed(placed) | PreorderEvent::Replaced(placed) => {
                        about.figure = Some(placed.figure_id.uuid());
                        about.store = placed.store_id.map(|id| id.uuid());
                    }
                    PreorderEvent::StoreRecorded { store_id, .. } => {
                        about.store = store_id.map(|id| id.uuid());
                    }
                    _ => {}
                }
            }
            Event::Figure(_) => {
                if let StreamId::Figure(figure) = &recorded.stream {
                    about.figure = Some(figure.uuid());
                }
            }
            Event::Entity(_) => {
                if let StreamId::Entity(entity) = &recorded.stream {
                    about.store = Some(entity.uuid());
                }
            }
            Event::Claim(_) => {}
        }
        about
    }

    fn collection(&mut self, event: &CollectionEvent) {
        use CollectionEvent as E;
        match event {
            E::PieceAdded { piece_id, figure_id, store_id, .. } => {
                self.pieces.push(piece_id.uuid());
                self.figure = Some(figure_id.uuid());
                self.store = store_id.map(|id| id.uuid());
            }
            E::PiecePurchaseRecorded { piece_id, store_id, .. } => {
                self.pieces.push(piece_id.uuid());
                self.store = store_id.map(|id| id.uuid());
            }
            E::PiecesConditionSet { piece_ids, .. }
            | E::PiecesMoved { piece_ids, .. }
            | E::PiecesArchived { piece_ids, .. }
            | E::PiecesDeleted { piece_ids } => self.pieces.extend(piece_ids.iter().map(|id| id.uuid())),
            E::PiecesArranged { placements } => {
                self.pieces.extend(placements.iter().map(|place| place.piece_id.uuid()));
            }
            E::PieceCostRecorded { piece_id, .. }
            | E::PieceNoted { piece_id, .. }
            | E::PieceProvenanceRecorded { piece_id, .. }
            | E::PieceValued { piece_id, .. }
            | E::PieceValuationCleared { piece_id }
            | E::PieceRestored { piece_id }
            | E::PieceCoverPinned { piece_id, .. }
            | E::PhotosAdded { piece_id, .. }
            | E::PhotosOrdered { piece_id, .. }
            | E::PhotoReplaced { piece_id, .. }
            | E::PhotoRemoved { piece_id, .. }
            | E::PhotoShared { piece_id, .. }
            | E::ScanMade { piece_id, .. }
            | E::ScanFramesReplaced { piece_id, .. }
            | E::ScanRemoved { piece_id, .. }
            | E::ScanShared { piece_id, .. }
            | E::DocumentAdded { piece_id, .. }
            | E::DocumentRemoved { piece_id, .. }
            | E::PieceDated { piece_id, .. } => self.pieces.push(piece_id.uuid()),
            E::Wished { figure_id, .. }
            | E::WishTargetSet { figure_id, .. }
            | E::WishNoted { figure_id, .. }
            | E::Unwished { figure_id, .. } => self.figure = Some(figure_id.uuid()),
            E::CabinetCreated { .. }
            | E::CabinetRenamed { .. }
            | E::CabinetDeleted { .. }
            | E::CabinetsOrdered { .. }
            | E::PersonErased {}
            | E::Erased {} => {}
        }
    }
}

/// What figures and stores are called today, and what pieces are copies of.
#[derive(Debug, Default)]
pub struct Names {
    figures: HashMap<Uuid, FigureName>,
    stores: HashMap<Uuid, EntityName>,
    pieces: HashMap<Uuid, Uuid>,
}

impl Names {
    /// Looks up everything that some of a person's events are about.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn of(
        state: &AppState,
        user: UserId,
        events: impl IntoIterator<Item = &Recorded>,
    ) -> Result<Self, Problem> {
        let (mut pieces, mut figures, mut stores) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for about in events.into_iter().map(About::of) {
            if about.figure.is_none() {
                pieces.extend(about.pieces);
            }
            figures.extend(about.figure);
            stores.extend(about.store);
        }
        let wanted: Vec<Uuid> = pieces.into_iter().collect();
        let mut found = names::pieces(&state.pool, user, &wanted).await?;
        let gone: Vec<PieceId> =
            wanted.into_iter().filter(|id| !found.contains_key(id)).map(PieceId).collect();
        if !gone.is_empty() {
            let additions = state.store.additions_of(user, &gone).await?;
            for event in additions.events.into_iter().flatten() {
                if let Event::Collection(CollectionEvent::PieceAdded { piece_id, figure_id, .. }) =
                    event.event
                {
                    found.insert(piece_id.uuid(), figure_id.uuid());
                }
            }
        }
        figures.extend(found.values());
        let mut names = Self::of_ids(state, figures, stores).await?;
        names.pieces = found;
        Ok(names)
    }

    /// Looks up figures and stores by their ids.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn of_ids(
        state: &AppState,
        figures: impl IntoIterator<Item = Uuid>,
        stores: impl IntoIterator<Item = Uuid>,
    ) -> Result<Self, Problem> {
        let figures: Vec<Uuid> = figures.into_iter().collect();
        let stores: Vec<Uuid> = stores.into_iter().collect();
        Ok(Self {
            figures: names::figures(&state.pool, &figures).await?,
            stores: names::stores(&state.pool, &stores).await?,
            pieces: HashMap::new(),
        })
    }

    /// A figure or a store by the id that it has or had.
    #[must_use]
    pub fn name(&self, id: Uuid) -> Option<&str> {
        let figure = self.figures.get(&id).map(|figure| figure.name.as_str());
        figure.or_else(|| self.stores.get(&id).map(|store| store.name.as_str()))
    }

    /// The id of a figure that was looked up and is NSFW.
    #[must_use]
    pub fn nsfw(&self) -> Option<Uuid> {
        self.figures.values().find(|figure| figure.is_nsfw).map(|figure| figure.id)
    }

    /// The figures that an event is about, each once.
    #[must_use]
    pub fn figures(&self, about: &About) -> Vec<&FigureName> {
        let of_pieces = about.pieces.iter().filter_map(|piece| self.pieces.get(piece)).copied();
        let ids: Vec<Uuid> = match about.figure {
            Some(figure) => vec![figure],
            None => of_pieces.collect(),
        };
        let (mut seen, mut figures) = (BTreeSet::new(), Vec::new());
        for figure in ids.iter().filter_map(|id| self.figures.get(id)) {
            if seen.insert(figure.id) {
                figures.push(figure);
            }
        }
        figures
    }

    /// The store that an event is about.
    #[must_use]
    pub fn store(&self, about: &About) -> Option<&EntityName> {
        about.store.and_then(|id| self.stores.get(&id))
    }

    /// The event in a sentence. Of NSFW figures only the number is told where they are hidden.
    #[must_use]
    pub fn sentence(&self, recorded: &Recorded, hide_nsfw: bool) -> String {
        let about = About::of(recorded);
        let figures = self.figures(&about);
        let names: Vec<&str> =
            figures.iter().filter(|figure| !(hide_nsfw && figure.is_nsfw)).map(|f| f.name.as_str()).collect();
        let what = match (about.pieces.len(), names.as_slice()) {
            (0 | 1, [name]) => (*name).to_owned(),
            (0 | 1, _) => "a figure".to_owned(),
            (count, []) => format!("{count} pieces"),
            (count, names) => {
                let first = names.iter().take(MOST_NAMED).copied().collect::<Vec<_>>().join(", ");
                let more = if names.len() > MOST_NAMED { " …" } else { "" };
                format!("{count} pieces ({first}{more})")
            }
        };
        let store = self.store(&about).map(|store| store.name.as_str());
        match &recorded.event {
            Event::Collection(event) => of_collection(event, &what, store),
            Event::Preorder(event) => of_preorder(event, &what, store),
            Event::Figure(_) => format!("The catalogue's entry of {what} changed."),
            Event::Entity(_) => format!("The catalogue's entry of {} changed.", store.unwrap_or("a store")),
            Event::Claim(_) => "A code of the catalogue changed.".to_owned(),
        }
    }
}

fn of_collection(event: &CollectionEvent, what: &str, store: Option<&str>) -> String {
    use CollectionEvent as E;
    match event {
        E::PieceAdded { preordered: true, .. } => format!("Added {what}, which is yet to come."),
        E::PieceAdded { cost, .. } => format!("Added {what}{}{}.", paid(cost), from_store(store)),
        E::PiecesConditionSet { condition: Some(condition), .. } => {
            format!("Noted the condition of {what}: {}.", words(condition.as_str()))
        }
        E::PiecesConditionSet { condition: None, .. } => format!("Forgot the condition of {what}."),
        E::PiecesMoved { location: Some(place), .. } => format!("Moved {what} to {}.", place.as_str()),
        E::PiecesMoved { location: None, .. } => format!("Took {what} off the shelf."),
        E::PiecesArranged { .. } => format!("Arranged {what}."),
        E::PieceCostRecorded { cost, .. } if cost.is_empty() => format!("Took back what {what} cost."),
        E::PieceCostRecorded { cost, .. } => format!("Recorded what {what} cost{}.", parts(cost)),
        E::PiecePurchaseRecorded { purchase_date, .. } => {
            let day = purchase_date.map(|day| format!(" on {day}")).unwrap_or_default();
            match (day.as_str(), store) {
                ("", None) => format!("Took back where and when {what} was bought."),
                (day, store) => format!("Recorded that {what} was bought{day}{}.", from_store(store)),
            }
        }
        E::PieceNoted { notes: Some(_), .. } => format!("Wrote a note on {what}."),
        E::PieceNoted { notes: None, .. } => format!("Removed the note on {what}."),
        E::PieceProvenanceRecorded { origin, origin_from, .. } => {
            let from =
                origin_from.as_ref().map(|from| format!(", from {}", from.as_str())).unwrap_or_default();
            format!("Recorded how {what} came: {}{from}.", words(origin.as_str()))
        }
        E::PieceValued { value, .. } => format!("Valued {what} at {}.", money(*value)),
        E::PieceValuationCleared { .. } => format!("Took back the valuation of {what}."),
        E::PieceCoverPinned { cover: Some(Cover::PhotoId(_)), .. } => {
            format!("Made a photo the cover of {what}.")
        }
        E::PieceCoverPinned { cover: Some(Cover::ScanId(_)), .. } => {
            format!("Made a scan the cover of {what}.")
        }
        E::PieceCoverPinned { cover: None, .. } => format!("Took back the cover of {what}."),
        E::PhotosAdded { photos, .. } if photos.len() == 1 => format!("Added a photo of {what}."),
        E::PhotosAdded { photos, .. } => format!("Added {} photos of {what}.", photos.len()),
        E::PhotosOrdered { .. } => format!("Put the photos of {what} in another order."),
        E::PhotoReplaced { .. } => format!("Replaced a photo of {what}."),
        E::PhotoRemoved { .. } => format!("Removed a photo of {what}."),
        E::PhotoShared { shared: true, .. } => format!("Shared a photo of {what}."),
        E::PhotoShared { shared: false, .. } => format!("Stopped sharing a photo of {what}."),
        E::ScanMade { frames, .. } => format!("Scanned {what} in {} frames.", frames.len()),
        E::ScanFramesReplaced { .. } => format!("Replaced a scan of {what}."),
        E::ScanRemoved { .. } => format!("Removed a scan of {what}."),
        E::ScanShared { shared: true, .. } => format!("Shared a scan of {what}."),
        E::ScanShared { shared: false, .. } => format!("Stopped sharing a scan of {what}."),
        E::DocumentAdded { .. } => format!("Kept a document with {what}."),
        E::DocumentRemoved { .. } => format!("Removed a document of {what}."),
        E::PiecesArchived { reason, sale, .. } => {
            let price = sale.and_then(|sale| sale.price);
            let price = price.map(|price| format!(" for {}", money(price))).unwrap_or_default();
            format!("Archived {what}: {}{price}.", words(reason.as_str()))
        }
        E::PieceRestored { .. } => format!("Brought {what} back from the archive."),
        E::PieceDated { added_at, .. } => {
            format!("Restored from a backup that {what} was added on {}.", added_at.date_naive())
        }
        E::PiecesDeleted { .. } => format!("Deleted {what}."),
        E::CabinetCreated { name, .. } => format!("Registered the cabinet {}.", name.as_str()),
        E::CabinetRenamed { previous, name, .. } => {
            format!("Renamed the cabinet {} to {}.", previous.as_str(), name.as_str())
        }
        E::CabinetDeleted { name, .. } => format!("Deleted the cabinet {}.", name.as_str()),
        E::CabinetsOrdered { .. } => "Put the cabinets in another order.".to_owned(),
        E::Wished { target: Some(target), .. } => {
            format!("Wished for {what}, for {} at most.", money(*target))
        }
        E::Wished { target: None, .. } => format!("Wished for {what}."),
        E::WishTargetSet { target: Some(target), .. } => {
            format!("Waits for {what} to cost {} at most.", money(*target))
        }
        E::WishTargetSet { target: None, .. } => format!("Took back the target price of {what}."),
        E::WishNoted { note: Some(_), .. } => format!("Wrote a note on the wish for {what}."),
        E::WishNoted { note: None, .. } => format!("Removed the note on the wish for {what}."),
        E::Unwished { reason: UnwishReason::Removed, .. } => format!("Gave up the wish for {what}."),
        E::Unwished { reason: UnwishReason::Merged, .. } => {
            format!("The wish for {what} went on under the entry it was merged into.")
        }
        E::Unwished { .. } => format!("The wish for {what} came true."),
        E::PersonErased {} => "The account was erased.".to_owned(),
        E::Erased {} => "Erased.".to_owned(),
    }
}

fn of_preorder(event: &PreorderEvent, what: &str, store: Option<&str>) -> String {
    use PreorderEvent as E;
    match event {
        E::Placed(placed) => format!("Pre-ordered {what}{}.", ordered(placed, store)),
        E::Replaced(placed) => format!("Pre-ordered {what} anew{}.", ordered(placed, store)),
        E::StatusAdvanced { previous, status, .. } => format!(
            "The pre-order of {what} went from {} to {}.",
            words(previous.as_str()),
            words(status.as_str())
        ),
        E::StatusCorrected { previous, status, .. } => format!(
            "Corrected the pre-order of {what} from {} back to {}.",
            words(previous.as_str()),
            words(status.as_str())
        ),
        E::Shipped { shipped_at, .. } => format!("{what} was shipped on {}.", shipped_at.date_naive()),
        E::Received { received_at, .. } => format!("{what} was received on {}.", received_at.date_naive()),
        E::Cancelled { paid, refund, currency, .. } => {
            let lost = paid.minus(*refund).filter(|lost| *lost != Amount::ZERO);
            let lost = lost.map(|lost| format!("; {} was lost", amount(lost, *currency))).unwrap_or_default();
            format!("Cancelled the pre-order of {what}{lost}.")
        }
        E::ReleaseDateNamed { release, .. } => {
            format!("The release of {what} was named: {}.", period(*release))
        }
        E::ReleaseDateSlipped(change) => format!("The release of {what} slipped{}.", from_to(change)),
        E::ReleaseDateBroughtForward(change) => {
            format!("The release of {what} was brought forward{}.", from_to(change))
        }
        E::ReleaseDateNarrowed(change) => {
            format!("The release of {what} was stated more or less exactly{}.", from_to(change))
        }
        E::CostRecorded { cost, .. } if cost.is_empty() => {
            format!("Took back the price of the pre-order of {what}.")
        }
        E::CostRecorded { cost, deposit, .. } => {
            let deposit = deposit.map(|part| format!(", deposit {}", amount(part, cost.currency)));
            format!(
                "Recorded the price of the pre-order of {what}{}{}.",
                parts(cost),
                deposit.unwrap_or_default()
            )
        }
        E::BalancePaid { .. } => format!("Paid the rest for {what}."),
        E::BalanceReopened { .. } => format!("The rest for {what} is to be paid again."),
        E::TrackingRecorded { tracking_url: Some(_), .. } => {
            format!("Noted where to follow the parcel of {what}.")
        }
        E::TrackingRecorded { tracking_url: None, .. } => format!("Removed the tracking of {what}."),
        E::DeliveryEstimated { days: Some(days), .. } => {
            format!("Expects {what} {days} days after its shipping.")
        }
        E::DeliveryEstimated { days: None, .. } => format!("Took back the estimated delivery of {what}."),
        E::StoreRecorded { .. } => match store {
            Some(store) => format!("Noted that {what} is ordered at {store}."),
            None => format!("Took back where {what} is ordered."),
        },
        E::ChapterDated { placed_at, .. } => {
            format!("Restored from a backup that {what} was ordered on {}.", placed_at.date_naive())
        }
        E::Erased {} => "Erased.".to_owned(),
    }
}

fn words(stored: &str) -> String {
    stored.replace('_', " ")
}

fn amount(amount: Amount, currency: Option<Currency>) -> String {
    match currency {
        Some(currency) => format!("{} {}", display_amount(amount.decimal(), currency), currency.code()),
        None => amount.to_string(),
    }
}

fn money(money: Money) -> String {
    amount(money.amount(), Some(money.currency()))
}

fn paid(cost: &Cost) -> String {
    cost.price.map(|price| format!(" for {}", amount(price, cost.currency))).unwrap_or_default()
}

fn from_store(store: Option<&str>) -> String {
    store.map(|store| format!(" at {store}")).unwrap_or_default()
}

fn parts(cost: &Cost) -> String {
    let named = [("", cost.price), ("shipping ", cost.shipping), ("fees ", cost.fees)];
    let parts: Vec<String> = named
        .into_iter()
        .filter_map(|(name, part)| Some(format!("{name}{}", amount(part?, cost.currency))))
        .collect();
    if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) }
}

fn period(release: ReleaseDate) -> String {
    let format = match release.precision() {
        Precision::Day => "%Y-%m-%d",
        Precision::Month => "%Y-%m",
        Precision::Year => "%Y",
    };
    release.date().format(format).to_string()
}

fn from_to(change: &DateChanged) -> String {
    format!(" from {} to {}", period(change.previous), period(change.release))
}

fn ordered(placed: &Placed, store: Option<&str>) -> String {
    let release =
        placed.release.map(|release| format!(", to come out {}", period(release))).unwrap_or_default();
    format!("{}{}{release}", paid(&placed.cost), from_store(store))
}
