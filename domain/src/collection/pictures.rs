//! The photos, scans and documents of a piece, and what stands for it on its card.

use super::{CollectionEvent, Piece};
use crate::ids::{DocumentId, PhotoId, PieceId, ScanId};
use crate::picture::{
    BlobKey, Cover, MOST_DOCUMENTS, MOST_FRAMES, MOST_PHOTOS_OF_A_PIECE, MOST_SCANS, NewPhoto, Picture,
    StoredDocument, frames_digest,
};
use crate::refusal::{Code, Refusal};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// A photo, as far as decisions need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PiecePhoto {
    /// Its id.
    pub photo_id: PhotoId,
    /// The picture it is now.
    pub original: BlobKey,
    /// Whether others see it as the piece's cover.
    pub shared: bool,
}

/// A scan, as far as decisions need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PieceScan {
    /// Its id.
    pub scan_id: ScanId,
    /// Whether others see it as the piece's cover.
    pub shared: bool,
    /// The digest of the frames that it has now.
    pub frames: BlobKey,
}

/// The pictures and documents of one piece.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pictures {
    /// Photos in the owner's order.
    pub photos: Vec<PiecePhoto>,
    /// Scans, oldest first.
    pub scans: Vec<PieceScan>,
    /// Documents, oldest first.
    pub documents: Vec<DocumentId>,
    /// What is pinned as the cover: one of the above.
    pub cover: Option<Cover>,
}

/// What can be asked of the pictures of one piece.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of the events they lead to")]
pub enum PictureCommand {
    /// Add photos after those that are there.
    AddPhotos(Vec<NewPhoto>),
    /// Put the photos into this order; every one exactly once.
    OrderPhotos(Vec<PhotoId>),
    /// Put another picture in a photo's place; `expected` is the one that the caller last saw there.
    ReplacePhoto { photo_id: PhotoId, expected: Option<BlobKey>, picture: Picture },
    /// Remove a photo; `expected` is the picture that the caller last saw there.
    RemovePhoto { photo_id: PhotoId, expected: Option<BlobKey> },
    /// Say whether others see a photo as the cover.
    SharePhoto { photo_id: PhotoId, shared: bool },
    /// Add a scan: its frames in their order.
    MakeScan { scan_id: ScanId, frames: Vec<Picture> },
    /// Put other frames in place of a scan's; `expected` is the digest of those that the caller last saw there.
    ReplaceFrames { scan_id: ScanId, expected: Option<BlobKey>, frames: Vec<Picture> },
    /// Remove a scan.
    RemoveScan(ScanId),
    /// Say whether others see a scan as the cover.
    ShareScan { scan_id: ScanId, shared: bool },
    /// Keep a document.
    AddDocument { document_id: DocumentId, document: StoredDocument },
    /// Remove a document.
    RemoveDocument(DocumentId),
    /// Pin one of its own pictures as the cover, or none.
    PinCover(Option<Cover>),
}

impl PictureCommand {
    /// Whether it brings pictures in.
    #[must_use]
    pub const fn uploads(&self) -> bool {
        matches!(
            self,
            Self::AddPhotos(_)
                | Self::ReplacePhoto { .. }
                | Self::MakeScan { .. }
                | Self::ReplaceFrames { .. }
        )
    }
}

/// A photo that is not there.
pub(crate) fn no_such_photo() -> Refusal {
    Refusal::new(Code::PhotoNotFound, "there is no such photo")
}

/// More photos than allowed.
pub(crate) fn too_many_photos(most: usize, of: &str) -> Refusal {
    Refusal::new(Code::TooMany, format!("{of} has at most {most} photos; remove some first")).on("file")
}

/// Checks that an order names each of these exactly once.
pub(crate) fn checked_order(order: &[PhotoId], now: &[PhotoId]) -> Result<(), Refusal> {
    let named: HashSet<_> = order.iter().collect();
    if named.len() != order.len() || named != now.iter().collect() {
        return Err(Refusal::new(
            Code::InvalidField,
            "name every photo that is there exactly once, in the order you want",
        )
        .on("ids"));
    }
    Ok(())
}

/// Checks that a picture, or all of a scan, is still what the caller last saw.
pub(crate) fn checked_picture(expected: Option<BlobKey>, now: BlobKey) -> Result<(), Refusal> {
    match expected {
        Some(expected) if expected != now => Err(Refusal::new(
            Code::Stale,
            "this picture was replaced since you saw it; look again and repeat what you want",
        )),
        _ => Ok(()),
    }
}

fn checked_frames(frames: Vec<Picture>) -> Result<Vec<Picture>, Refusal> {
    if frames.is_empty() || frames.len() > MOST_FRAMES {
        return Err(Refusal::new(Code::TooMany, format!("a scan has 1 to {MOST_FRAMES} frames")).on("frame"));
    }
    Ok(frames)
}

impl Pictures {
    /// The photo of that id.
    ///
    /// # Errors
    /// `PhotoNotFound`.
    pub fn photo(&self, id: PhotoId) -> Result<PiecePhoto, Refusal> {
        self.photos.iter().find(|p| p.photo_id == id).copied().ok_or_else(no_such_photo)
    }

    /// The scan of that id.
    ///
    /// # Errors
    /// `ScanNotFound`.
    pub fn scan(&self, id: ScanId) -> Result<PieceScan, Refusal> {
        let found = self.scans.iter().find(|s| s.scan_id == id).copied();
        found.ok_or_else(|| Refusal::new(Code::ScanNotFound, "there is no such scan"))
    }

    fn document(&self, id: DocumentId) -> Result<(), Refusal> {
        if self.documents.contains(&id) {
            return Ok(());
        }
        Err(Refusal::new(Code::DocumentNotFound, "there is no such document"))
    }

    /// Decides what becomes of the pictures of the piece with that id.
    pub(super) fn decide(
        &self,
        piece_id: PieceId,
        command: PictureCommand,
    ) -> Result<Option<CollectionEvent>, Refusal> {
        use CollectionEvent as E;
        use PictureCommand as C;
        let event = match command {
            C::AddPhotos(photos) => {
                if photos.is_empty() {
                    return Err(Refusal::new(Code::NothingToDo, "send at least one picture").on("file"));
                }
                if self.photos.len().saturating_add(photos.len()) > MOST_PHOTOS_OF_A_PIECE {
                    return Err(too_many_photos(MOST_PHOTOS_OF_A_PIECE, "a piece"));
                }
                E::PhotosAdded { piece_id, photos }
            }
            C::OrderPhotos(photo_ids) => {
                let now: Vec<PhotoId> = self.photos.iter().map(|p| p.photo_id).collect();
                checked_order(&photo_ids, &now)?;
                if photo_ids == now {
                    return Ok(None);
                }
                E::PhotosOrdered { piece_id, photo_ids }
            }
            C::ReplacePhoto { photo_id, expected, picture } => {
                let photo = self.photo(photo_id)?;
                checked_picture(expected, photo.original)?;
                if photo.original == picture.original {
                    return Ok(None);
                }
                E::PhotoReplaced { piece_id, photo_id, picture: Box::new(picture) }
            }
            C::RemovePhoto { photo_id, expected } => {
                checked_picture(expected, self.photo(photo_id)?.original)?;
                E::PhotoRemoved { piece_id, photo_id }
            }
            C::SharePhoto { photo_id, shared } => {
                if self.photo(photo_id)?.shared == shared {
                    return Ok(None);
                }
                E::PhotoShared { piece_id, photo_id, shared }
            }
            C::MakeScan { scan_id, frames } => {
                let frames = checked_frames(frames)?;
                if self.scans.len() >= MOST_SCANS {
                    return Err(Refusal::new(
                        Code::TooMany,
                        format!("a piece has at most {MOST_SCANS} scans; remove one first"),
                    )
                    .on("frame"));
                }
                E::ScanMade { piece_id, scan_id, frames }
            }
            C::ReplaceFrames { scan_id, expected, frames } => {
                checked_picture(expected, self.scan(scan_id)?.frames)?;
                E::ScanFramesReplaced { piece_id, scan_id, frames: checked_frames(frames)? }
            }
            C::RemoveScan(scan_id) => {
                self.scan(scan_id)?;
                E::ScanRemoved { piece_id, scan_id }
            }
            C::ShareScan { scan_id, shared } => {
                if self.scan(scan_id)?.shared == shared {
                    return Ok(None);
                }
                E::ScanShared { piece_id, scan_id, shared }
            }
            C::AddDocument { document_id, document } => {
                if self.documents.len() >= MOST_DOCUMENTS {
                    return Err(Refusal::new(
                        Code::TooMany,
                        format!("a piece has at most {MOST_DOCUMENTS} documents; remove one first"),
                    )
                    .on("file"));
                }
                E::DocumentAdded { piece_id, document_id, document }
            }
            C::RemoveDocument(document_id) => {
                self.document(document_id)?;
                E::DocumentRemoved { piece_id, document_id }
            }
            C::PinCover(cover) => {
                match cover {
                    Some(Cover::PhotoId(id)) => self.photo(id).map(|_| ()).map_err(|r| r.on("photo_id"))?,
                    Some(Cover::ScanId(id)) => self.scan(id).map(|_| ()).map_err(|r| r.on("scan_id"))?,
                    None => {}
                }
                if self.cover == cover {
                    return Ok(None);
                }
                E::PieceCoverPinned { piece_id, cover }
            }
        };
        Ok(Some(event))
    }

    /// Folds one event of these pictures; says whether the piece's pinned cover looks different now.
    fn apply(&mut self, event: &CollectionEvent) -> bool {
        use CollectionEvent as E;
        match event {
            E::PhotosAdded { photos, .. } => {
                self.photos.extend(photos.iter().map(|p| PiecePhoto {
                    photo_id: p.photo_id,
                    original: p.picture.original,
                    shared: false,
                }));
                false
            }
            E::PhotosOrdered { photo_ids, .. } => {
                self.photos.sort_by_key(|p| photo_ids.iter().position(|id| *id == p.photo_id));
                false
            }
            E::PhotoReplaced { photo_id, picture, .. } => {
                for photo in self.photos.iter_mut().filter(|p| p.photo_id == *photo_id) {
                    photo.original = picture.original;
                }
                self.cover == Some(Cover::PhotoId(*photo_id))
            }
            E::PhotoRemoved { photo_id, .. } => {
                self.photos.retain(|p| p.photo_id != *photo_id);
                self.cover.take_if(|cover| *cover == Cover::PhotoId(*photo_id)).is_some()
            }
            E::PhotoShared { photo_id, shared, .. } => {
                for photo in self.photos.iter_mut().filter(|p| p.photo_id == *photo_id) {
                    photo.shared = *shared;
                }
                false
            }
            E::ScanMade { scan_id, frames, .. } => {
                let frames = frames_digest(frames);
                self.scans.push(PieceScan { scan_id: *scan_id, shared: false, frames });
                false
            }
            E::ScanFramesReplaced { scan_id, frames, .. } => {
                for scan in self.scans.iter_mut().filter(|s| s.scan_id == *scan_id) {
                    scan.frames = frames_digest(frames);
                }
                self.cover == Some(Cover::ScanId(*scan_id))
            }
            E::ScanRemoved { scan_id, .. } => {
                self.scans.retain(|s| s.scan_id != *scan_id);
                self.cover.take_if(|cover| *cover == Cover::ScanId(*scan_id)).is_some()
            }
            E::ScanShared { scan_id, shared, .. } => {
                for scan in self.scans.iter_mut().filter(|s| s.scan_id == *scan_id) {
                    scan.shared = *shared;
                }
                false
            }
            E::DocumentAdded { document_id, .. } => {
                self.documents.push(*document_id);
                false
            }
            E::DocumentRemoved { document_id, .. } => {
                self.documents.retain(|id| id != document_id);
                false
            }
            E::PieceCoverPinned { cover, .. } => {
                self.cover = *cover;
                true
            }
            _ => false,
        }
    }
}

impl Piece {
    /// Its pictures and documents.
    pub fn pictures(&self) -> Pictures {
        self.pictures.as_deref().cloned().unwrap_or_default()
    }

    /// Folds one event of its pictures; says whether its pinned cover looks different now.
    pub(super) fn pictured(&mut self, event: &CollectionEvent) -> bool {
        std::sync::Arc::make_mut(self.pictures.get_or_insert_default()).apply(event)
    }
}
