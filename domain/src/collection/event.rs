//! What happens in a collection. The table in `docs/events.md` says when.

use super::{ArchiveReason, Condition, Cost, Origin, Placement, Sale, UnwishReason};
use crate::ids::{CabinetId, DocumentId, EntityId, FigureId, PhotoId, PieceId, ScanId};
use crate::money::Money;
use crate::picture::{Cover, NewPhoto, Picture, StoredDocument};
use crate::stream::event_types;
use crate::text::{Line, Location, Note};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

/// An event of one person's collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the fields are the payload table of docs/events.md")]
pub enum CollectionEvent {
    PieceAdded {
        piece_id: PieceId,
        figure_id: FigureId,
        /// Its pre-order is placed in the same append; it counts as owned from the receipt on.
        preordered: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        condition: Option<Condition>,
        #[serde(default, skip_serializing_if = "Cost::is_empty")]
        cost: Cost,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        purchase_date: Option<NaiveDate>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        store_id: Option<EntityId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        location: Option<Location>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        notes: Option<Note>,
        origin: Origin,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        origin_from: Option<Line<200>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<Money>,
        /// The row of an import that it came from, such as `mfc:12345#1`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<Line<200>>,
    },
    PiecesConditionSet {
        piece_ids: Vec<PieceId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        condition: Option<Condition>,
    },
    PiecesMoved {
        piece_ids: Vec<PieceId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        location: Option<Location>,
    },
    PiecesArranged {
        placements: Vec<Placement>,
    },
    PieceCostRecorded {
        piece_id: PieceId,
        #[serde(default, skip_serializing_if = "Cost::is_empty")]
        cost: Cost,
    },
    PiecePurchaseRecorded {
        piece_id: PieceId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        purchase_date: Option<NaiveDate>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        store_id: Option<EntityId>,
    },
    PieceNoted {
        piece_id: PieceId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        notes: Option<Note>,
    },
    PieceProvenanceRecorded {
        piece_id: PieceId,
        origin: Origin,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        origin_from: Option<Line<200>>,
    },
    PieceValued {
        piece_id: PieceId,
        value: Money,
    },
    PieceValuationCleared {
        piece_id: PieceId,
    },
    PieceCoverPinned {
        piece_id: PieceId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cover: Option<Cover>,
    },
    PhotosAdded {
        piece_id: PieceId,
        photos: Vec<NewPhoto>,
    },
    PhotosOrdered {
        piece_id: PieceId,
        photo_ids: Vec<PhotoId>,
    },
    PhotoReplaced {
        piece_id: PieceId,
        photo_id: PhotoId,
        picture: Box<Picture>,
    },
    PhotoRemoved {
        piece_id: PieceId,
        photo_id: PhotoId,
    },
    PhotoShared {
        piece_id: PieceId,
        photo_id: PhotoId,
        shared: bool,
    },
    ScanMade {
        piece_id: PieceId,
        scan_id: ScanId,
        frames: Vec<Picture>,
    },
    ScanFramesReplaced {
        piece_id: PieceId,
        scan_id: ScanId,
        frames: Vec<Picture>,
    },
    ScanRemoved {
        piece_id: PieceId,
        scan_id: ScanId,
    },
    ScanShared {
        piece_id: PieceId,
        scan_id: ScanId,
        shared: bool,
    },
    DocumentAdded {
        piece_id: PieceId,
        document_id: DocumentId,
        document: StoredDocument,
    },
    DocumentRemoved {
        piece_id: PieceId,
        document_id: DocumentId,
    },
    PiecesArchived {
        piece_ids: Vec<PieceId>,
        reason: ArchiveReason,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sale: Option<Sale>,
    },
    PieceRestored {
        piece_id: PieceId,
    },
    /// A backup says when it was added and archived where it was kept before.
    PieceDated {
        piece_id: PieceId,
        added_at: DateTime<Utc>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        archived_at: Option<DateTime<Utc>>,
    },
    PiecesDeleted {
        piece_ids: Vec<PieceId>,
    },
    CabinetCreated {
        cabinet_id: CabinetId,
        name: Location,
    },
    CabinetRenamed {
        cabinet_id: CabinetId,
        previous: Location,
        name: Location,
    },
    CabinetDeleted {
        cabinet_id: CabinetId,
        name: Location,
    },
    CabinetsOrdered {
        cabinet_ids: Vec<CabinetId>,
    },
    Wished {
        figure_id: FigureId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<Money>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Note>,
    },
    WishTargetSet {
        figure_id: FigureId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<Money>,
    },
    WishNoted {
        figure_id: FigureId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Note>,
    },
    Unwished {
        figure_id: FigureId,
        reason: UnwishReason,
    },
    /// The account is gone: the last event of the stream, and the end of the owner's pre-orders too.
    PersonErased {},
    /// What an event of an erased person reads as.
    Erased {},
}

event_types!(CollectionEvent, "collection", {
    PieceAdded = "piece_added",
    PiecesConditionSet = "pieces_condition_set",
    PiecesMoved = "pieces_moved",
    PiecesArranged = "pieces_arranged",
    PieceCostRecorded = "piece_cost_recorded",
    PiecePurchaseRecorded = "piece_purchase_recorded",
    PieceNoted = "piece_noted",
    PieceProvenanceRecorded = "piece_provenance_recorded",
    PieceValued = "piece_valued",
    PieceValuationCleared = "piece_valuation_cleared",
    PieceCoverPinned = "piece_cover_pinned",
    PhotosAdded = "photos_added",
    PhotosOrdered = "photos_ordered",
    PhotoReplaced = "photo_replaced",
    PhotoRemoved = "photo_removed",
    PhotoShared = "photo_shared",
    ScanMade = "scan_made",
    ScanFramesReplaced = "scan_frames_replaced",
    ScanRemoved = "scan_removed",
    ScanShared = "scan_shared",
    DocumentAdded = "document_added",
    DocumentRemoved = "document_removed",
    PiecesArchived = "pieces_archived",
    PieceRestored = "piece_restored",
    PieceDated = "piece_dated",
    PiecesDeleted = "pieces_deleted",
    CabinetCreated = "cabinet_created",
    CabinetRenamed = "cabinet_renamed",
    CabinetDeleted = "cabinet_deleted",
    CabinetsOrdered = "cabinets_ordered",
    Wished = "wished",
    WishTargetSet = "wish_target_set",
    WishNoted = "wish_noted",
    Unwished = "unwished",
    PersonErased = "person_erased",
    Erased = "erased",
});

impl CollectionEvent {
    /// The piece whose photos, scans, documents or cover it tells of; none for every other event.
    #[must_use]
    pub const fn pictured_piece(&self) -> Option<PieceId> {
        match self {
            Self::PieceCoverPinned { piece_id, .. }
            | Self::PhotosAdded { piece_id, .. }
            | Self::PhotosOrdered { piece_id, .. }
            | Self::PhotoReplaced { piece_id, .. }
            | Self::PhotoRemoved { piece_id, .. }
            | Self::PhotoShared { piece_id, .. }
            | Self::ScanMade { piece_id, .. }
            | Self::ScanFramesReplaced { piece_id, .. }
            | Self::ScanRemoved { piece_id, .. }
            | Self::ScanShared { piece_id, .. }
            | Self::DocumentAdded { piece_id, .. }
            | Self::DocumentRemoved { piece_id, .. } => Some(*piece_id),
            _ => None,
        }
    }
}
