//! What happens to the pre-order of one piece. The table in `docs/events.md` says when.

use super::{SlipSource, Status};
use crate::collection::{Condition, Cost};
use crate::dates::ReleaseDate;
use crate::ids::{EntityId, FigureId, PieceId, PreorderId, UserId};
use crate::money::{Amount, Currency};
use crate::stream::event_types;
use crate::text::{HttpUrl, Note};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What is said when a pre-order is placed, or placed anew after a cancellation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are the payload table of docs/events.md")]
pub struct Placed {
    pub preorder_id: PreorderId,
    pub user_id: UserId,
    pub piece_id: PieceId,
    pub figure_id: FigureId,
    pub status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseDate>,
    /// Price, shipping, currency and rate; never fees.
    #[serde(default, skip_serializing_if = "Cost::is_empty")]
    pub cost: Cost,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deposit: Option<Amount>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_id: Option<EntityId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking_url: Option<HttpUrl>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_delivery_days: Option<u16>,
}

/// A changed release date.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are the payload table of docs/events.md")]
pub struct DateChanged {
    pub preorder_id: PreorderId,
    pub previous: ReleaseDate,
    pub release: ReleaseDate,
    pub source: SlipSource,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
}

/// An event of one piece's pre-order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the fields are the payload table of docs/events.md")]
pub enum PreorderEvent {
    Placed(Placed),
    Replaced(Placed),
    StatusAdvanced {
        preorder_id: PreorderId,
        previous: Status,
        status: Status,
    },
    StatusCorrected {
        preorder_id: PreorderId,
        previous: Status,
        status: Status,
    },
    Shipped {
        preorder_id: PreorderId,
        shipped_at: DateTime<Utc>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tracking_url: Option<HttpUrl>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        estimated_delivery_days: Option<u16>,
    },
    Received {
        preorder_id: PreorderId,
        received_at: DateTime<Utc>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        condition: Option<Condition>,
    },
    Cancelled {
        preorder_id: PreorderId,
        paid: Amount,
        refund: Amount,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        currency: Option<Currency>,
    },
    ReleaseDateNamed {
        preorder_id: PreorderId,
        release: ReleaseDate,
        source: SlipSource,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Note>,
    },
    ReleaseDateSlipped(DateChanged),
    ReleaseDateBroughtForward(DateChanged),
    ReleaseDateNarrowed(DateChanged),
    CostRecorded {
        preorder_id: PreorderId,
        #[serde(default, skip_serializing_if = "Cost::is_empty")]
        cost: Cost,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deposit: Option<Amount>,
    },
    BalancePaid {
        preorder_id: PreorderId,
        paid_at: DateTime<Utc>,
    },
    BalanceReopened {
        preorder_id: PreorderId,
    },
    TrackingRecorded {
        preorder_id: PreorderId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tracking_url: Option<HttpUrl>,
    },
    DeliveryEstimated {
        preorder_id: PreorderId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        days: Option<u16>,
    },
    StoreRecorded {
        preorder_id: PreorderId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        store_id: Option<EntityId>,
    },
    /// A backup says when things happened to this chapter where it was kept before.
    ChapterDated {
        preorder_id: PreorderId,
        placed_at: DateTime<Utc>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cancelled_at: Option<DateTime<Utc>>,
        /// Of each row of its history, oldest first.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        told_at: Vec<DateTime<Utc>>,
    },
    /// What an event of an erased person reads as.
    Erased {},
}

impl PreorderEvent {
    /// The chapter that the event belongs to; `None` for one that was erased.
    pub const fn preorder_id(&self) -> Option<PreorderId> {
        match self {
            Self::Erased {} => None,
            Self::Placed(p) | Self::Replaced(p) => Some(p.preorder_id),
            Self::ReleaseDateSlipped(d)
            | Self::ReleaseDateBroughtForward(d)
            | Self::ReleaseDateNarrowed(d) => Some(d.preorder_id),
            Self::StatusAdvanced { preorder_id, .. }
            | Self::StatusCorrected { preorder_id, .. }
            | Self::Shipped { preorder_id, .. }
            | Self::Received { preorder_id, .. }
            | Self::Cancelled { preorder_id, .. }
            | Self::ReleaseDateNamed { preorder_id, .. }
            | Self::CostRecorded { preorder_id, .. }
            | Self::BalancePaid { preorder_id, .. }
            | Self::BalanceReopened { preorder_id }
            | Self::TrackingRecorded { preorder_id, .. }
            | Self::DeliveryEstimated { preorder_id, .. }
            | Self::StoreRecorded { preorder_id, .. }
            | Self::ChapterDated { preorder_id, .. } => Some(*preorder_id),
        }
    }
}

event_types!(PreorderEvent, "preorder", {
    Placed = "placed",
    Replaced = "replaced",
    StatusAdvanced = "status_advanced",
    StatusCorrected = "status_corrected",
    Shipped = "shipped",
    Received = "received",
    Cancelled = "cancelled",
    ReleaseDateNamed = "release_date_named",
    ReleaseDateSlipped = "release_date_slipped",
    ReleaseDateBroughtForward = "release_date_brought_forward",
    ReleaseDateNarrowed = "release_date_narrowed",
    CostRecorded = "cost_recorded",
    BalancePaid = "balance_paid",
    BalanceReopened = "balance_reopened",
    TrackingRecorded = "tracking_recorded",
    DeliveryEstimated = "delivery_estimated",
    StoreRecorded = "store_recorded",
    ChapterDated = "chapter_dated",
    Erased = "erased",
});
