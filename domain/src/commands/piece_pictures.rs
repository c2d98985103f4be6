//! Photos, scans and documents of a piece of one's own, and its cover.

use super::PieceVersion;
use super::finding::{live_figure, own_piece};
use crate::collection::{CollectionCommand, PictureCommand};
use crate::figure::Figure;
use crate::ids::{DocumentId, PhotoId, PieceId, ScanId, UserId};
use crate::picture::{Cover, NewPhoto, Picture, StoredDocument};
use crate::refusal::{Code, Refusal};
use crate::world::{Command, Stop, World};

/// Whoever is not shown NSFW figures as they are uploads no pictures of them.
pub(super) fn checked_nsfw(figure: &Figure, shows_nsfw: bool) -> Result<(), Refusal> {
    if figure.is_nsfw && !shows_nsfw {
        return Err(Refusal::new(
            Code::NsfwNotShown,
            "this figure is NSFW; choose to be shown such figures before you upload pictures of it",
        ));
    }
    Ok(())
}

/// Tells a collection what to do with the pictures of a piece.
fn tell(
    world: &mut World,
    user_id: UserId,
    piece_id: PieceId,
    change: PictureCommand,
    shows_nsfw: bool,
) -> Result<(), Stop> {
    if change.uploads() && !shows_nsfw {
        let figure_id = world.collection(user_id)?.piece(piece_id)?.figure_id;
        checked_nsfw(&live_figure(world, figure_id)?.figure, shows_nsfw)?;
    }
    world.tell_collection(user_id, CollectionCommand::Picture { piece_id, change: Box::new(change) })
}

/// Add photos to a piece; they come after those that are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddPhotos {
    /// Whose collection.
    pub user_id: UserId,
    /// The piece.
    pub piece_id: PieceId,
    /// The pictures, in their order.
    pub pictures: Vec<Picture>,
    /// Whether the person is shown NSFW figures as they are.
    pub shows_nsfw: bool,
}

impl Command for AddPhotos {
    type Answer = Vec<PhotoId>;
    const NAME: &'static str = "add_photos";

    fn decide(&self, world: &mut World) -> Result<Vec<PhotoId>, Stop> {
        let photos: Vec<NewPhoto> = self
            .pictures
            .iter()
            .map(|picture| NewPhoto { photo_id: PhotoId(world.new_id()), picture: picture.clone() })
            .collect();
        let ids = photos.iter().map(|p| p.photo_id).collect();
        tell(world, self.user_id, self.piece_id, PictureCommand::AddPhotos(photos), self.shows_nsfw)?;
        Ok(ids)
    }
}

/// Add a turntable scan to a piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MakeScan {
    /// Whose collection.
    pub user_id: UserId,
    /// The piece.
    pub piece_id: PieceId,
    /// The frames, in their order.
    pub frames: Vec<Picture>,
    /// Whether the person is shown NSFW figures as they are.
    pub shows_nsfw: bool,
}

impl Command for MakeScan {
    type Answer = ScanId;
    const NAME: &'static str = "make_scan";

    fn decide(&self, world: &mut World) -> Result<ScanId, Stop> {
        let scan_id = ScanId(world.new_id());
        let change = PictureCommand::MakeScan { scan_id, frames: self.frames.clone() };
        tell(world, self.user_id, self.piece_id, change, self.shows_nsfw)?;
        Ok(scan_id)
    }
}

/// Keep a document with a piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddDocument {
    /// Whose collection.
    pub user_id: UserId,
    /// The piece.
    pub piece_id: PieceId,
    /// The document.
    pub document: StoredDocument,
}

impl Command for AddDocument {
    type Answer = DocumentId;
    const NAME: &'static str = "add_document";

    fn decide(&self, world: &mut World) -> Result<DocumentId, Stop> {
        let document_id = DocumentId(world.new_id());
        let change = PictureCommand::AddDocument { document_id, document: self.document.clone() };
        tell(world, self.user_id, self.piece_id, change, true)?;
        Ok(document_id)
    }
}

/// Pin one of a piece's own pictures as its cover, or (`None`) none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinCover {
    /// Whose collection.
    pub user_id: UserId,
    /// The piece.
    pub piece_id: PieceId,
    /// What the caller last saw of the piece.
    pub expected: Option<PieceVersion>,
    /// The photo or scan.
    pub cover: Option<Cover>,
}

impl Command for PinCover {
    type Answer = PieceId;
    const NAME: &'static str = "pin_cover";

    fn decide(&self, world: &mut World) -> Result<PieceId, Stop> {
        own_piece(world, self.user_id, self.piece_id, self.expected)?;
        tell(world, self.user_id, self.piece_id, PictureCommand::PinCover(self.cover), true)?;
        Ok(self.piece_id)
    }
}

/// Order, replace, remove or share pictures of a piece, or remove a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangePictures {
    /// Whose collection.
    pub user_id: UserId,
    /// The piece.
    pub piece_id: PieceId,
    /// What to do.
    pub change: PictureCommand,
    /// Whether the person is shown NSFW figures as they are.
    pub shows_nsfw: bool,
}

impl Command for ChangePictures {
    type Answer = PieceId;
    const NAME: &'static str = "change_pictures";

    fn decide(&self, world: &mut World) -> Result<PieceId, Stop> {
        tell(world, self.user_id, self.piece_id, self.change.clone(), self.shows_nsfw)?;
        Ok(self.piece_id)
    }
}
