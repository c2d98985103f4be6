//! Figures of the catalogue that an imported one may be.
//!
//! A wrong match puts the wrong figure on a shelf, a missed one doubles an entry that can be merged. So what is nine
//! tenths alike is offered, and only what differs in nothing but spelling is taken without asking.

use crate::imports::mfc::names::{Difference, Title};
use domain::commands::CatalogueFigure;
use domain::ids::FigureId;
use domain::slug::slugify;
use domain::text::{Line, folded};
use projections::figures::queries::{self, Resembling};
use sqlx::PgPool;

/// How many are offered.
const MOST: usize = 10;

/// By what a figure was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// The same barcode.
    Jan,
    /// The same number on MyFigureCollection.
    MfcId,
    /// A title that is at least nine tenths the same.
    Title,
}

impl By {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jan => "jan",
            Self::MfcId => "mfc_id",
            Self::Title => "title",
        }
    }
}

/// A figure that may be the imported one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// The figure.
    pub figure_id: FigureId,
    /// By what it was found.
    pub by: By,
    /// How alike they are, in hundredths: 90 to 100.
    pub percent: u8,
    /// How they differ.
    pub difference: Difference,
}

/// Those that may be the figure, the likeliest first; at most ten.
///
/// # Errors
/// When the database does not answer.
pub async fn candidates(pool: &PgPool, figure: &CatalogueFigure) -> sqlx::Result<Vec<Candidate>> {
    let mut found = Vec::new();
    let exactly =
        |id, by| Candidate { figure_id: FigureId(id), by, percent: 100, difference: Difference::Spelling };
    if let Some(jan) = &figure.jan
        && let Some(there) = queries::find_by_jan(pool, jan, projections::views::Viewer::default()).await?
    {
        found.push(exactly(there.card.id, By::Jan));
    }
    if let Some(id) = figure.mfc_id
        && let Some(there) = queries::find_by_mfc_id(pool, id, projections::views::Viewer::default()).await?
    {
        found.push(exactly(there.card.id, By::MfcId));
    }
    let wanted = Wanted::of(figure);
    let version = figure.details.version_name.as_ref().map(Line::as_str);
    let titled = queries::resembling(pool, figure.name.as_str(), version).await?;
    let mut titled: Vec<Candidate> = titled.iter().filter_map(|one| wanted.candidate(one)).collect();
    titled.sort_by_key(|one| (one.difference, std::cmp::Reverse(one.percent)));
    found.extend(titled);
    let mut seen = std::collections::HashSet::new();
    found.retain(|one| seen.insert(one.figure_id));
    found.truncate(MOST);
    Ok(found)
}

/// What is compared of the figure to be imported.
struct Wanted<'a> {
    figure: &'a CatalogueFigure,
    titles: Vec<Title>,
    maker: Option<Title>,
}

/// A title as it stands, with the version where it does not say it, and both without the makers' names.
fn titles(name: &str, version: Option<&str>, makers: &[&Title]) -> Vec<Title> {
    let said = |version: &&str| !folded(name).contains(&folded(version));
    let whole = match version.filter(said) {
        Some(version) => Title::new(&format!("{name} {version}")),
        None => Title::new(name),
    };
    let shorter: Vec<Title> = makers.iter().filter_map(|maker| whole.without(maker)).collect();
    std::iter::once(whole).chain(shorter).collect()
}

impl<'a> Wanted<'a> {
    fn of(figure: &'a CatalogueFigure) -> Self {
        let maker = figure.manufacturer.as_ref().map(|maker| Title::new(maker.as_str()));
        let version = figure.details.version_name.as_ref().map(Line::as_str);
        let makers: Vec<&Title> = maker.iter().collect();
        let titles = titles(figure.name.as_str(), version, &makers);
        Self { figure, titles, maker }
    }

    fn candidate(&self, one: &Resembling) -> Option<Candidate> {
        let other_code = |a: Option<String>, b: Option<String>| a.is_some() && b.is_some() && a != b;
        let figure = self.figure;
        if other_code(figure.jan.as_ref().map(domain::gtin::Gtin::normalised), one.gtin.clone())
            || other_code(figure.mfc_id.map(|id| id.to_string()), one.mfc_id.map(|id| id.to_string()))
        {
            return None;
        }
        let theirs = one.manufacturer.as_deref().map(Title::new);
        let makers: Vec<&Title> = self.maker.iter().chain(&theirs).collect();
        let there = titles(&one.name, one.version_name.as_deref(), &makers);
        let bare: Vec<Title> =
            theirs.iter().filter_map(|maker| self.titles.first()?.without(maker)).collect();
        let (percent, mut difference) = self
            .titles
            .iter()
            .chain(&bare)
            .flat_map(|mine| there.iter().filter_map(|title| mine.likeness(title)))
            .min_by_key(|(percent, difference)| (*difference, std::cmp::Reverse(*percent)))?;
        let scale = figure.details.scale.as_ref().map(|scale| folded(scale.as_str()));
        if other_code(scale, one.scale.as_deref().map(folded)) {
            difference = Difference::Edition;
        }
        if difference == Difference::Spelling && self.is_of_another_maker(one) {
            difference = Difference::Unsure;
        }
        Some(Candidate { figure_id: FigureId(one.id), by: By::Title, percent, difference })
    }

    /// Whether both name their makers, and neither name begins the other: Good Smile is Good Smile Company.
    fn is_of_another_maker(&self, one: &Resembling) -> bool {
        let slug = |name: &str| slugify(name).unwrap_or_default();
        match (&self.figure.manufacturer, &one.manufacturer) {
            (Some(mine), Some(theirs)) => {
                let (mine, theirs) = (slug(mine.as_str()), slug(theirs));
                !mine.starts_with(&theirs) && !theirs.starts_with(&mine)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::figure::Details;
    use domain::text::Name;
    use uuid::Uuid;

    fn figure(
        name: &str,
        maker: Option<&str>,
        version: Option<&str>,
        scale: Option<&str>,
    ) -> CatalogueFigure {
        CatalogueFigure {
            figure_id: FigureId(Uuid::nil()),
            name: Name::new(name).unwrap(),
            figure_type: Line::new("scale").unwrap(),
            manufacturer: maker.map(|maker| Name::new(maker).unwrap()),
            sculptor: None,
            series: vec![],
            characters: vec![],
            details: Details {
                version_name: version.map(|version| Line::new(version).unwrap()),
                scale: scale.map(|scale| Line::new(scale).unwrap()),
                ..Details::default()
            },
            releases: vec![],
            msrp: None,
            jan: None,
            mfc_id: None,
            is_nsfw: false,
            buy_links: vec![],
            imported_as: None,
        }
    }
    fn there(name: &str, maker: Option<&str>, version: Option<&str>, scale: Option<&str>) -> Resembling {
        Resembling {
            id: Uuid::from_u128(1),
            name: name.to_owned(),
            version_name: version.map(str::to_owned),
            scale: scale.map(str::to_owned),
            gtin: None,
            mfc_id: None,
            manufacturer: maker.map(str::to_owned),
        }
    }
    fn difference(a: &CatalogueFigure, b: &Resembling) -> Option<Difference> {
        Wanted::of(a).candidate(b).map(|one| one.difference)
    }

    #[test]
    fn a_makers_name_in_a_title_does_not_matter_and_a_version_does() {
        let same = Some(Difference::Spelling);
        let maris = figure("Tidewater Figures Maris: Storm Lantern", None, None, None);
        assert_eq!(
            difference(&maris, &there("Maris: Storm Lantern", Some("Tidewater Figures"), None, None)),
            same
        );
        let maris = figure("Maris: Storm Lantern (Tidewater)", Some("Tidewater"), None, None);
        assert_eq!(
            difference(&maris, &there("Maris: Storm Lantern", Some("Tidewater Inc"), None, None)),
            same
        );
        let dusk = figure("Maris: Storm Lantern", None, Some("Dusk Ver."), None);
        assert_eq!(difference(&dusk, &there("Maris: Storm Lantern Dusk Ver.", None, None, None)), same);
        assert_eq!(difference(&dusk, &there("Maris: Storm Lantern", None, None, None)), None);
    }

    #[test]
    fn another_maker_makes_unsure_and_another_scale_makes_another_figure() {
        let maris = figure("Maris: Storm Lantern", Some("Tidewater"), None, Some("1/7"));
        let other = there("Maris: Storm Lantern", Some("Paper Crane"), None, None);
        assert_eq!(difference(&maris, &other), Some(Difference::Unsure));
        let other = there("Maris: Storm Lantern", None, None, Some("1/4"));
        assert_eq!(difference(&maris, &other), Some(Difference::Edition));
    }

    #[test]
    fn another_code_is_another_figure() {
        let mut maris = figure("Maris: Storm Lantern", None, None, None);
        let mut other = there("Maris: Storm Lantern", None, None, None);
        other.mfc_id = Some(12);
        assert_eq!(difference(&maris, &other), Some(Difference::Spelling));
        maris.mfc_id = Some(13);
        assert_eq!(difference(&maris, &other), None);
    }
}
