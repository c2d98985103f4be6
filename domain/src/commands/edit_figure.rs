//! Correct a figure of the catalogue: its creator and admins may.

use super::catalogue_figure::{BuyLinkByName, buy_links_named, optional};
use super::check;
use super::finding::{
    entities_named, jan_taken, live_figure, mfc_id_taken, no_letters, release_code, take_code,
};
use crate::claim::ClaimCode;
use crate::dates::ReleaseDate;
use crate::entity::EntityKind;
use crate::figure::{Details, Edit, Figure, FigureCommand, FigureType};
use crate::gtin::Gtin;
use crate::ids::FigureId;
use crate::money::Money;
use crate::refusal::{Code, Refusal};
use crate::stream::Version;
use crate::text::{HttpUrl, Line, Name, Prose};
use crate::world::{Command, Stop, World};

/// Correct a figure. What is `None` stays as it is; `Some(None)` takes a fact away.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the fields are those of `Figure`, with names for ids")]
pub struct EditFigure {
    pub figure_id: FigureId,
    pub expected: Option<Version>,
    pub name: Option<Name>,
    pub figure_type: Option<FigureType>,
    pub manufacturer: Option<Option<Name>>,
    pub sculptor: Option<Option<Name>>,
    pub series: Option<Vec<Name>>,
    pub characters: Option<Vec<Name>>,
    pub scale: Option<Option<Line<40>>>,
    pub height_mm: Option<Option<i32>>,
    pub materials: Option<Option<Line<300>>>,
    pub version_name: Option<Option<Line<200>>>,
    pub edition: Option<Option<Line<200>>>,
    pub official_image_url: Option<Option<HttpUrl>>,
    pub description: Option<Option<Prose<10_000>>>,
    pub releases: Option<Vec<ReleaseDate>>,
    /// The first announced release; re-runs stay. With `releases` it is one of them.
    pub first_release: Option<Option<ReleaseDate>>,
    pub msrp: Option<Option<Money>>,
    pub jan: Option<Option<Gtin>>,
    pub mfc_id: Option<Option<i64>>,
    pub is_nsfw: Option<bool>,
    pub buy_links: Option<Vec<BuyLinkByName>>,
}

impl EditFigure {
    /// An edit that changes nothing yet.
    pub fn of(figure_id: FigureId) -> Self {
        Self {
            figure_id,
            expected: None,
            name: None,
            figure_type: None,
            manufacturer: None,
            sculptor: None,
            series: None,
            characters: None,
            scale: None,
            height_mm: None,
            materials: None,
            version_name: None,
            edition: None,
            official_image_url: None,
            description: None,
            releases: None,
            first_release: None,
            msrp: None,
            jan: None,
            mfc_id: None,
            is_nsfw: None,
            buy_links: None,
        }
    }

    /// The releases afterwards, if this edit says anything about them.
    fn releases(&self, now: &[ReleaseDate]) -> Option<Vec<ReleaseDate>> {
        let reruns = || now.iter().skip(1).copied().collect();
        match self.first_release {
            None => self.releases.clone(),
            Some(first) => {
                let mut releases = self.releases.clone().unwrap_or_else(reruns);
                releases.extend(first);
                Some(releases)
            }
        }
    }

    /// What the box would say afterwards, if this edit says anything about it.
    fn details(&self, now: &Details) -> Option<Details> {
        let mut details = now.clone();
        if let Some(v) = &self.scale {
            details.scale.clone_from(v);
        }
        if let Some(v) = self.height_mm {
            details.height_mm = v;
        }
        if let Some(v) = &self.materials {
            details.materials.clone_from(v);
        }
        if let Some(v) = &self.version_name {
            details.version_name.clone_from(v);
        }
        if let Some(v) = &self.edition {
            details.edition.clone_from(v);
        }
        if let Some(v) = &self.official_image_url {
            details.official_image_url.clone_from(v);
        }
        if let Some(v) = &self.description {
            details.description.clone_from(v);
        }
        (details != *now).then_some(details)
    }
}

/// Whether whoever asks may correct a figure: who added it, admins, and the operator.
pub(super) fn may_edit(world: &World, figure: &Figure) -> bool {
    let who = world.circumstances();
    who.actor.is_none() || who.is_admin || figure.created_by == who.actor
}

impl Command for EditFigure {
    type Answer = FigureId;
    const NAME: &'static str = "edit_figure";

    fn decide(&self, world: &mut World) -> Result<FigureId, Stop> {
        let live = live_figure(world, self.figure_id)?;
        let (id, figure) = (live.id, live.figure);
        if !may_edit(world, &figure) {
            return Err(Refusal::new(
                Code::NotAllowed,
                "only the person who added this figure and admins can change it",
            )
            .into());
        }
        check(self.expected, figure.version)?;
        if self.name.as_ref().is_some_and(|n| !n.as_str().chars().any(char::is_alphanumeric)) {
            return Err(no_letters("name").into());
        }
        if let Some(jan) = &self.jan
            && jan.as_ref().map(Gtin::normalised) != figure.jan.as_ref().map(Gtin::normalised)
        {
            if let Some(old) = &figure.jan {
                release_code(world, &ClaimCode::gtin(old), id)?;
            }
            if let Some(new) = jan {
                take_code(world, &ClaimCode::gtin(new), id, jan_taken())?;
            }
        }
        if let Some(mfc_id) = self.mfc_id
            && mfc_id != figure.mfc_id
        {
            if let Some(old) = figure.mfc_id {
                release_code(world, &ClaimCode::mfc(old), id)?;
            }
            if let Some(new) = mfc_id {
                take_code(world, &ClaimCode::mfc(new), id, mfc_id_taken())?;
            }
        }
        let manufacturer_id = match &self.manufacturer {
            Some(name) => Some(optional(world, EntityKind::Manufacturer, name, "manufacturer")?),
            None => None,
        };
        let sculptor_id = match &self.sculptor {
            Some(name) => Some(optional(world, EntityKind::Sculptor, name, "sculptor")?),
            None => None,
        };
        let series_ids = match &self.series {
            Some(names) => Some(entities_named(world, EntityKind::Series, names, "series")?),
            None => None,
        };
        let character_ids = match &self.characters {
            Some(names) => Some(entities_named(world, EntityKind::Character, names, "characters")?),
            None => None,
        };
        let buy_links = match &self.buy_links {
            Some(links) => Some(buy_links_named(world, links)?),
            None => None,
        };
        let edit = Edit {
            name: self.name.clone(),
            figure_type: self.figure_type.clone(),
            manufacturer_id,
            sculptor_id,
            series_ids,
            character_ids,
            details: self.details(&figure.details),
            releases: self.releases(&figure.releases),
            msrp: self.msrp,
            jan: self.jan.clone(),
            mfc_id: self.mfc_id,
            is_nsfw: self.is_nsfw,
            buy_links,
        };
        world.tell_figure(id, FigureCommand::Edit(Box::new(edit)))?;
        Ok(id)
    }
}
