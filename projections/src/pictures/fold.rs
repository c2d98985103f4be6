//! How events become the tables of photos, scans and documents.

use super::rows::{DocumentRow, FigurePhotoRow, PhotoRow, PictureRows, ScanRow};
use crate::engine::FoldError;
use chrono::{DateTime, Utc};
use domain::collection::CollectionEvent;
use domain::figure::{CataloguePhoto, FigureEvent};
use domain::ids::PieceId;
use domain::picture::{NewPhoto, Picture};
use domain::stream::{Event, Recorded, StreamId};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use uuid::Uuid;

pub(super) fn fold(rows: &mut PictureRows, recorded: &Recorded) -> Result<(), FoldError> {
    let at = recorded.recorded_at;
    match (&recorded.stream, &recorded.event) {
        (StreamId::Collection(user), Event::Collection(event)) => rows.collection(user.uuid(), event, at),
        (StreamId::Figure(figure), Event::Figure(event)) => rows.figure(figure.uuid(), event, at),
        _ => Ok(()),
    }
}

fn json(value: &impl Serialize) -> Result<Value, FoldError> {
    serde_json::to_value(value).map_err(|error| FoldError::Unfit(error.to_string()))
}

/// Every stored file that pictures name, each once.
fn blob_keys<'a>(pictures: impl IntoIterator<Item = &'a Picture>) -> Vec<String> {
    let keys: BTreeSet<_> = pictures.into_iter().flat_map(|picture| picture.blobs()).collect();
    keys.iter().map(ToString::to_string).collect()
}

fn after<'a>(positions: impl Iterator<Item = &'a i32>) -> i32 {
    positions.max().map_or(0, |last| last.saturating_add(1))
}

impl FigurePhotoRow {
    fn show(&mut self, picture: &Picture, at: DateTime<Utc>) -> Result<(), FoldError> {
        self.storage_key = picture.original.to_string();
        self.picture = json(picture)?;
        self.blob_keys = blob_keys([picture]);
        self.updated_at = at;
        Ok(())
    }
}

impl PhotoRow {
    fn show(&mut self, picture: &Picture, at: DateTime<Utc>) -> Result<(), FoldError> {
        self.storage_key = picture.original.to_string();
        self.picture = json(picture)?;
        self.blob_keys = blob_keys([picture]);
        self.updated_at = at;
        Ok(())
    }
}

impl ScanRow {
    fn show(&mut self, frames: &[Picture], at: DateTime<Utc>) -> Result<(), FoldError> {
        self.storage_keys = frames.iter().map(|frame| frame.original.to_string()).collect();
        self.frames = json(&frames)?;
        self.blob_keys = blob_keys(frames);
        self.updated_at = at;
        Ok(())
    }
}

impl PictureRows {
    fn figure(&mut self, figure: Uuid, event: &FigureEvent, at: DateTime<Utc>) -> Result<(), FoldError> {
        match event {
            FigureEvent::PhotosAdded { photos } => self.add_figure_photos(figure, photos, at),
            FigureEvent::PhotosOrdered { photo_ids } => {
                for (place, id) in (0_i32..).zip(photo_ids) {
                    self.figure_photos.change(&id.uuid(), |row| row.position = place)?;
                }
                Ok(())
            }
            FigureEvent::PhotoReplaced { photo_id, picture } => {
                let mut shown = Ok(());
                self.figure_photos.change(&photo_id.uuid(), |row| shown = row.show(picture, at))?;
                shown
            }
            FigureEvent::PrimaryPhotoSet { photo_id } => {
                for id in self.figure_photos.keys_where(FigurePhotoRow::figure_id, figure) {
                    self.figure_photos.update(&id, |row| row.is_primary = id == photo_id.uuid());
                }
                Ok(())
            }
            FigureEvent::PhotoRemoved { photo_id } => {
                self.figure_photos.remove(&photo_id.uuid());
                Ok(())
            }
            // What the winner goes on with, its own events say.
            FigureEvent::MergedInto { .. } => {
                self.figure_photos.remove_where(FigurePhotoRow::figure_id, figure);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn add_figure_photos(
        &mut self,
        figure_id: Uuid,
        photos: &[CataloguePhoto],
        at: DateTime<Utc>,
    ) -> Result<(), FoldError> {
        let there = self.figure_photos.rows_where(FigurePhotoRow::figure_id, figure_id);
        for (position, photo) in (after(there.iter().map(|row| &row.position))..).zip(photos) {
            let mut row = FigurePhotoRow {
                id: photo.photo_id.uuid(),
                figure_id,
                storage_key: String::new(),
                picture: Value::Null,
                blob_keys: Vec::new(),
                is_primary: false,
                position,
                added_by: photo.added_by.map(|user| user.uuid()),
                created_at: at,
                updated_at: at,
            };
            row.show(&photo.picture, at)?;
            self.figure_photos.insert(row);
        }
        Ok(())
    }

    fn collection(
        &mut self,
        user: Uuid,
        event: &CollectionEvent,
        at: DateTime<Utc>,
    ) -> Result<(), FoldError> {
        match event {
            CollectionEvent::PiecesDeleted { piece_ids } => {
                piece_ids.iter().for_each(|id| self.drop_all_of(id.uuid()));
                Ok(())
            }
            CollectionEvent::PersonErased {} => {
                self.photos.remove_owned_by(user);
                self.scans.remove_owned_by(user);
                self.documents.remove_owned_by(user);
                Ok(())
            }
            _ => event.pictured_piece().map_or(Ok(()), |piece| self.piece(user, piece, event, at)),
        }
    }

    fn piece(
        &mut self,
        user: Uuid,
        piece_id: PieceId,
        event: &CollectionEvent,
        at: DateTime<Utc>,
    ) -> Result<(), FoldError> {
        use CollectionEvent as E;
        let piece = piece_id.uuid();
        match event {
            E::PhotosAdded { photos, .. } => self.add_photos(user, piece, photos, at),
            E::PhotosOrdered { photo_ids, .. } => {
                for (place, id) in (0_i32..).zip(photo_ids) {
                    self.photos.change(&id.uuid(), |row| row.position = place)?;
                }
                Ok(())
            }
            E::PhotoReplaced { photo_id, picture, .. } => {
                let mut shown = Ok(());
                self.photos.change(&photo_id.uuid(), |row| shown = row.show(picture, at))?;
                shown
            }
            E::PhotoRemoved { photo_id, .. } => {
                self.photos.remove(&photo_id.uuid());
                Ok(())
            }
            E::PhotoShared { photo_id, shared, .. } => self.photos.change(&photo_id.uuid(), |row| {
                row.shared = *shared;
                row.updated_at = at;
            }),
            E::ScanMade { scan_id, frames, .. } => {
                let mut row = ScanRow {
                    id: scan_id.uuid(),
                    owned_item_id: piece,
                    user_id: user,
                    storage_keys: Vec::new(),
                    frames: Value::Null,
                    blob_keys: Vec::new(),
                    shared: false,
                    created_at: at,
                    updated_at: at,
                };
                row.show(frames, at)?;
                self.scans.insert(row);
                Ok(())
            }
            E::ScanFramesReplaced { scan_id, frames, .. } => {
                let mut shown = Ok(());
                self.scans.change(&scan_id.uuid(), |row| shown = row.show(frames, at))?;
                shown
            }
            E::ScanRemoved { scan_id, .. } => {
                self.scans.remove(&scan_id.uuid());
                Ok(())
            }
            E::ScanShared { scan_id, shared, .. } => self.scans.change(&scan_id.uuid(), |row| {
                row.shared = *shared;
                row.updated_at = at;
            }),
            E::DocumentAdded { document_id, document, .. } => {
                let there = self.documents.rows_where(DocumentRow::owned_item_id, piece);
                let position = after(there.iter().map(|row| &row.position));
                self.documents.insert(DocumentRow {
                    id: document_id.uuid(),
                    owned_item_id: piece,
                    user_id: user,
                    storage_key: document.blob.to_string(),
                    media_type: document.media_type.as_str().to_owned(),
                    bytes: i32::try_from(document.bytes).unwrap_or(i32::MAX),
                    name: document.name.as_str().to_owned(),
                    position,
                    created_at: at,
                });
                Ok(())
            }
            E::DocumentRemoved { document_id, .. } => {
                self.documents.remove(&document_id.uuid());
                Ok(())
            }
            // The piece's own row names its cover.
            _ => Ok(()),
        }
    }

    fn add_photos(
        &mut self,
        user: Uuid,
        piece: Uuid,
        photos: &[NewPhoto],
        at: DateTime<Utc>,
    ) -> Result<(), FoldError> {
        let there = self.photos.rows_where(PhotoRow::owned_item_id, piece);
        for (position, photo) in (after(there.iter().map(|row| &row.position))..).zip(photos) {
            let mut row = PhotoRow {
                id: photo.photo_id.uuid(),
                owned_item_id: piece,
                user_id: user,
                storage_key: String::new(),
                picture: Value::Null,
                blob_keys: Vec::new(),
                position,
                shared: false,
                created_at: at,
                updated_at: at,
            };
            row.show(&photo.picture, at)?;
            self.photos.insert(row);
        }
        Ok(())
    }

    /// Everything of a piece that is no more.
    fn drop_all_of(&mut self, piece: Uuid) {
        self.photos.remove_where(PhotoRow::owned_item_id, piece);
        self.scans.remove_where(ScanRow::owned_item_id, piece);
        self.documents.remove_where(DocumentRow::owned_item_id, piece);
    }
}
