//! The catalogue of figures.

mod called;
mod fold;
pub mod queries;
mod rows;
pub mod summary;

pub use called::{Called, called};
pub use rows::{
    AliasRow, EntityNameRow, FigureCharacterRow, FigureRow, FigureSeriesRow, LinkRow, ReleaseRow, Rows,
};

use crate::engine::{FoldError, Projection};
use domain::stream::{Event, Recorded, StreamId};

/// The figures.
pub struct Figures;

impl Projection for Figures {
    const NAME: &'static str = "figures";
    const VERSION: u32 = 3;
    const DDL: &'static str = include_str!("../../../migrations/read-models/figures.sql");
    const READS: &'static [&'static str] = &["figure", "entity"];
    type Rows = Rows;

    fn fold(rows: &mut Rows, event: &Recorded) -> Result<(), FoldError> {
        match (&event.stream, &event.event) {
            (StreamId::Figure(id), Event::Figure(change)) => rows.fold_figure(id.uuid(), change, event),
            (StreamId::Entity(id), Event::Entity(change)) => rows.fold_entity(id.uuid(), change),
            _ => Ok(()),
        }
    }
}
