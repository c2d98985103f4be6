//! Pictures: `figure_photos` of the catalogue, `photos`, `scans` and `documents` of pieces, and which of them
//! stands for what on a card.

pub mod cover;
mod fold;
mod queries;
mod rows;
#[cfg(test)]
mod tests;

pub use cover::{Cover, Eyes, Pinned, Thumb};
pub use queries::{
    CataloguePhoto, Document, OwnedPhoto, OwnedScan, catalogue_photo, document, documents, figure_photos,
    frames_of, named, photo, photos, scan, scans,
};
pub use rows::{DocumentRow, FigurePhotoRow, PhotoRow, PictureRows, ScanRow};

use crate::engine::{FoldError, Projection, Timing};
use domain::stream::Recorded;

/// The read model of photos, scans and documents.
pub struct Pictures;

impl Projection for Pictures {
    const NAME: &'static str = "pictures";
    const VERSION: u32 = 1;
    const DDL: &'static str = include_str!("../../../migrations/read-models/pictures.sql");
    const READS: &'static [&'static str] = &["collection", "figure"];
    const TIMING: Timing = Timing::After;
    type Rows = PictureRows;

    fn fold(rows: &mut PictureRows, event: &Recorded) -> Result<(), FoldError> {
        fold::fold(rows, event)
    }
}
