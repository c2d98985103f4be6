//! What a source says of a figure, read into what the catalogue keeps. What cannot be kept is left out and told.

use super::proposal::{Remark, Unusable};
use crate::imports::kind::guess;
use crate::imports::mfc::day;
use domain::commands::CatalogueFigure;
use domain::dates::ReleaseDate;
use domain::figure::{Details, FigureType};
use domain::gtin::Gtin;
use domain::ids::FigureId;
use domain::slug::slugify;
use domain::text::{HttpUrl, Line, Name, Prose};
use std::fmt::Display;
use uuid::Uuid;

/// Most series, characters or releases of one figure.
pub(super) const MOST: usize = 50;
/// The tallest figure, in millimetres.
const TALLEST: i32 = 10_000;

/// What any source may say of a figure, as text.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub title: String,
    pub manufacturer: Option<String>,
    pub sculptor: Option<String>,
    pub series: Vec<String>,
    pub characters: Vec<String>,
    pub scale: Option<String>,
    pub height_mm: Option<String>,
    pub materials: Option<String>,
    pub version: Option<String>,
    pub description: Option<String>,
    pub image: Option<String>,
    pub releases: Vec<ReleaseDate>,
    pub jan: Option<String>,
    pub mfc_id: Option<i64>,
    pub category: String,
    pub is_nsfw: bool,
}

/// Takes texts in and notes what had to be left out.
#[derive(Default)]
pub(super) struct Reader {
    pub remarks: Vec<Remark>,
}

impl Reader {
    pub fn left_out(&mut self, field: &'static str, code: &'static str, why: impl Display) {
        self.remarks.push(Remark { field, code, detail: format!("{field} was left out: {why}") });
    }

    fn line<const MAX: usize>(&mut self, field: &'static str, text: Option<String>) -> Option<Line<MAX>> {
        let text = one_line(&text?);
        if text.is_empty() {
            return None;
        }
        Line::new(&text).map_err(|error| self.left_out(field, "not_kept", error)).ok()
    }

    /// A name that an entity can be made of.
    pub fn name(&mut self, field: &'static str, text: Option<String>) -> Option<Name> {
        let name: Name = self.line(field, text)?;
        if slugify(name.as_str()).is_none() {
            self.left_out(field, "not_kept", "a name needs at least one letter or digit");
            return None;
        }
        Some(name)
    }

    fn names(&mut self, field: &'static str, texts: Vec<String>) -> Vec<Name> {
        let mut names: Vec<Name> = Vec::new();
        for text in texts {
            let Some(name) = self.name(field, Some(text)) else { continue };
            if names.len() == MOST {
                self.left_out(field, "too_many", format_args!("more than {MOST}"));
                break;
            }
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    fn height(&mut self, text: Option<String>) -> Option<i32> {
        let text = one_line(&text?).to_lowercase();
        let number = text.trim_end_matches("mm").trim();
        if number.is_empty() {
            return None;
        }
        let height = number.parse::<i32>().ok().filter(|mm| (1..=TALLEST).contains(mm));
        if height.is_none() {
            let why = format!("{:?} is no height in whole millimetres", shortened(&text));
            self.left_out("height_mm", "not_kept", why);
        }
        height
    }

    /// A picture's address; one that begins with the host has the scheme of today.
    fn picture(&mut self, text: Option<String>) -> Option<HttpUrl> {
        let text = text?.trim().to_owned();
        let whole = if text.starts_with("//") { format!("https:{text}") } else { text };
        if whole.is_empty() {
            return None;
        }
        HttpUrl::new(&whole).map_err(|error| self.left_out("official_image_url", "not_kept", error)).ok()
    }

    pub fn release(&mut self, text: Option<String>) -> Option<ReleaseDate> {
        let text = one_line(&text?);
        // A time of day is no matter of a release.
        let text = text.split(['T', ' ']).next().unwrap_or_default();
        day::read(text).map_err(|error| self.left_out("release_date", "not_kept", error)).ok().flatten()
    }

    /// The figure of some facts. Its list price, links and import code are for the caller to add.
    ///
    /// # Errors
    /// `NoTitle`.
    pub fn figure(
        &mut self,
        facts: Facts,
        figure_type: Option<FigureType>,
        types: &[String],
    ) -> Result<CatalogueFigure, Unusable> {
        let title: String = one_line(&facts.title).chars().take(300).collect();
        if slugify(&title).is_none() {
            return Err(Unusable::NoTitle);
        }
        let name = Name::new(&title).map_err(|_error| Unusable::NoTitle)?;
        let scale = self.line("scale", facts.scale);
        let guessed = guess(name.as_str(), &facts.category, scale.as_ref().map(Line::as_str), types);
        let jan = facts.jan.map(|jan| jan.trim().to_owned()).filter(|jan| !jan.is_empty());
        let jan = jan
            .and_then(|jan| Gtin::new(&jan).map_err(|error| self.left_out("jan", "invalid_jan", error)).ok());
        Ok(CatalogueFigure {
            figure_id: FigureId(Uuid::now_v7()),
            name,
            figure_type: match figure_type {
                Some(figure_type) => figure_type,
                None => guessed.map_err(|_error| Unusable::NoTitle)?,
            },
            manufacturer: self.name("manufacturer", facts.manufacturer),
            sculptor: self.name("sculptor", facts.sculptor),
            series: self.names("series", facts.series),
            characters: self.names("characters", facts.characters),
            details: Details {
                scale,
                height_mm: self.height(facts.height_mm),
                materials: self.line("materials", facts.materials),
                version_name: self.line("version_name", facts.version),
                edition: None,
                official_image_url: self.picture(facts.image),
                description: facts.description.and_then(|text| prose(&text)),
            },
            releases: facts.releases,
            msrp: None,
            jan,
            mfc_id: facts.mfc_id,
            is_nsfw: facts.is_nsfw,
            buy_links: Vec::new(),
            imported_as: None,
        })
    }
}

/// A text without control characters, and with single blanks.
pub(super) fn one_line(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text of several lines without other control characters, cut where it is too long.
fn prose(text: &str) -> Option<Prose<10_000>> {
    let plain: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    let cut: String = plain.trim().chars().take(10_000).collect();
    Prose::new(&cut).ok()
}

pub(super) fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}
