//! Bring a piece back from a backup, with its pre-orders as they went.

use super::catalogue_figure::optional;
use super::finding::live_figure;
use super::pieces::{PieceFields, add};
use crate::collection::{ArchiveReason, CollectionCommand, Cost, Placement, Sale, UnwishReason};
use crate::dates::ReleaseDate;
use crate::entity::EntityKind;
use crate::ids::{FigureId, PieceId, PreorderId, UserId};
use crate::money::Amount;
use crate::preorder::{Placed, PreorderCommand, SlipSource, Status};
use crate::refusal::{Code, Refusal};
use crate::stream::StreamId;
use crate::text::{HttpUrl, Name, Note};
use crate::world::{Command, Stop, World};
use chrono::{DateTime, Utc};

/// A change of a release date, as it was told.
#[derive(Debug, Clone, PartialEq)]
pub struct DateTold {
    /// The date.
    pub release: ReleaseDate,
    /// Who said so.
    pub source: SlipSource,
    /// A note.
    pub note: Option<Note>,
    /// When.
    pub at: DateTime<Utc>,
}

/// One chapter of a pre-order, as it went.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the fields are those of `Chapter`")]
pub struct ChapterBack {
    pub preorder_id: PreorderId,
    pub status: Status,
    /// The date that it was placed with; none when it was named later.
    pub release_original: Option<ReleaseDate>,
    /// Every change since, oldest first.
    pub dates: Vec<DateTold>,
    /// The date now, which may be said more exactly than the last change of it.
    pub release: Option<ReleaseDate>,
    pub cost: Cost,
    pub deposit: Option<Amount>,
    pub store: Option<Name>,
    pub tracking_url: Option<HttpUrl>,
    pub estimated_delivery_days: Option<u16>,
    pub placed_at: DateTime<Utc>,
    pub balance_paid_at: Option<DateTime<Utc>>,
    pub shipped_at: Option<DateTime<Utc>>,
    pub received_at: Option<DateTime<Utc>>,
    /// When it was called off, and what came back.
    pub cancelled: Option<(DateTime<Utc>, Amount)>,
}

/// Why and when a piece was archived.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ArchivedBack {
    /// Why.
    pub reason: ArchiveReason,
    /// What a sold one brought.
    pub sale: Option<Sale>,
    /// When.
    pub at: DateTime<Utc>,
}

/// Bring a piece back. One that is there already, or that its owner deleted since, is left alone.
#[derive(Debug, Clone, PartialEq)]
pub struct BringBack {
    /// Whose collection.
    pub user_id: UserId,
    /// The id it has from now on.
    pub piece_id: PieceId,
    /// What it is a copy of.
    pub figure_id: FigureId,
    /// What is known of it; a frozen rate stands as it is given.
    pub piece: PieceFields,
    /// Its place among the pieces where it stands.
    pub sort_order: i32,
    /// When it was added.
    pub added_at: DateTime<Utc>,
    /// Its pre-orders, the current one last.
    pub chapters: Vec<ChapterBack>,
    /// Why it is archived, if it is.
    pub archived: Option<ArchivedBack>,
}

impl BringBack {
    /// The streams it will ask for in any case, to be loaded together.
    #[must_use]
    pub fn streams(&self) -> Vec<StreamId> {
        let mut streams = vec![StreamId::Collection(self.user_id), StreamId::Figure(self.figure_id)];
        if !self.chapters.is_empty() {
            streams.push(StreamId::Preorder(self.piece_id));
        }
        streams
    }
}

impl Command for BringBack {
    /// Whether it is new.
    type Answer = bool;
    const NAME: &'static str = "bring_back";

    fn decide(&self, world: &mut World) -> Result<bool, Stop> {
        let (user, piece_id) = (self.user_id, self.piece_id);
        let collection = world.collection(user)?;
        if collection.pieces.contains_key(&piece_id) || collection.deleted_imports.contains(&piece_id) {
            return Ok(false);
        }
        let figure = live_figure(world, self.figure_id)?;
        let preordered = !self.chapters.is_empty();
        add(world, user, piece_id, figure.id, &self.piece, preordered, UnwishReason::Owned)?;
        if self.sort_order != 0 {
            let (location, sort_order) = (self.piece.location.clone(), self.sort_order);
            let placements = vec![Placement { piece_id, location, sort_order }];
            world.tell_collection(user, CollectionCommand::Arrange { placements })?;
        }
        for chapter in &self.chapters {
            chapter.play(world, (user, piece_id), figure.id)?;
        }
        if let Some(archived) = self.archived {
            if self.chapters.last().is_some_and(|chapter| chapter.status.is_live()) {
                return Err(Refusal::new(
                    Code::PreorderLive,
                    "a piece whose pre-order is live cannot be archived",
                )
                .on("archived_at")
                .into());
            }
            let archive = CollectionCommand::Archive {
                piece_ids: vec![piece_id],
                reason: archived.reason,
                sale: archived.sale,
            };
            world.tell_collection(user, archive)?;
        }
        let date = CollectionCommand::Date {
            piece_id,
            added_at: self.added_at,
            archived_at: self.archived.map(|archived| archived.at),
            now: world.now(),
        };
        world.tell_collection(user, date)?;
        Ok(true)
    }
}

impl ChapterBack {
    fn play(
        &self,
        world: &mut World,
        (user, piece_id): (UserId, PieceId),
        figure_id: FigureId,
    ) -> Result<(), Stop> {
        use PreorderCommand as C;
        let store_id = optional(world, EntityKind::Store, &self.store, "store")?;
        let placed = Placed {
            preorder_id: self.preorder_id,
            user_id: user,
            piece_id,
            figure_id,
            status: match self.status {
                Status::Shipped | Status::Received | Status::Cancelled => Status::Preordered,
                status => status,
            },
            release: self.release_original,
            cost: self.cost.without_fees(),
            deposit: self.deposit,
            store_id,
            tracking_url: self.tracking_url.clone(),
            estimated_delivery_days: self.estimated_delivery_days,
        };
        let is_first = world.preorder(piece_id)?.chapter.is_none();
        let place = if is_first { C::Place(Box::new(placed)) } else { C::Replace(Box::new(placed)) };
        let now = world.now();
        let mut tell = |command| world.tell_preorder(user, piece_id, command);
        tell(place)?;
        for told in &self.dates {
            tell(C::Slip { release: told.release, source: told.source, note: told.note.clone() })?;
        }
        if let Some(release) = self.release {
            tell(C::Slip { release, source: SlipSource::User, note: None })?;
        }
        if let Some(paid_at) = self.balance_paid_at {
            tell(C::SetBalance { paid: true, now: paid_at })?;
        }
        if self.shipped_at.is_some() {
            let shipped_at = self.shipped_at;
            tell(C::Ship { shipped_at, now, tracking_url: None, estimated_delivery_days: None })?;
        }
        if self.status == Status::Received {
            tell(C::Receive { received_at: self.received_at, now, condition: None })?;
        }
        if let Some((_, refund)) = self.cancelled {
            tell(C::Cancel { refund })?;
        }
        tell(C::Date {
            placed_at: self.placed_at,
            cancelled_at: self.cancelled.map(|(at, _)| at),
            told_at: self.dates.iter().map(|told| told.at).collect(),
            now,
        })
    }
}
