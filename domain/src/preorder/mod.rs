//! The pre-order of one piece: a chapter, and after a cancellation perhaps another.

mod decide;
mod event;

pub use decide::PreorderCommand;
pub use event::{DateChanged, Placed, PreorderEvent};

use crate::collection::{Cost, words};
use crate::dates::ReleaseDate;
use crate::ids::{EntityId, FigureId, PieceId, PreorderId, UserId};
use crate::money::Amount;
use crate::stream::Version;
use crate::text::HttpUrl;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

words! {
    /// How a pre-order stands, in the order in which it goes.
    Status {
        /// Announced; nothing ordered.
        Announced = "announced",
        /// Pre-orders are open.
        PreorderOpen = "preorder_open",
        /// Ordered.
        Preordered = "preordered",
        /// Being made.
        InProduction = "in_production",
        /// Out.
        Released = "released",
        /// On its way.
        Shipped = "shipped",
        /// Here.
        Received = "received",
        /// Called off; left only by a replacement.
        Cancelled = "cancelled",
    }
}

words! {
    /// Who said that a release date changed.
    SlipSource {
        /// The collector.
        User = "user",
        /// MyFigureCollection.
        Mfc = "mfc",
        /// AniList.
        Anilist = "anilist",
        /// The shop.
        StoreUpdate = "store_update",
        /// The maker.
        ManufacturerAnnouncement = "manufacturer_announcement",
    }
}

impl Status {
    /// Neither received nor cancelled.
    pub const fn is_live(self) -> bool {
        !matches!(self, Self::Received | Self::Cancelled)
    }
}

/// One chapter: the pre-order as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chapter {
    /// Its id.
    pub id: PreorderId,
    /// How it stands.
    pub status: Status,
    /// The first date named.
    pub release_original: Option<ReleaseDate>,
    /// The date now.
    pub release: Option<ReleaseDate>,
    /// Price, shipping, currency and rate.
    pub cost: Cost,
    /// The part of the price paid first.
    pub deposit: Option<Amount>,
    /// Whether the rest is paid too.
    pub balance_paid: bool,
    /// The moment of shipping.
    pub shipped_at: Option<DateTime<Utc>>,
    /// Days from shipping to the door.
    pub estimated_delivery_days: Option<u16>,
    /// Where to follow the parcel.
    pub tracking_url: Option<HttpUrl>,
    /// Where it was ordered.
    pub store_id: Option<EntityId>,
    /// The stream's version when this chapter last changed.
    pub version: Version,
}

impl Chapter {
    /// What was paid so far: price and shipping once the balance is paid, else the deposit, else nothing.
    pub fn paid(&self) -> Amount {
        if self.balance_paid {
            let price = self.cost.price.unwrap_or(Amount::ZERO);
            let shipping = self.cost.shipping.unwrap_or(Amount::ZERO);
            price.plus(shipping).unwrap_or(price)
        } else {
            self.deposit.unwrap_or(Amount::ZERO)
        }
    }
}

/// The state of one piece's pre-order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Preorder {
    /// Whose it is.
    pub owner: Option<UserId>,
    /// The piece.
    pub piece_id: Option<PieceId>,
    /// What it is a copy of, as it was when ordered.
    pub figure_id: Option<FigureId>,
    /// The current chapter; `None` for a stream without events.
    pub chapter: Option<Chapter>,
    /// Chapters before it.
    pub earlier: Vec<PreorderId>,
    /// How many events the stream has.
    pub version: Version,
}

impl Preorder {
    /// Whether there is a chapter that is neither received nor cancelled.
    pub fn is_live(&self) -> bool {
        self.chapter.as_ref().is_some_and(|c| c.status.is_live())
    }

    /// Whether price, shipping and currency of the piece are the pre-order's to state: until it is cancelled.
    pub fn states_cost(&self) -> bool {
        self.chapter.as_ref().is_some_and(|c| c.status != Status::Cancelled)
    }

    /// Folds one event.
    pub fn apply(&mut self, event: &PreorderEvent) {
        use PreorderEvent as E;
        self.version = self.version.next();
        let version = self.version;
        if let E::Placed(placed) | E::Replaced(placed) = event {
            self.earlier.extend(self.chapter.take().map(|c| c.id));
            self.owner = Some(placed.user_id);
            self.piece_id = Some(placed.piece_id);
            self.figure_id = Some(placed.figure_id);
            self.chapter = Some(Chapter {
                id: placed.preorder_id,
                status: placed.status,
                release_original: placed.release,
                release: placed.release,
                cost: placed.cost,
                deposit: placed.deposit,
                balance_paid: false,
                shipped_at: None,
                estimated_delivery_days: placed.estimated_delivery_days,
                tracking_url: placed.tracking_url.clone(),
                store_id: placed.store_id,
                version,
            });
            return;
        }
        let Some(chapter) = self.chapter.as_mut() else { return };
        chapter.version = version;
        match event {
            E::Placed(_) | E::Replaced(_) => {}
            E::StatusAdvanced { status, .. } => chapter.status = *status,
            E::StatusCorrected { status, .. } => {
                if *status != Status::Shipped {
                    chapter.shipped_at = None;
                }
                chapter.status = *status;
            }
            E::Shipped { shipped_at, tracking_url, estimated_delivery_days, .. } => {
                chapter.status = Status::Shipped;
                chapter.shipped_at = Some(*shipped_at);
                if tracking_url.is_some() {
                    chapter.tracking_url.clone_from(tracking_url);
                }
                chapter.estimated_delivery_days = estimated_delivery_days.or(chapter.estimated_delivery_days);
            }
            E::Received { .. } => chapter.status = Status::Received,
            E::Cancelled { .. } => chapter.status = Status::Cancelled,
            E::ReleaseDateNamed { release, .. } => {
                chapter.release_original = Some(*release);
                chapter.release = Some(*release);
            }
            E::ReleaseDateSlipped(change)
            | E::ReleaseDateBroughtForward(change)
            | E::ReleaseDateNarrowed(change) => chapter.release = Some(change.release),
            E::CostRecorded { cost, deposit, .. } => {
                chapter.cost = *cost;
                chapter.deposit = *deposit;
            }
            E::BalancePaid { .. } => chapter.balance_paid = true,
            E::BalanceReopened { .. } => chapter.balance_paid = false,
            E::TrackingRecorded { tracking_url, .. } => chapter.tracking_url.clone_from(tracking_url),
            E::DeliveryEstimated { days, .. } => chapter.estimated_delivery_days = *days,
            E::StoreRecorded { store_id, .. } => chapter.store_id = *store_id,
            E::ChapterDated { .. } | E::Erased {} => {}
        }
    }
}
