//! What events do to the catalogue.

use super::rows::{
    AliasRow, EntityNameRow, FigureCharacterRow, FigureRow, FigureSeriesRow, LinkRow, ReleaseRow, Rows,
};
use crate::engine::FoldError;
use domain::dates::ReleaseDate;
use domain::entity::{EntityEvent, EntityKind};
use domain::figure::{BuyLink, Details, Entry, FigureEvent};
use domain::gtin::Gtin;
use domain::ids::EntityId;
use domain::money::Money;
use domain::stream::Recorded;
use domain::text::folded;
use std::collections::BTreeSet;
use uuid::Uuid;

impl FigureRow {
    fn describe(&mut self, details: &Details) {
        self.scale = details.scale.as_ref().map(ToString::to_string);
        self.height_mm = details.height_mm;
        self.materials = details.materials.as_ref().map(ToString::to_string);
        self.version_name = details.version_name.as_ref().map(ToString::to_string);
        self.edition = details.edition.as_ref().map(ToString::to_string);
        self.official_image_url = details.official_image_url.as_ref().map(|url| url.as_str().to_owned());
        self.description = details.description.as_ref().map(ToString::to_string);
    }

    fn release(&mut self, releases: &[ReleaseDate]) {
        let first = releases.iter().min();
        self.release_date = first.map(|release| release.date());
        self.release_date_precision = first.map(|release| release.precision().as_str().to_owned());
    }

    fn price(&mut self, msrp: Option<Money>) {
        self.msrp_amount = msrp.map(|msrp| msrp.amount().decimal());
        self.msrp_currency = msrp.map(|msrp| msrp.currency().code().to_owned());
    }

    fn identify(&mut self, jan: Option<&Gtin>, mfc_id: Option<i64>) {
        self.jan = jan.map(|jan| jan.as_str().to_owned());
        self.gtin = jan.map(Gtin::normalised);
        self.mfc_id = mfc_id;
    }
}

impl Rows {
    pub(super) fn fold_figure(
        &mut self,
        id: Uuid,
        change: &FigureEvent,
        event: &Recorded,
    ) -> Result<(), FoldError> {
        match change {
            FigureEvent::Catalogued(entry) => self.catalogue(id, entry, event),
            FigureEvent::MergedInto { winner_id } => return self.merge(id, winner_id.uuid()),
            // The market and photos have tables of their own.
            _ if change.is_of_the_market() || change.is_of_photos() => return Ok(()),
            _ => {}
        }
        self.figures.change(&id, |row| {
            row.version = event.version.0;
            row.updated_at = event.recorded_at;
            match change {
                FigureEvent::Renamed { name } => {
                    row.name = name.to_string();
                    row.sort_name = folded(name.as_str());
                }
                FigureEvent::Retyped { figure_type } => row.figure_type = figure_type.to_string(),
                FigureEvent::Described { details } => row.describe(details),
                FigureEvent::ReleasesAnnounced { releases } => row.release(releases),
                FigureEvent::MsrpSet { msrp } => row.price(*msrp),
                FigureEvent::Identified { jan, mfc_id } => row.identify(jan.as_ref(), *mfc_id),
                FigureEvent::NsfwMarked { is_nsfw } => row.is_nsfw = *is_nsfw,
                FigureEvent::Catalogued(_)
                | FigureEvent::Credited { .. }
                | FigureEvent::BuyLinksSet { .. }
                | FigureEvent::PhotosAdded { .. }
                | FigureEvent::PhotosOrdered { .. }
                | FigureEvent::PhotoReplaced { .. }
                | FigureEvent::PrimaryPhotoSet { .. }
                | FigureEvent::PhotoRemoved { .. }
                | FigureEvent::MergedInto { .. }
                | FigureEvent::Absorbed { .. }
                | FigureEvent::PriceMoved(_)
                | FigureEvent::StockChanged { .. } => {}
            }
        })?;
        match change {
            FigureEvent::Credited { manufacturer_id, sculptor_id, series_ids, character_ids } => {
                self.credit(id, *manufacturer_id, *sculptor_id, series_ids, character_ids)?;
                self.refresh_search_text(id)
            }
            FigureEvent::Catalogued(_)
            | FigureEvent::Renamed { .. }
            | FigureEvent::Described { .. }
            | FigureEvent::Identified { .. } => self.refresh_search_text(id),
            FigureEvent::ReleasesAnnounced { releases } => {
                self.releases.remove_where(ReleaseRow::figure_id, id);
                self.announce(id, releases);
                Ok(())
            }
            FigureEvent::BuyLinksSet { buy_links } => {
                self.links.remove_where(LinkRow::figure_id, id);
                self.link(id, buy_links);
                Ok(())
            }
            FigureEvent::Retyped { .. }
            | FigureEvent::MsrpSet { .. }
            | FigureEvent::NsfwMarked { .. }
            | FigureEvent::PhotosAdded { .. }
            | FigureEvent::PhotosOrdered { .. }
            | FigureEvent::PhotoReplaced { .. }
            | FigureEvent::PrimaryPhotoSet { .. }
            | FigureEvent::PhotoRemoved { .. }
            | FigureEvent::MergedInto { .. }
            | FigureEvent::Absorbed { .. }
            | FigureEvent::PriceMoved(_)
            | FigureEvent::StockChanged { .. } => Ok(()),
        }
    }

    fn catalogue(&mut self, id: Uuid, entry: &Entry, event: &Recorded) {
        let mut row = FigureRow {
            id,
            slug: entry.slug.clone(),
            name: entry.name.to_string(),
            figure_type: entry.figure_type.to_string(),
            manufacturer_id: entry.manufacturer_id.map(|id| self.current(id)),
            sculptor_id: entry.sculptor_id.map(|id| self.current(id)),
            scale: None,
            height_mm: None,
            materials: None,
            version_name: None,
            edition: None,
            official_image_url: None,
            description: None,
            release_date: None,
            release_date_precision: None,
            msrp_amount: None,
            msrp_currency: None,
            jan: None,
            gtin: None,
            mfc_id: None,
            is_nsfw: entry.is_nsfw,
            created_by: entry.created_by.map(|user| user.uuid()),
            sort_name: folded(entry.name.as_str()),
            search_text: String::new(),
            version: event.version.0,
            created_at: event.recorded_at,
            updated_at: event.recorded_at,
        };
        row.describe(&entry.details);
        row.release(&entry.releases);
        row.price(entry.msrp);
        row.identify(entry.jan.as_ref(), entry.mfc_id);
        self.figures.insert(row);
        for (position, series_id) in (0..).zip(self.all_current(&entry.series_ids)) {
            self.series.insert(FigureSeriesRow { figure_id: id, series_id, position });
        }
        for (position, character_id) in (0..).zip(self.all_current(&entry.character_ids)) {
            self.characters.insert(FigureCharacterRow { figure_id: id, character_id, position });
        }
        self.announce(id, &entry.releases);
        self.link(id, &entry.buy_links);
    }

    fn credit(
        &mut self,
        id: Uuid,
        manufacturer_id: Option<EntityId>,
        sculptor_id: Option<EntityId>,
        series_ids: &[EntityId],
        character_ids: &[EntityId],
    ) -> Result<(), FoldError> {
        let manufacturer_id = manufacturer_id.map(|id| self.current(id));
        let sculptor_id = sculptor_id.map(|id| self.current(id));
        self.figures.change(&id, |row| {
            row.manufacturer_id = manufacturer_id;
            row.sculptor_id = sculptor_id;
        })?;
        self.series.remove_where(FigureSeriesRow::figure_id, id);
        for (position, series_id) in (0..).zip(self.all_current(series_ids)) {
            self.series.insert(FigureSeriesRow { figure_id: id, series_id, position });
        }
        self.characters.remove_where(FigureCharacterRow::figure_id, id);
        for (position, character_id) in (0..).zip(self.all_current(character_ids)) {
            self.characters.insert(FigureCharacterRow { figure_id: id, character_id, position });
        }
        Ok(())
    }

    fn announce(&mut self, figure_id: Uuid, releases: &[ReleaseDate]) {
        for (position, release) in (0..).zip(releases) {
            self.releases.insert(ReleaseRow {
                figure_id,
                position,
                release_date: release.date(),
                release_date_precision: release.precision().as_str().to_owned(),
            });
        }
    }

    fn link(&mut self, figure_id: Uuid, links: &[BuyLink]) {
        for (position, link) in (0..).zip(links) {
            let store_id = self.current(link.store_id);
            self.links.insert(LinkRow { figure_id, position, store_id, path: link.path.to_string() });
        }
    }

    /// The loser continues as the winner: what led to the one leads to the other. What the winner gains by
    /// it, its own events say.
    fn merge(&mut self, loser: Uuid, winner: Uuid) -> Result<(), FoldError> {
        let gone = self.figures.require(&loser)?.clone();
        self.figures.remove(&loser);
        self.series.remove_where(FigureSeriesRow::figure_id, loser);
        self.characters.remove_where(FigureCharacterRow::figure_id, loser);
        self.releases.remove_where(ReleaseRow::figure_id, loser);
        self.links.remove_where(LinkRow::figure_id, loser);
        for alias in self.aliases.keys_where(AliasRow::figure_id, loser) {
            self.aliases.change(&alias, |row| row.figure_id = winner)?;
        }
        let names = [
            ("id", Some(loser.to_string())),
            ("slug", Some(gone.slug)),
            ("gtin", gone.gtin),
            ("mfc", gone.mfc_id.map(|id| id.to_string())),
        ];
        for (namespace, alias) in names {
            if let Some(alias) = alias {
                self.aliases.insert(AliasRow { namespace: namespace.to_owned(), alias, figure_id: winner });
            }
        }
        Ok(())
    }

    pub(super) fn fold_entity(&mut self, id: Uuid, change: &EntityEvent) -> Result<(), FoldError> {
        match change {
            EntityEvent::Named { kind, name, .. } => {
                let (kind, name) = (kind.as_str().to_owned(), name.to_string());
                self.names.insert(EntityNameRow { id, kind, name, merged_into: None });
                Ok(())
            }
            EntityEvent::Renamed { kind, name, .. } => {
                self.names.change(&id, |row| row.name = name.to_string())?;
                self.refresh_all(self.figures_of(*kind, id))
            }
            EntityEvent::MergedInto { kind, winner_id } => self.follow_merge(*kind, id, winner_id.uuid()),
            EntityEvent::MalIdSet { .. } | EntityEvent::Absorbed { .. } => Ok(()),
        }
    }

    /// Everything that points at the loser points at the winner from here on.
    fn follow_merge(&mut self, kind: EntityKind, loser: Uuid, winner: Uuid) -> Result<(), FoldError> {
        for earlier in self.names.keys_where(EntityNameRow::merged_into, loser) {
            self.names.change(&earlier, |row| row.merged_into = Some(winner))?;
        }
        self.names.change(&loser, |row| row.merged_into = Some(winner))?;
        let figures = self.figures_of(kind, loser);
        match kind {
            EntityKind::Manufacturer => {
                for id in &figures {
                    self.figures.change(id, |row| row.manufacturer_id = Some(winner))?;
                }
            }
            EntityKind::Sculptor => {
                for id in &figures {
                    self.figures.change(id, |row| row.sculptor_id = Some(winner))?;
                }
            }
            EntityKind::Series => {
                for figure_id in figures.iter().copied() {
                    let Some(row) = self.series.get(&(figure_id, loser)).cloned() else { continue };
                    self.series.remove(&(figure_id, loser));
                    if self.series.get(&(figure_id, winner)).is_none() {
                        self.series.insert(FigureSeriesRow { series_id: winner, ..row });
                    }
                }
            }
            EntityKind::Character => {
                for figure_id in figures.iter().copied() {
                    let Some(row) = self.characters.get(&(figure_id, loser)).cloned() else { continue };
                    self.characters.remove(&(figure_id, loser));
                    if self.characters.get(&(figure_id, winner)).is_none() {
                        self.characters.insert(FigureCharacterRow { character_id: winner, ..row });
                    }
                }
            }
            EntityKind::Store => {
                for link in self.links.keys_where(LinkRow::store_id, loser) {
                    self.links.change(&link, |row| row.store_id = winner)?;
                }
            }
        }
        self.refresh_all(figures)
    }

    /// The figures that name an entity; for a store, none: its name is not searched for.
    fn figures_of(&self, kind: EntityKind, id: Uuid) -> Vec<Uuid> {
        match kind {
            EntityKind::Manufacturer => self.figures.keys_where(FigureRow::manufacturer_id, id),
            EntityKind::Sculptor => self.figures.keys_where(FigureRow::sculptor_id, id),
            EntityKind::Series => {
                self.series.keys_where(FigureSeriesRow::series_id, id).into_iter().map(|key| key.0).collect()
            }
            EntityKind::Character => {
                let keys = self.characters.keys_where(FigureCharacterRow::character_id, id);
                keys.into_iter().map(|key| key.0).collect()
            }
            EntityKind::Store => Vec::new(),
        }
    }

    /// Where an entity is now: an event may still name one that was merged since.
    fn current(&self, id: EntityId) -> Uuid {
        self.names.get(&id.uuid()).and_then(|row| row.merged_into).unwrap_or_else(|| id.uuid())
    }

    /// The same for several, each once.
    fn all_current(&self, ids: &[EntityId]) -> Vec<Uuid> {
        let mut seen = BTreeSet::new();
        ids.iter().map(|id| self.current(*id)).filter(|id| seen.insert(*id)).collect()
    }

    fn refresh_all(&mut self, figures: Vec<Uuid>) -> Result<(), FoldError> {
        self.figures.prefetch(&figures);
        figures.into_iter().try_for_each(|id| self.refresh_search_text(id))
    }

    fn refresh_search_text(&mut self, id: Uuid) -> Result<(), FoldError> {
        let series = in_order(self.series.rows_where(FigureSeriesRow::figure_id, id), |row| row.position);
        let characters =
            in_order(self.characters.rows_where(FigureCharacterRow::figure_id, id), |row| row.position);
        let Some(figure) = self.figures.get(&id) else { return self.figures.change(&id, |_| ()) };
        let entities = (figure.manufacturer_id.into_iter())
            .chain(series.into_iter().map(|row| row.series_id))
            .chain(characters.into_iter().map(|row| row.character_id))
            .chain(figure.sculptor_id);
        let mut parts = vec![figure.name.as_str()];
        parts.extend(figure.version_name.as_deref());
        parts.extend(entities.filter_map(|id| self.names.get(&id)).map(|row| row.name.as_str()));
        parts.extend(figure.jan.as_deref());
        // The name on the box in its own script stands there; what follows is prose that nobody looks up.
        parts.extend(
            figure
                .description
                .as_deref()
                .and_then(|text| text.lines().next())
                .filter(|line| line.chars().count() <= LONGEST_SEARCHED_LINE),
        );
        let text = folded(&parts.join(" "));
        self.figures.change(&id, |row| row.search_text = text)
    }
}

/// A first line longer than a name can be is a description, and not searched.
const LONGEST_SEARCHED_LINE: usize = 300;

fn in_order<R: Clone>(rows: Vec<&R>, position: impl Fn(&R) -> i32) -> Vec<R> {
    let mut rows: Vec<R> = rows.into_iter().cloned().collect();
    rows.sort_by_key(position);
    rows
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
