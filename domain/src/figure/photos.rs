//! The photos of a catalogue entry.

use super::FigureEvent;
use crate::collection::pictures::{checked_order, checked_picture, no_such_photo, too_many_photos};
use crate::ids::{PhotoId, UserId};
use crate::picture::{BlobKey, MOST_PHOTOS_OF_A_FIGURE, Picture};
use crate::refusal::{Code, Refusal};
use serde::{Deserialize, Serialize};

/// A photo of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CataloguePhoto {
    /// Its id; it stays when the figure is merged into another.
    pub photo_id: PhotoId,
    /// The picture.
    pub picture: Picture,
    /// Who uploaded it; absent when the operator did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added_by: Option<UserId>,
}

/// The photos of one figure.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Photos {
    /// In their order. The pictures are here because a figure that takes this one in tells of them anew.
    pub all: Vec<CataloguePhoto>,
    /// The one that stands for the figure; without one it is the first.
    pub primary: Option<PhotoId>,
}

/// What can be asked of a figure's photos.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of the events they lead to")]
pub enum PhotoCommand {
    /// Add photos after those that are there.
    Add(Vec<CataloguePhoto>),
    /// Put them into this order; every one exactly once.
    Order(Vec<PhotoId>),
    /// Put another picture in a photo's place; `expected` is the one that the caller last saw there.
    Replace { photo_id: PhotoId, expected: Option<BlobKey>, picture: Picture },
    /// Let this one stand for the figure.
    MakePrimary(PhotoId),
    /// Remove one; `expected` is the picture that the caller last saw there.
    Remove { photo_id: PhotoId, expected: Option<BlobKey> },
    /// Go on with those of a figure that was taken in.
    Inherit(Photos),
}

impl Photos {
    /// The photo of that id.
    ///
    /// # Errors
    /// `PhotoNotFound`.
    pub fn photo(&self, id: PhotoId) -> Result<&CataloguePhoto, Refusal> {
        self.all.iter().find(|p| p.photo_id == id).ok_or_else(no_such_photo)
    }

    pub(super) fn decide(&self, command: PhotoCommand) -> Result<Vec<FigureEvent>, Refusal> {
        use FigureEvent as E;
        use PhotoCommand as C;
        let event = match command {
            C::Add(photos) => {
                if photos.is_empty() {
                    return Err(Refusal::new(Code::NothingToDo, "send at least one picture").on("file"));
                }
                if self.all.len().saturating_add(photos.len()) > MOST_PHOTOS_OF_A_FIGURE {
                    return Err(too_many_photos(MOST_PHOTOS_OF_A_FIGURE, "a figure"));
                }
                E::PhotosAdded { photos }
            }
            C::Order(photo_ids) => {
                let now: Vec<PhotoId> = self.all.iter().map(|p| p.photo_id).collect();
                checked_order(&photo_ids, &now)?;
                if photo_ids == now {
                    return Ok(vec![]);
                }
                E::PhotosOrdered { photo_ids }
            }
            C::Replace { photo_id, expected, picture } => {
                let now = self.photo(photo_id)?.picture.original;
                checked_picture(expected, now)?;
                if now == picture.original {
                    return Ok(vec![]);
                }
                E::PhotoReplaced { photo_id, picture: Box::new(picture) }
            }
            C::MakePrimary(photo_id) => {
                self.photo(photo_id)?;
                if self.primary == Some(photo_id) {
                    return Ok(vec![]);
                }
                E::PrimaryPhotoSet { photo_id }
            }
            C::Remove { photo_id, expected } => {
                checked_picture(expected, self.photo(photo_id)?.picture.original)?;
                E::PhotoRemoved { photo_id }
            }
            C::Inherit(others) => return Ok(self.inherit(others)),
        };
        Ok(vec![event])
    }

    /// What both have comes once, and the winner's own choice of what stands for it is kept. A merge is no
    /// upload, so the two together may be more than one figure is allowed.
    fn inherit(&self, others: Photos) -> Vec<FigureEvent> {
        let known =
            |photo: &CataloguePhoto| self.all.iter().any(|p| p.picture.original == photo.picture.original);
        let primary = others.primary.filter(|_| self.all.is_empty());
        let photos: Vec<CataloguePhoto> = others.all.into_iter().filter(|p| !known(p)).collect();
        if photos.is_empty() {
            return vec![];
        }
        let mut events = vec![FigureEvent::PhotosAdded { photos }];
        events.extend(primary.map(|photo_id| FigureEvent::PrimaryPhotoSet { photo_id }));
        events
    }

    pub(super) fn apply(&mut self, event: FigureEvent) {
        match event {
            FigureEvent::PhotosAdded { photos } => self.all.extend(photos),
            FigureEvent::PhotosOrdered { photo_ids } => {
                self.all.sort_by_key(|p| photo_ids.iter().position(|id| *id == p.photo_id));
            }
            FigureEvent::PhotoReplaced { photo_id, picture } => {
                for photo in self.all.iter_mut().filter(|p| p.photo_id == photo_id) {
                    photo.picture = (*picture).clone();
                }
            }
            FigureEvent::PrimaryPhotoSet { photo_id } => self.primary = Some(photo_id),
            FigureEvent::PhotoRemoved { photo_id } => {
                self.all.retain(|p| p.photo_id != photo_id);
                self.primary.take_if(|primary| *primary == photo_id);
            }
            _ => {}
        }
    }
}
