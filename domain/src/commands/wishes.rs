//! Wish a figure, stop wishing it, and make a wish come true.

use super::check;
use super::finding::{LiveFigure, live_figure};
use super::pieces::{PieceFields, add};
use super::place_preorder::{PreorderFields, place};
use crate::collection::{CollectionCommand, UnwishReason};
use crate::ids::{FigureId, PieceId, PreorderId, UserId};
use crate::money::Money;
use crate::refusal::{Code, Refusal};
use crate::stream::Version;
use crate::text::Note;
use crate::world::{Command, Stop, World};
use serde::{Deserialize, Serialize};

/// Checks the version of a wish against what the caller last saw.
fn seen(world: &mut World, user: UserId, figure: &LiveFigure, expected: Option<Version>) -> Result<(), Stop> {
    let collection = world.collection(user)?;
    let version = figure.same().iter().find_map(|f| collection.wishes.get(f)).map(|w| w.version);
    Ok(check(expected, version.unwrap_or(Version::NONE))?)
}

/// Wish a figure, or restate the wish: both facts are stated whole.
#[derive(Debug, Clone, PartialEq)]
pub struct SetWish {
    /// Whose collection.
    pub user_id: UserId,
    /// The figure.
    pub figure_id: FigureId,
    /// What the caller last saw.
    pub expected: Option<Version>,
    /// The price to wait for.
    pub target: Option<Money>,
    /// A note.
    pub note: Option<Note>,
}

/// What wishing came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wished {
    /// The figure, under the id it has now.
    pub figure_id: FigureId,
    /// Whether the wish is new.
    pub made: bool,
}

impl Command for SetWish {
    type Answer = Wished;
    const NAME: &'static str = "set_wish";

    fn decide(&self, world: &mut World) -> Result<Wished, Stop> {
        let figure = live_figure(world, self.figure_id)?;
        seen(world, self.user_id, &figure, self.expected)?;
        let made = {
            let collection = world.collection(self.user_id)?;
            !figure.same().iter().any(|f| collection.wishes.contains_key(f))
        };
        world.tell_collection(
            self.user_id,
            CollectionCommand::Wish {
                figure_id: figure.id,
                same_figure: figure.same(),
                target: self.target,
                note: self.note.clone(),
            },
        )?;
        Ok(Wished { figure_id: figure.id, made })
    }
}

/// Take a wish off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unwish {
    /// Whose collection.
    pub user_id: UserId,
    /// The figure.
    pub figure_id: FigureId,
    /// What the caller last saw.
    pub expected: Option<Version>,
}

impl Command for Unwish {
    type Answer = ();
    const NAME: &'static str = "unwish";

    fn decide(&self, world: &mut World) -> Result<(), Stop> {
        let figure = live_figure(world, self.figure_id)?;
        seen(world, self.user_id, &figure, self.expected)?;
        let unwish = CollectionCommand::Unwish { same_figure: figure.same(), reason: UnwishReason::Removed };
        world.tell_collection(self.user_id, unwish)
    }
}

/// Move a wished figure into the collection; when it is not released yet, as a pre-order.
#[derive(Debug, Clone, PartialEq)]
pub struct AcquireWish {
    /// Whose collection.
    pub user_id: UserId,
    /// The figure.
    pub figure_id: FigureId,
    /// What the caller last saw of the wish.
    pub expected: Option<Version>,
    /// The new piece.
    pub piece_id: PieceId,
    /// The new pre-order, should it become one.
    pub preorder_id: PreorderId,
    /// What is known of the piece.
    pub piece: PieceFields,
    /// What is known of the pre-order; a release date said here that is still to come makes it one.
    pub preorder: PreorderFields,
}

/// What a wish became.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acquired {
    /// The piece.
    pub piece_id: PieceId,
    /// Its pre-order, when the figure is not released yet.
    pub preorder_id: Option<PreorderId>,
}

impl Command for AcquireWish {
    type Answer = Acquired;
    const NAME: &'static str = "acquire_wish";

    fn decide(&self, world: &mut World) -> Result<Acquired, Stop> {
        let (user, piece_id) = (self.user_id, self.piece_id);
        let figure = live_figure(world, self.figure_id)?;
        let collection = world.collection(user)?;
        if !figure.same().iter().any(|f| collection.wishes.contains_key(f)) {
            return Err(Refusal::new(Code::WishNotFound, "this figure is not on your wishlist").into());
        }
        seen(world, user, &figure, self.expected)?;
        let today = world.now().date_naive();
        let release = self.preorder.release.or_else(|| figure.figure.awaited_release(today));
        if release.is_some_and(|r| r.last_day() > today) {
            place(
                world,
                user,
                (piece_id, self.preorder_id),
                figure.id,
                &self.piece,
                &self.preorder,
                UnwishReason::Acquired,
            )?;
            return Ok(Acquired { piece_id, preorder_id: Some(self.preorder_id) });
        }
        if self.preorder != PreorderFields::default() {
            return Err(Refusal::new(
                Code::InvalidField,
                "this figure is released, so it becomes a piece and not a pre-order",
            )
            .into());
        }
        add(world, user, piece_id, figure.id, &self.piece, false, UnwishReason::Acquired)?;
        Ok(Acquired { piece_id, preorder_id: None })
    }
}
