//! Add a figure to the catalogue, with its maker, series, characters, sculptor and stores by name.

use super::finding::{
    code_holder, entities_named, entity_named, jan_taken, mfc_id_taken, no_letters, take_code,
};
use crate::claim::ClaimCode;
use crate::dates::ReleaseDate;
use crate::entity::EntityKind;
use crate::figure::{BuyLink, Details, Entry, FigureCommand, FigureType};
use crate::gtin::Gtin;
use crate::ids::FigureId;
use crate::money::Money;
use crate::slug::{figure_slug, slugify};
use crate::stream::StreamId;
use crate::text::{Line, Name};
use crate::world::{Command, Stop, World};
use serde::{Deserialize, Serialize};

/// A buy link whose store is a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuyLinkByName {
    /// The store's name.
    pub store: Name,
    /// The page: a path or a whole address.
    pub path: Line<1000>,
}

/// Add a figure.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the fields are those of `Figure`, with names for ids")]
pub struct CatalogueFigure {
    pub figure_id: FigureId,
    pub name: Name,
    /// A code of the list of figure types; the caller has checked that.
    pub figure_type: FigureType,
    pub manufacturer: Option<Name>,
    pub sculptor: Option<Name>,
    pub series: Vec<Name>,
    pub characters: Vec<Name>,
    pub details: Details,
    pub releases: Vec<ReleaseDate>,
    pub msrp: Option<Money>,
    pub jan: Option<Gtin>,
    pub mfc_id: Option<i64>,
    pub is_nsfw: bool,
    pub buy_links: Vec<BuyLinkByName>,
    /// Where an import found it: with the same line and number again, nothing is added.
    pub imported_as: Option<(Line<60>, Line<60>)>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalogued {
    /// The figure.
    pub figure_id: FigureId,
    /// Whether an earlier import had added it already.
    pub existed: bool,
}

impl CatalogueFigure {
    /// A figure of which nothing else is known, to be filled in.
    pub fn named(figure_id: FigureId, name: Name, figure_type: FigureType) -> Self {
        Self {
            figure_id,
            name,
            figure_type,
            manufacturer: None,
            sculptor: None,
            series: Vec::new(),
            characters: Vec::new(),
            details: Details::default(),
            releases: Vec::new(),
            msrp: None,
            jan: None,
            mfc_id: None,
            is_nsfw: false,
            buy_links: Vec::new(),
            imported_as: None,
        }
    }

    /// The streams it will ask for in any case, to be loaded together.
    pub fn streams(&self) -> Vec<StreamId> {
        let names = [(EntityKind::Manufacturer, &self.manufacturer), (EntityKind::Sculptor, &self.sculptor)]
            .into_iter()
            .filter_map(|(kind, name)| Some((kind, name.as_ref()?)))
            .chain(self.series.iter().map(|n| (EntityKind::Series, n)))
            .chain(self.characters.iter().map(|n| (EntityKind::Character, n)))
            .chain(self.buy_links.iter().map(|l| (EntityKind::Store, &l.store)));
        let claims = names
            .filter_map(|(kind, name)| Some(ClaimCode::slug(kind, &slugify(name.as_str())?)))
            .chain(self.imported_as.iter().map(|(l, n)| ClaimCode::import(l.as_str(), n.as_str())))
            .chain(self.jan.iter().map(ClaimCode::gtin))
            .chain(self.mfc_id.iter().map(|id| ClaimCode::mfc(*id)));
        claims.map(StreamId::Claim).chain([StreamId::Figure(self.figure_id)]).collect()
    }
}

impl Command for CatalogueFigure {
    type Answer = Catalogued;
    const NAME: &'static str = "catalogue_figure";

    fn decide(&self, world: &mut World) -> Result<Catalogued, Stop> {
        let figure_id = self.figure_id;
        let import = self.imported_as.as_ref().map(|(l, n)| ClaimCode::import(l.as_str(), n.as_str()));
        if let Some(code) = &import {
            if let Some(figure_id) = code_holder(world, code)? {
                return Ok(Catalogued { figure_id, existed: true });
            }
            take_code(world, code, figure_id, jan_taken())?;
        }
        if let Some(jan) = &self.jan {
            take_code(world, &ClaimCode::gtin(jan), figure_id, jan_taken())?;
        }
        if let Some(mfc_id) = self.mfc_id {
            take_code(world, &ClaimCode::mfc(mfc_id), figure_id, mfc_id_taken())?;
        }
        let manufacturer_id = optional(world, EntityKind::Manufacturer, &self.manufacturer, "manufacturer")?;
        let sculptor_id = optional(world, EntityKind::Sculptor, &self.sculptor, "sculptor")?;
        let series_ids = entities_named(world, EntityKind::Series, &self.series, "series")?;
        let character_ids = entities_named(world, EntityKind::Character, &self.characters, "characters")?;
        let buy_links = buy_links_named(world, &self.buy_links)?;
        if !self.name.as_str().chars().any(char::is_alphanumeric) {
            return Err(no_letters("name").into());
        }
        let created_by = world.circumstances().actor;
        let entry = Entry {
            figure_id,
            slug: figure_slug(self.name.as_str(), figure_id.uuid()),
            name: self.name.clone(),
            figure_type: self.figure_type.clone(),
            manufacturer_id,
            sculptor_id,
            series_ids,
            character_ids,
            details: self.details.clone(),
            releases: self.releases.clone(),
            msrp: self.msrp,
            jan: self.jan.clone(),
            mfc_id: self.mfc_id,
            is_nsfw: self.is_nsfw,
            buy_links,
            created_by,
            source: self
                .imported_as
                .as_ref()
                .and_then(|(line, number)| Line::new(&format!("{line}:{number}")).ok()),
        };
        world.tell_figure(figure_id, FigureCommand::Catalogue(Box::new(entry)))?;
        Ok(Catalogued { figure_id, existed: false })
    }
}

/// The entity of an optional name.
pub(super) fn optional(
    world: &mut World,
    kind: EntityKind,
    name: &Option<Name>,
    field: &'static str,
) -> Result<Option<crate::ids::EntityId>, Stop> {
    name.as_ref().map(|n| entity_named(world, kind, n, field)).transpose()
}

/// Buy links with their stores' ids.
pub(super) fn buy_links_named(world: &mut World, links: &[BuyLinkByName]) -> Result<Vec<BuyLink>, Stop> {
    let mut named = Vec::with_capacity(links.len());
    for link in links {
        let store_id = entity_named(world, EntityKind::Store, &link.store, "buy_links")?;
        named.push(BuyLink { store_id, path: link.path.clone() });
    }
    Ok(named)
}
