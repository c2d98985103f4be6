//! A figure of the shared catalogue.

mod event;
mod market;
mod photos;

pub use event::FigureEvent;
pub use market::{
    Market, Observation, ObservedPrice, ObservedStore, Offer, Original, PriceMove, STOCK_KNOWN_FOR,
    SeenStock, Stock, StoreStock,
};
pub use photos::{CataloguePhoto, PhotoCommand, Photos};

use crate::dates::ReleaseDate;
use crate::gtin::Gtin;
use crate::ids::{EntityId, FigureId, UserId};
use crate::money::Money;
use crate::refusal::{Code, Refusal};
use crate::stream::Version;
use crate::text::{HttpUrl, Line, Name, Prose};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// The code of a figure type, such as `nendoroid`. The list of types is open and curated by admins;
/// whether a code is on it is checked where the command comes in.
pub type FigureType = Line<40>;

/// What a box says, and a little more. Stated whole in events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// `1/7`, `non-scale` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<Line<40>>,
    /// Millimetres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height_mm: Option<i32>,
    /// `PVC, ABS` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub materials: Option<Line<300>>,
    /// `Racing Miku 2019 Ver.` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_name: Option<Line<200>>,
    /// `Limited`, `DX` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edition: Option<Line<200>>,
    /// The maker's own picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub official_image_url: Option<HttpUrl>,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Prose<10_000>>,
}

impl Details {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Where a figure is sold: a store and the path (or whole address) of its page there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuyLink {
    /// The store.
    pub store_id: EntityId,
    /// The page.
    pub path: Line<1000>,
}

/// The state of one figure: what later commands need of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Who added it; absent for imports by the operator.
    pub created_by: Option<UserId>,
    /// Its name; `None` for a stream without events.
    pub name: Option<Name>,
    /// Its type.
    pub figure_type: Option<FigureType>,
    /// Its maker.
    pub manufacturer_id: Option<EntityId>,
    /// Its sculptor.
    pub sculptor_id: Option<EntityId>,
    /// Its series.
    pub series_ids: Vec<EntityId>,
    /// Its characters.
    pub character_ids: Vec<EntityId>,
    /// What its box says.
    pub details: Details,
    /// Announced releases, oldest first.
    pub releases: Vec<ReleaseDate>,
    /// The list price.
    pub msrp: Option<Money>,
    /// Its barcode.
    pub jan: Option<Gtin>,
    /// Its MyFigureCollection id.
    pub mfc_id: Option<i64>,
    /// Whether it is an adult figure.
    pub is_nsfw: bool,
    /// Where it is sold.
    pub buy_links: Vec<BuyLink>,
    /// Where it went.
    pub merged_into: Option<FigureId>,
    /// What it absorbed.
    pub aliases: Vec<FigureId>,
    /// What stores ask for it, and whether they have it.
    pub market: Market,
    /// Its photos.
    #[serde(default)]
    pub photos: Photos,
    /// How many events it had when the entry itself last changed; prices, stock and photos are no change of it.
    pub version: Version,
    /// How many events it has.
    pub events: Version,
}

/// What a figure is when it is catalogued: the payload of `figure.catalogued`. Names are ids by now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of `Figure`")]
pub struct Entry {
    pub figure_id: FigureId,
    pub slug: String,
    pub name: Name,
    pub figure_type: FigureType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manufacturer_id: Option<EntityId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sculptor_id: Option<EntityId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub series_ids: Vec<EntityId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub character_ids: Vec<EntityId>,
    #[serde(default, skip_serializing_if = "Details::is_empty")]
    pub details: Details,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub releases: Vec<ReleaseDate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msrp: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jan: Option<Gtin>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfc_id: Option<i64>,
    pub is_nsfw: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buy_links: Vec<BuyLink>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<UserId>,
    /// The row of an import that it came from, such as `nendoroid:1234`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Line<200>>,
}

/// The changes of one edit; what is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
#[allow(missing_docs, reason = "the fields are those of `Figure`")]
pub struct Edit {
    pub name: Option<Name>,
    pub figure_type: Option<FigureType>,
    pub manufacturer_id: Option<Option<EntityId>>,
    pub sculptor_id: Option<Option<EntityId>>,
    pub series_ids: Option<Vec<EntityId>>,
    pub character_ids: Option<Vec<EntityId>>,
    pub details: Option<Details>,
    pub releases: Option<Vec<ReleaseDate>>,
    pub msrp: Option<Option<Money>>,
    pub jan: Option<Option<Gtin>>,
    pub mfc_id: Option<Option<i64>>,
    pub is_nsfw: Option<bool>,
    pub buy_links: Option<Vec<BuyLink>>,
}

/// What can be asked of a figure.
#[derive(Debug, Clone, PartialEq)]
pub enum FigureCommand {
    /// Bring it into the catalogue.
    Catalogue(Box<Entry>),
    /// Correct it.
    Edit(Box<Edit>),
    /// Continue as another one.
    MergeInto(FigureId),
    /// Take another one in, with everything that it had taken in.
    Absorb(FigureId, Vec<FigureId>),
    /// Take note of what stores ask for it and whether they have it.
    Observe(Box<Observation>),
    /// Go on with what was seen of one that it has taken in, where that was seen later.
    Inherit(Box<Market>),
    /// Change its photos.
    Photo(Box<PhotoCommand>),
}

/// Releases oldest first, each once.
fn in_order(mut releases: Vec<ReleaseDate>) -> Vec<ReleaseDate> {
    releases.sort();
    releases.dedup();
    releases
}

fn check_details(details: &Details) -> Result<(), Refusal> {
    if details.height_mm.is_some_and(|mm| !(1..=10_000).contains(&mm)) {
        return Err(
            Refusal::new(Code::InvalidField, "a height is between 1 and 10,000 millimetres").on("height_mm")
        );
    }
    Ok(())
}

fn check_mfc_id(id: Option<i64>) -> Result<(), Refusal> {
    if id.is_some_and(|id| !(1..=1_000_000_000).contains(&id)) {
        return Err(
            Refusal::new(Code::InvalidField, "a MyFigureCollection id is a positive number").on("mfc_id")
        );
    }
    Ok(())
}

impl Figure {
    /// Whether it is in the catalogue (merged ones are not).
    pub const fn is_live(&self) -> bool {
        self.name.is_some() && self.merged_into.is_none()
    }

    /// The first announced release.
    pub fn release(&self) -> Option<ReleaseDate> {
        self.releases.first().copied()
    }

    /// The first release, while it may still be to come on that day: a month or year counts until it is over.
    pub fn awaited_release(&self, today: NaiveDate) -> Option<ReleaseDate> {
        let first = self.release()?;
        (first.last_day() > today).then_some(first)
    }

    /// Decides a command on this figure alone; its claims and entities are the caller's.
    ///
    /// # Errors
    /// `AlreadyExists`, `FigureNotFound`, `AlreadyMerged`, `InvalidField`, `InvalidAmount`.
    pub fn decide(&self, command: FigureCommand) -> Result<Vec<FigureEvent>, Refusal> {
        if let FigureCommand::Catalogue(entry) = command {
            if self.name.is_some() {
                return Err(Refusal::new(Code::AlreadyExists, "this figure exists already"));
            }
            check_details(&entry.details)?;
            check_mfc_id(entry.mfc_id)?;
            let releases = in_order(entry.releases.clone());
            return Ok(vec![FigureEvent::Catalogued(Box::new(Entry { releases, ..*entry }))]);
        }
        if self.name.is_none() {
            return Err(Refusal::new(Code::FigureNotFound, "there is no such figure"));
        }
        if self.merged_into.is_some() {
            return Err(Refusal::new(
                Code::AlreadyMerged,
                "this figure was merged into another; use that one",
            ));
        }
        match command {
            FigureCommand::Catalogue(_) => Ok(vec![]),
            FigureCommand::Edit(edit) => self.edit(*edit),
            FigureCommand::MergeInto(winner_id) => Ok(vec![FigureEvent::MergedInto { winner_id }]),
            FigureCommand::Absorb(loser_id, loser_aliases) => {
                let mut aliases = self.aliases.clone();
                aliases.push(loser_id);
                aliases.extend(loser_aliases);
                Ok(vec![FigureEvent::Absorbed { loser_id, aliases }])
            }
            FigureCommand::Observe(observation) => self.market.observe(&observation),
            FigureCommand::Inherit(market) => Ok(self.market.inherit(&market)),
            FigureCommand::Photo(change) => self.photos.decide(*change),
        }
    }

    /// One event for each group of facts that really changes.
    fn edit(&self, edit: Edit) -> Result<Vec<FigureEvent>, Refusal> {
        let mut events = Vec::new();
        if let Some(name) = edit.name.filter(|n| self.name.as_ref() != Some(n)) {
            events.push(FigureEvent::Renamed { name });
        }
        if let Some(figure_type) = edit.figure_type.filter(|t| self.figure_type.as_ref() != Some(t)) {
            events.push(FigureEvent::Retyped { figure_type });
        }
        let manufacturer_id = edit.manufacturer_id.unwrap_or(self.manufacturer_id);
        let sculptor_id = edit.sculptor_id.unwrap_or(self.sculptor_id);
        let series_ids = edit.series_ids.unwrap_or_else(|| self.series_ids.clone());
        let character_ids = edit.character_ids.unwrap_or_else(|| self.character_ids.clone());
        if manufacturer_id != self.manufacturer_id
            || sculptor_id != self.sculptor_id
            || series_ids != self.series_ids
            || character_ids != self.character_ids
        {
            events.push(FigureEvent::Credited { manufacturer_id, sculptor_id, series_ids, character_ids });
        }
        if let Some(details) = edit.details.filter(|d| *d != self.details) {
            check_details(&details)?;
            events.push(FigureEvent::Described { details });
        }
        if let Some(releases) = edit.releases.map(in_order).filter(|r| *r != self.releases) {
            events.push(FigureEvent::ReleasesAnnounced { releases });
        }
        if let Some(msrp) = edit.msrp.filter(|m| *m != self.msrp) {
            events.push(FigureEvent::MsrpSet { msrp });
        }
        let jan = edit.jan.unwrap_or_else(|| self.jan.clone());
        let mfc_id = edit.mfc_id.unwrap_or(self.mfc_id);
        if jan != self.jan || mfc_id != self.mfc_id {
            check_mfc_id(mfc_id)?;
            events.push(FigureEvent::Identified { jan, mfc_id });
        }
        if let Some(is_nsfw) = edit.is_nsfw.filter(|n| *n != self.is_nsfw) {
            events.push(FigureEvent::NsfwMarked { is_nsfw });
        }
        if let Some(buy_links) = edit.buy_links.filter(|l| *l != self.buy_links) {
            events.push(FigureEvent::BuyLinksSet { buy_links });
        }
        Ok(events)
    }

    /// Folds one event.
    pub fn apply(&mut self, event: &FigureEvent) {
        self.events = self.events.next();
        if !event.is_of_the_market() && !event.is_of_photos() {
            self.version = self.events;
        }
        match event.clone() {
            FigureEvent::Catalogued(entry) => {
                *self = Self {
                    created_by: entry.created_by,
                    name: Some(entry.name),
                    figure_type: Some(entry.figure_type),
                    manufacturer_id: entry.manufacturer_id,
                    sculptor_id: entry.sculptor_id,
                    series_ids: entry.series_ids,
                    character_ids: entry.character_ids,
                    details: entry.details,
                    releases: entry.releases,
                    msrp: entry.msrp,
                    jan: entry.jan,
                    mfc_id: entry.mfc_id,
                    is_nsfw: entry.is_nsfw,
                    buy_links: entry.buy_links,
                    merged_into: None,
                    aliases: Vec::new(),
                    market: Market::default(),
                    photos: Photos::default(),
                    version: self.version,
                    events: self.events,
                };
            }
            FigureEvent::Renamed { name } => self.name = Some(name),
            FigureEvent::Retyped { figure_type } => self.figure_type = Some(figure_type),
            FigureEvent::Credited { manufacturer_id, sculptor_id, series_ids, character_ids } => {
                self.manufacturer_id = manufacturer_id;
                self.sculptor_id = sculptor_id;
                self.series_ids = series_ids;
                self.character_ids = character_ids;
            }
            FigureEvent::Described { details } => self.details = details,
            FigureEvent::ReleasesAnnounced { releases } => self.releases = releases,
            FigureEvent::MsrpSet { msrp } => self.msrp = msrp,
            FigureEvent::Identified { jan, mfc_id } => {
                self.jan = jan;
                self.mfc_id = mfc_id;
            }
            FigureEvent::NsfwMarked { is_nsfw } => self.is_nsfw = is_nsfw,
            FigureEvent::BuyLinksSet { buy_links } => self.buy_links = buy_links,
            change @ (FigureEvent::PhotosAdded { .. }
            | FigureEvent::PhotosOrdered { .. }
            | FigureEvent::PhotoReplaced { .. }
            | FigureEvent::PrimaryPhotoSet { .. }
            | FigureEvent::PhotoRemoved { .. }) => self.photos.apply(change),
            FigureEvent::MergedInto { winner_id } => self.merged_into = Some(winner_id),
            FigureEvent::Absorbed { aliases, .. } => self.aliases = aliases,
            FigureEvent::PriceMoved(price) => self.market.price = Some(price),
            FigureEvent::StockChanged { offer, stock, seen_at, .. } => {
                self.market.stock.insert(offer.store_id, SeenStock { offer, stock, seen_at });
            }
        }
    }
}
