//! What a release to come might fold otherwise. It is part of no release: the fault suite builds a second program
//! with it, rolls that out beside this one, and sees by the rows which of the two has folded them.

use crate::engine::{FoldError, Projection};
use crate::figures::{self, AliasRow, Rows};
use domain::figure::FigureEvent;
use domain::stream::{Event, Recorded, StreamId};

/// Marks what this release has folded; nobody is called so.
const NAMESPACE: &str = "next";

/// The figures, each with an alias that the release before does not make.
pub struct Figures;

impl Projection for Figures {
    const NAME: &'static str = figures::Figures::NAME;
    const VERSION: u32 = figures::Figures::VERSION + 1;
    const DDL: &'static str = figures::Figures::DDL;
    const READS: &'static [&'static str] = figures::Figures::READS;
    type Rows = Rows;

    fn fold(rows: &mut Rows, event: &Recorded) -> Result<(), FoldError> {
        figures::Figures::fold(rows, event)?;
        if let (StreamId::Figure(id), Event::Figure(FigureEvent::Catalogued(_))) =
            (&event.stream, &event.event)
        {
            let (namespace, alias, figure_id) = (NAMESPACE.to_owned(), id.to_string(), id.uuid());
            rows.aliases.insert(AliasRow { namespace, alias, figure_id });
        }
        Ok(())
    }
}
