//! Photos of the catalogue. Anyone can add some; a photo is its uploader's to replace and to remove, and the
//! whole gallery is up to whoever may edit the figure.

use super::edit_figure::may_edit;
use super::finding::live_figure;
use super::piece_pictures::checked_nsfw;
use crate::collection::pictures::too_many_photos;
use crate::figure::{CataloguePhoto, FigureCommand, PhotoCommand};
use crate::ids::{FigureId, PhotoId};
use crate::picture::{MOST_PHOTOS_OF_A_FIGURE_BY_ONE, Picture};
use crate::refusal::{Code, Refusal};
use crate::world::{Command, Stop, World};

/// Add photos to a figure; they come after those that are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddFigurePhotos {
    /// The figure; if it was merged, the one it went into gets them.
    pub figure_id: FigureId,
    /// The pictures, in their order.
    pub pictures: Vec<Picture>,
    /// Whether whoever asks is shown NSFW figures as they are.
    pub shows_nsfw: bool,
}

impl Command for AddFigurePhotos {
    type Answer = Vec<PhotoId>;
    const NAME: &'static str = "add_figure_photos";

    fn decide(&self, world: &mut World) -> Result<Vec<PhotoId>, Stop> {
        let live = live_figure(world, self.figure_id)?;
        checked_nsfw(&live.figure, self.shows_nsfw)?;
        let added_by = world.circumstances().actor;
        if !may_edit(world, &live.figure) {
            let theirs = live.figure.photos.all.iter().filter(|p| p.added_by == added_by).count();
            if theirs.saturating_add(self.pictures.len()) > MOST_PHOTOS_OF_A_FIGURE_BY_ONE {
                return Err(too_many_photos(
                    MOST_PHOTOS_OF_A_FIGURE_BY_ONE,
                    "a figure that somebody else added",
                )
                .into());
            }
        }
        let photos: Vec<CataloguePhoto> = self
            .pictures
            .iter()
            .map(|picture| CataloguePhoto {
                photo_id: PhotoId(world.new_id()),
                picture: picture.clone(),
                added_by,
            })
            .collect();
        let ids = photos.iter().map(|p| p.photo_id).collect();
        world.tell_figure(live.id, FigureCommand::Photo(Box::new(PhotoCommand::Add(photos))))?;
        Ok(ids)
    }
}

/// Order, replace or remove photos of a figure, or let one stand for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeFigurePhotos {
    /// The figure; if it was merged, the one it went into.
    pub figure_id: FigureId,
    /// What to do.
    pub change: PhotoCommand,
    /// Whether whoever asks is shown NSFW figures as they are.
    pub shows_nsfw: bool,
}

impl Command for ChangeFigurePhotos {
    type Answer = FigureId;
    const NAME: &'static str = "change_figure_photos";

    fn decide(&self, world: &mut World) -> Result<FigureId, Stop> {
        let live = live_figure(world, self.figure_id)?;
        let theirs = match &self.change {
            PhotoCommand::Replace { photo_id, .. } | PhotoCommand::Remove { photo_id, .. } => {
                let added_by = live.figure.photos.photo(*photo_id)?.added_by;
                added_by.is_some() && added_by == world.circumstances().actor
            }
            _ => false,
        };
        if !theirs && !may_edit(world, &live.figure) {
            return Err(Refusal::new(
                Code::NotAllowed,
                "only the person who added this figure and admins can do this; a photo can be replaced and \
                 removed by who uploaded it, too",
            )
            .into());
        }
        if matches!(self.change, PhotoCommand::Replace { .. }) {
            checked_nsfw(&live.figure, self.shows_nsfw)?;
        }
        world.tell_figure(live.id, FigureCommand::Photo(Box::new(self.change.clone())))?;
        Ok(live.id)
    }
}
