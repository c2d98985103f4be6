//! Which figure a row is of: known by its codes or its name, else new in the catalogue.

use super::ImportRow;
use super::ids::wish_code;
use super::outcome::{FigureFound, Remark, Tally};
use crate::claim::ClaimCode;
use crate::commands::CatalogueFigure;
use crate::commands::finding::{LiveFigure, code_holder, live_figure};
use crate::figure::Figure;
use crate::gtin::Gtin;
use crate::refusal::{Code, Refusal};
use crate::world::{Command, Stop, World};

impl ImportRow {
    /// The row's figure: what an earlier import took it for, who holds its codes, whose name it has.
    pub(super) fn known_figure(&self, world: &mut World) -> Result<Option<(LiveFigure, FigureFound)>, Stop> {
        let wanted = &self.figure;
        let codes = [
            (Some(wish_code(self.user_id, &self.source)), FigureFound::Before),
            (wanted.jan.as_ref().map(ClaimCode::gtin), FigureFound::Jan),
            (wanted.mfc_id.map(ClaimCode::mfc), FigureFound::MfcId),
            (
                wanted.imported_as.as_ref().map(|(l, n)| ClaimCode::import(l.as_str(), n.as_str())),
                FigureFound::Before,
            ),
        ];
        for (code, how) in codes {
            let Some(code) = code else { continue };
            if let Some(id) = code_holder(world, &code)? {
                return Ok(Some((live_figure(world, id)?, how)));
            }
        }
        if let Some((id, how)) = self.likely {
            let figure = live_figure(world, id)?;
            if !contradicts(&self.figure, &figure.figure) {
                return Ok(Some((figure, how)));
            }
        }
        Ok(None)
    }

    /// The row's figure, a new one when it is unknown.
    pub(super) fn find(&self, world: &mut World) -> Result<(LiveFigure, FigureFound), Stop> {
        if let Some(known) = self.known_figure(world)? {
            return Ok(known);
        }
        if !self.named {
            return Err(Refusal::new(
                Code::FigureNotFound,
                "no figure of the catalogue has its code, and without a title none can be added",
            )
            .into());
        }
        let made = self.figure.decide(world)?;
        let how = if self.ambiguous { FigureFound::AmbiguousCreated } else { FigureFound::Created };
        Ok((live_figure(world, made.figure_id)?, how))
    }

    pub(super) fn differs(&self, figure: &Figure, how: FigureFound, tally: &mut Tally) {
        let new = matches!(how, FigureFound::Created | FigureFound::AmbiguousCreated);
        if self.figure.is_nsfw && !figure.is_nsfw && !new {
            tally.remark(Remark::NsfwDiffers);
        }
    }
}

/// Whether a figure has another code of a kind that the wanted one has too: then it is another figure.
pub(in crate::commands) fn contradicts(wanted: &CatalogueFigure, figure: &Figure) -> bool {
    let jans = (wanted.jan.as_ref().map(Gtin::normalised), figure.jan.as_ref().map(Gtin::normalised));
    let differ = |(a, b): (Option<String>, Option<String>)| a.is_some() && b.is_some() && a != b;
    let other_mfc = matches!((wanted.mfc_id, figure.mfc_id), (Some(a), Some(b)) if a != b);
    differ(jans) || other_mfc
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Bench, figure, row};
    use super::super::{RowFate, RowStatus};
    use super::*;
    use crate::commands::EditFigure;
    use crate::text::Line;

    #[test]
    fn the_barcode_goes_before_the_id_and_both_before_the_name() {
        let mut bench = Bench::new();
        let by_jan = figure("Briar", None, Some("4580590123458"));
        let by_mfc = figure("Cosmos", Some(12), None);
        let by_name = figure("Aster", None, None);
        for f in [&by_jan, &by_mfc, &by_name] {
            bench.run(f).unwrap();
        }
        let mut wanted = row(RowStatus::Owned, 1);
        wanted.likely = Some((by_name.figure_id, FigureFound::Name));
        wanted.figure.jan = by_jan.jan.clone();
        let outcome = bench.run(&wanted).unwrap();
        assert_eq!((outcome.figure_id, outcome.found), (Some(by_jan.figure_id), Some(FigureFound::Jan)));

        wanted.source = Line::new("mfc:13").unwrap();
        wanted.figure.jan = None;
        let outcome = bench.run(&wanted).unwrap();
        assert_eq!((outcome.figure_id, outcome.found), (Some(by_mfc.figure_id), Some(FigureFound::MfcId)));

        wanted.source = Line::new("mfc:14").unwrap();
        wanted.figure.mfc_id = Some(14);
        let outcome = bench.run(&wanted).unwrap();
        assert_eq!((outcome.figure_id, outcome.found), (Some(by_name.figure_id), Some(FigureFound::Name)));
    }

    #[test]
    fn a_name_is_not_taken_when_the_codes_differ() {
        let mut bench = Bench::new();
        let other = figure("Aster", Some(99), None);
        bench.run(&other).unwrap();
        let mut wanted = row(RowStatus::Wished, 1);
        wanted.likely = Some((other.figure_id, FigureFound::Name));
        wanted.ambiguous = true;
        let outcome = bench.run(&wanted).unwrap();
        assert_ne!(outcome.figure_id, Some(other.figure_id));
        assert_eq!(outcome.found, Some(FigureFound::AmbiguousCreated));
    }

    #[test]
    fn a_wish_found_by_name_stays_with_its_figure_when_the_names_change() {
        let mut bench = Bench::new();
        let named = figure("Aster", None, None);
        bench.run(&named).unwrap();
        let mut wanted = row(RowStatus::Wished, 1);
        wanted.likely = Some((named.figure_id, FigureFound::Name));
        bench.run(&wanted).unwrap();
        let renamed =
            EditFigure { name: Some(Line::new("Dahlia").unwrap()), ..EditFigure::of(named.figure_id) };
        bench.run(&renamed).unwrap();
        let ordered = bench.run(&row(RowStatus::Ordered, 1)).unwrap();
        assert_eq!((ordered.fate, ordered.figure_id), (RowFate::Ordered, Some(named.figure_id)));
    }

    #[test]
    fn an_unknown_figure_without_a_name_is_refused() {
        let unnamed = ImportRow { named: false, ..row(RowStatus::Owned, 1) };
        assert_eq!(Bench::new().run(&unnamed).unwrap_err().code, Code::FigureNotFound);
    }
}
