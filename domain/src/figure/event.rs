//! What happens to a catalogue entry. The table in `docs/events.md` says when.

use super::{BuyLink, CataloguePhoto, Details, Entry, FigureType, Offer, PriceMove, Stock};
use crate::dates::ReleaseDate;
use crate::gtin::Gtin;
use crate::ids::{EntityId, FigureId, PhotoId};
use crate::money::Money;
use crate::picture::Picture;
use crate::stream::event_types;
use crate::text::Name;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// An event of one figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the fields are the payload table of docs/events.md")]
pub enum FigureEvent {
    Catalogued(Box<Entry>),
    Renamed {
        name: Name,
    },
    Retyped {
        figure_type: FigureType,
    },
    Credited {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        manufacturer_id: Option<EntityId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sculptor_id: Option<EntityId>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        series_ids: Vec<EntityId>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        character_ids: Vec<EntityId>,
    },
    Described {
        #[serde(default, skip_serializing_if = "Details::is_empty")]
        details: Details,
    },
    ReleasesAnnounced {
        releases: Vec<ReleaseDate>,
    },
    MsrpSet {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        msrp: Option<Money>,
    },
    Identified {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        jan: Option<Gtin>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mfc_id: Option<i64>,
    },
    NsfwMarked {
        is_nsfw: bool,
    },
    BuyLinksSet {
        buy_links: Vec<BuyLink>,
    },
    PhotosAdded {
        photos: Vec<CataloguePhoto>,
    },
    PhotosOrdered {
        photo_ids: Vec<PhotoId>,
    },
    PhotoReplaced {
        photo_id: PhotoId,
        picture: Box<Picture>,
    },
    PrimaryPhotoSet {
        photo_id: PhotoId,
    },
    PhotoRemoved {
        photo_id: PhotoId,
    },
    MergedInto {
        winner_id: FigureId,
    },
    Absorbed {
        loser_id: FigureId,
        /// Every id that answers as this figure now, the loser's own aliases too.
        aliases: Vec<FigureId>,
    },
    PriceMoved(Box<PriceMove>),
    StockChanged {
        offer: Offer,
        /// What was known just before; absent when nothing was, or too long ago.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        previous: Option<Stock>,
        stock: Stock,
        seen_at: DateTime<Utc>,
    },
}

impl FigureEvent {
    /// Whether it tells of what stores ask and have, and not of the catalogue entry.
    pub const fn is_of_the_market(&self) -> bool {
        matches!(self, Self::PriceMoved(_) | Self::StockChanged { .. })
    }

    /// Whether it tells of photos, which are things of their own, and not of the catalogue entry.
    pub const fn is_of_photos(&self) -> bool {
        matches!(
            self,
            Self::PhotosAdded { .. }
                | Self::PhotosOrdered { .. }
                | Self::PhotoReplaced { .. }
                | Self::PrimaryPhotoSet { .. }
                | Self::PhotoRemoved { .. }
        )
    }
}

event_types!(FigureEvent, "figure", {
    Catalogued = "catalogued",
    Renamed = "renamed",
    Retyped = "retyped",
    Credited = "credited",
    Described = "described",
    ReleasesAnnounced = "releases_announced",
    MsrpSet = "msrp_set",
    Identified = "identified",
    NsfwMarked = "nsfw_marked",
    BuyLinksSet = "buy_links_set",
    PhotosAdded = "photos_added",
    PhotosOrdered = "photos_ordered",
    PhotoReplaced = "photo_replaced",
    PrimaryPhotoSet = "primary_photo_set",
    PhotoRemoved = "photo_removed",
    MergedInto = "merged_into",
    Absorbed = "absorbed",
    PriceMoved = "price_moved",
    StockChanged = "stock_changed",
});
