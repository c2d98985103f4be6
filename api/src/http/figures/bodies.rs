//! What callers send of a figure, and the commands it becomes.

use domain::{
    commands::{BuyLinkByName, CatalogueFigure, EditFigure},
    dates::ReleaseDate,
    figure::{Details, FigureType},
    ids::FigureId,
    money::Money,
    refusal::Code,
    stream::Version,
    text::{HttpUrl, Line, Name, Prose},
};
use operational::figure_types::{self, TypeCode};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{
    change::{self, Change},
    given::{self, CURRENCY_MISSING, Given, INVALID_AMOUNT},
    problem::{INVALID_FIELD, Kind, Problem},
    state::AppState,
};

/// Most series, characters, releases or buy links of one figure.
pub const MOST: usize = 50;
/// The type of a figure that is added without one.
const UNTYPED: &str = "other";

/// The figure type is not on the list.
pub const UNKNOWN_FIGURE_TYPE: Kind =
    Kind::refusal(Code::UnknownFigureType, "there is no such figure type; see GET /api/figure-types")
        .on("figure_type");
/// A list is too long.
pub const TOO_MANY: Kind =
    Kind::refusal(Code::TooMany, "at most 50 series, characters, releases or buy links are kept");

/// A figure to add to the catalogue.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = example_new)]
pub struct NewFigure {
    /// 1 to 300 characters, with at least one letter or digit.
    #[schema(value_type = String, min_length = 1, max_length = 300)]
    name: Name,
    /// A code of `GET /api/figure-types`; `other` without.
    #[schema(example = "scale")]
    figure_type: Option<String>,
    /// The maker's name. It is made when nobody typed it before; spellings that differ in case, spacing or
    /// accents only are the same.
    #[schema(value_type = Option<String>, max_length = 300)]
    manufacturer: Option<Name>,
    /// The sculptor's name.
    #[schema(value_type = Option<String>, max_length = 300)]
    sculptor: Option<Name>,
    /// Names of anime, games or manga, at most 50.
    #[serde(default)]
    #[schema(value_type = Vec<String>, required = false, max_items = 50)]
    series: Vec<Name>,
    /// Names of characters, at most 50.
    #[serde(default)]
    #[schema(value_type = Vec<String>, required = false, max_items = 50)]
    characters: Vec<Name>,
    /// `1/7`, `non-scale` …
    #[schema(value_type = Option<String>, max_length = 40)]
    scale: Option<Line<40>>,
    /// Millimetres, 1 to 10,000.
    #[schema(minimum = 1, maximum = 10_000)]
    height_mm: Option<i32>,
    /// `PVC, ABS` …
    #[schema(value_type = Option<String>, max_length = 300)]
    materials: Option<Line<300>>,
    /// One announced release: `2027-05-20`, `2027-05` or `2027`.
    #[schema(value_type = Option<String>)]
    release_date: Option<Given>,
    /// `day`, `month` or `year`; as exact as the date is written without.
    #[schema(value_type = Option<String>, pattern = "^(day|month|year)$")]
    release_date_precision: Option<Given>,
    /// Every announced release, re-runs too, at most 50. A `release_date` beside it is one more of them.
    #[serde(default)]
    #[schema(required = false, max_items = 50)]
    releases: Vec<Release>,
    /// The list price, a decimal string. Needs `msrp_currency`.
    #[schema(value_type = Option<String>)]
    msrp_amount: Option<Given>,
    /// EUR, USD, JPY, GBP, CHF or CAD.
    #[schema(value_type = Option<String>, min_length = 3, max_length = 3)]
    msrp_currency: Option<Given>,
    /// The barcode, JAN/EAN-13, EAN-8 or UPC-A. No two figures have the same.
    #[schema(value_type = Option<String>)]
    jan: Option<Given>,
    /// `Racing Miku 2019 Ver.` …
    #[schema(value_type = Option<String>, max_length = 200)]
    version_name: Option<Line<200>>,
    /// `Limited`, `DX` …
    #[schema(value_type = Option<String>, max_length = 200)]
    edition: Option<Line<200>>,
    /// The maker's own picture: an http or https address.
    #[schema(value_type = Option<String>, format = "uri", max_length = 2000)]
    official_image_url: Option<HttpUrl>,
    /// At most 10,000 characters.
    #[schema(value_type = Option<String>, max_length = 10_000)]
    description: Option<Prose<10_000>>,
    /// The id on MyFigureCollection. No two figures have the same.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    mfc_id: Option<i64>,
    /// Whether it is an adult figure.
    #[serde(default)]
    is_nsfw: bool,
    /// Where it is sold, at most 50.
    #[serde(default)]
    #[schema(required = false, max_items = 50)]
    buy_links: Vec<NewBuyLink>,
}

/// An announced release.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewRelease, example = json!({"release_date": "2027-05", "release_date_precision": "month"}))]
pub struct Release {
    /// `2027-05-20`, `2027-05` or `2027`.
    #[schema(value_type = String)]
    release_date: Given,
    /// `day`, `month` or `year`; as exact as the date is written without.
    #[schema(value_type = Option<String>, pattern = "^(day|month|year)$")]
    release_date_precision: Option<Given>,
}

/// Where a figure is sold.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"store": "Harbour Hobby", "path": "/item/4711"}))]
pub struct NewBuyLink {
    /// The store's name. It is made when nobody typed it before.
    #[schema(value_type = String, max_length = 300)]
    store: Name,
    /// The page: a path within the store, or a whole http or https address.
    #[schema(value_type = String, max_length = 1000)]
    path: Line<1000>,
}

/// What to change of a figure; what is left out stays as it is, null empties.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"release_date": "2027-08", "scale": "1/7", "sculptor": null}))]
pub struct ChangeFigure {
    /// A new name. The slug stays.
    #[serde(default, deserialize_with = "change::not_null")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 300)]
    name: Option<Name>,
    /// A code of `GET /api/figure-types`.
    #[serde(default, deserialize_with = "change::not_null")]
    figure_type: Option<String>,
    /// The maker's name.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 300)]
    manufacturer: Change<Name>,
    /// The sculptor's name.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 300)]
    sculptor: Change<Name>,
    /// All series, at most 50.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, max_items = 50)]
    series: Change<Vec<Name>>,
    /// All characters, at most 50.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, max_items = 50)]
    characters: Change<Vec<Name>>,
    /// `1/7`, `non-scale` …
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 40)]
    scale: Change<Line<40>>,
    /// Millimetres, 1 to 10,000.
    #[serde(default)]
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 10_000)]
    height_mm: Change<i32>,
    /// `PVC, ABS` …
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 300)]
    materials: Change<Line<300>>,
    /// Takes the place of the first announced release; re-runs stay. Null takes the first one away, so that
    /// the figure shows the next, if there is one.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    release_date: Change<Given>,
    /// `day`, `month` or `year`; goes with `release_date`.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^(day|month|year)$")]
    release_date_precision: Change<Given>,
    /// Every announced release, at most 50. A `release_date` beside it is one more of them.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Release>>, max_items = 50)]
    releases: Change<Vec<Release>>,
    /// The list price; `msrp_amount` and `msrp_currency` are given together. Null takes the price away.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    msrp_amount: Change<Given>,
    /// EUR, USD, JPY, GBP, CHF or CAD.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 3, max_length = 3)]
    msrp_currency: Change<Given>,
    /// The barcode. The old one is free again.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    jan: Change<Given>,
    /// `Racing Miku 2019 Ver.` …
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 200)]
    version_name: Change<Line<200>>,
    /// `Limited`, `DX` …
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 200)]
    edition: Change<Line<200>>,
    /// The maker's own picture: an http or https address.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = "uri", max_length = 2000)]
    official_image_url: Change<HttpUrl>,
    /// At most 10,000 characters.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 10_000)]
    description: Change<Prose<10_000>>,
    /// The id on MyFigureCollection. The old one is free again.
    #[serde(default)]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 1_000_000_000)]
    mfc_id: Change<i64>,
    /// Whether it is an adult figure.
    #[serde(default, deserialize_with = "change::not_null")]
    is_nsfw: Option<bool>,
    /// Where it is sold, at most 50.
    #[serde(default)]
    #[schema(value_type = Option<Vec<NewBuyLink>>, max_items = 50)]
    buy_links: Change<Vec<NewBuyLink>>,
}

pub(super) fn example_new() -> Value {
    json!({
        "name": "Harbour Pilot Mina",
        "figure_type": "scale",
        "manufacturer": "Good Smile Company",
        "sculptor": "Aoi Hoshi",
        "series": ["Tides of Cobalt"],
        "characters": ["Mina"],
        "scale": "1/7",
        "height_mm": 240,
        "release_date": "2027-05",
        "msrp_amount": "19800",
        "msrp_currency": "JPY",
        "jan": "4580590123458",
        "buy_links": [{"store": "Harbour Hobby", "path": "/item/4711"}]
    })
}

impl NewFigure {
    /// The command. `figure_type` has been looked up by now.
    ///
    /// # Errors
    /// 422 with the field that does not hold what it should.
    pub(super) fn command(self, id: FigureId, figure_type: FigureType) -> Result<CatalogueFigure, Problem> {
        let first = first_release(self.release_date.as_ref(), self.release_date_precision.as_ref())?;
        let mut releases = read_releases(&self.releases)?;
        releases.extend(first);
        few(releases.len(), "releases")?;
        few(self.series.len(), "series")?;
        few(self.characters.len(), "characters")?;
        Ok(CatalogueFigure {
            figure_id: id,
            name: self.name,
            figure_type,
            manufacturer: self.manufacturer,
            sculptor: self.sculptor,
            series: self.series,
            characters: self.characters,
            details: Details {
                scale: self.scale,
                height_mm: self.height_mm,
                materials: self.materials,
                version_name: self.version_name,
                edition: self.edition,
                official_image_url: self.official_image_url,
                description: self.description,
            },
            releases,
            msrp: msrp(self.msrp_amount.as_ref(), self.msrp_currency.as_ref())?,
            jan: self.jan.map(|jan| jan.jan("jan")).transpose()?,
            mfc_id: self.mfc_id,
            is_nsfw: self.is_nsfw,
            buy_links: read_buy_links(self.buy_links)?,
            imported_as: None,
        })
    }

    /// The type to look up.
    pub(super) fn figure_type(&self) -> &str {
        self.figure_type.as_deref().unwrap_or(UNTYPED)
    }
}

impl ChangeFigure {
    /// The command. `figure_type` has been looked up by now.
    ///
    /// # Errors
    /// 422 with the field that does not hold what it should.
    pub(super) fn command(
        self,
        id: FigureId,
        expected: Option<Version>,
        figure_type: Option<FigureType>,
    ) -> Result<EditFigure, Problem> {
        let precision = self.release_date_precision.into_option().flatten();
        let first_release = match self.release_date {
            Change::Set(date) => Some(first_release(Some(&date), precision.as_ref())?),
            Change::Clear => Some(first_release(None, precision.as_ref())?),
            Change::Keep => first_release(None, precision.as_ref())?.map(Some),
        };
        let releases = or_empty(self.releases).map(|all| read_releases(&all)).transpose()?;
        if let Some(all) = &releases {
            few(all.len() + usize::from(first_release.flatten().is_some()), "releases")?;
        }
        let series = or_empty(self.series);
        few(series.as_ref().map_or(0, Vec::len), "series")?;
        let characters = or_empty(self.characters);
        few(characters.as_ref().map_or(0, Vec::len), "characters")?;
        let msrp = match (self.msrp_amount, self.msrp_currency) {
            (Change::Keep, Change::Keep) => None,
            (amount, currency) => Some(msrp(
                amount.into_option().flatten().as_ref(),
                currency.into_option().flatten().as_ref(),
            )?),
        };
        Ok(EditFigure {
            figure_id: id,
            expected,
            name: self.name,
            figure_type,
            manufacturer: self.manufacturer.into_option(),
            sculptor: self.sculptor.into_option(),
            series,
            characters,
            scale: self.scale.into_option(),
            height_mm: self.height_mm.into_option(),
            materials: self.materials.into_option(),
            version_name: self.version_name.into_option(),
            edition: self.edition.into_option(),
            official_image_url: self.official_image_url.into_option(),
            description: self.description.into_option(),
            releases,
            first_release,
            msrp,
            jan: self.jan.try_map(|jan| jan.jan("jan"))?.into_option(),
            mfc_id: self.mfc_id.into_option(),
            is_nsfw: self.is_nsfw,
            buy_links: or_empty(self.buy_links).map(read_buy_links).transpose()?,
        })
    }

    /// The type to look up.
    pub(super) fn figure_type(&self) -> Option<&str> {
        self.figure_type.as_deref()
    }
}

/// A code of the list of figure types; or `current`, since a figure keeps a type that was taken off the list.
///
/// # Errors
/// 422 `unknown_figure_type`; when the database does not answer.
pub(in crate::http) async fn known_type(
    state: &AppState,
    code: &str,
    current: Option<&str>,
) -> Result<FigureType, Problem> {
    let known: TypeCode = code.parse().map_err(|_no_code| UNKNOWN_FIGURE_TYPE)?;
    if current != Some(known.as_str()) && !figure_types::exists(&state.pool, &known).await? {
        return Err(UNKNOWN_FIGURE_TYPE.into());
    }
    FigureType::new(known.as_str()).map_err(|_too_long| UNKNOWN_FIGURE_TYPE.into())
}

/// A list that null empties.
fn or_empty<T>(list: Change<Vec<T>>) -> Option<Vec<T>> {
    list.into_option().map(Option::unwrap_or_default)
}

fn few(count: usize, field: &'static str) -> Result<(), Problem> {
    if count > MOST {
        return Err(Problem::from(TOO_MANY).detail(format!("{field} has at most {MOST} items")).field(field));
    }
    Ok(())
}

fn first_release(date: Option<&Given>, precision: Option<&Given>) -> Result<Option<ReleaseDate>, Problem> {
    given::release(date, precision, ("release_date", "release_date_precision"))
}

fn read_releases(releases: &[Release]) -> Result<Vec<ReleaseDate>, Problem> {
    few(releases.len(), "releases")?;
    let mut read = Vec::with_capacity(releases.len());
    for (at, one) in releases.iter().enumerate() {
        let release = first_release(Some(&one.release_date), one.release_date_precision.as_ref())
            .map_err(|problem| problem.within(format_args!("releases[{at}]")))?;
        read.extend(release);
    }
    Ok(read)
}

fn msrp(amount: Option<&Given>, currency: Option<&Given>) -> Result<Option<Money>, Problem> {
    let amount = amount.map(|given| given.amount("msrp_amount")).transpose()?;
    let currency = currency.map(|given| given.currency("msrp_currency")).transpose()?;
    match (amount, currency) {
        (None, None) => Ok(None),
        (Some(amount), Some(currency)) => Money::new(amount, currency)
            .map(Some)
            .map_err(|error| Problem::from(INVALID_AMOUNT).detail(error.to_string()).field("msrp_amount")),
        (Some(_), None) => Err(Problem::from(CURRENCY_MISSING).field("msrp_currency")),
        (None, Some(_)) => Err(Problem::from(CURRENCY_MISSING)
            .detail("a currency needs the amount it is of beside it")
            .field("msrp_amount")),
    }
}

fn read_buy_links(links: Vec<NewBuyLink>) -> Result<Vec<BuyLinkByName>, Problem> {
    few(links.len(), "buy_links")?;
    let mut read: Vec<BuyLinkByName> = Vec::with_capacity(links.len());
    for (at, link) in links.into_iter().enumerate() {
        // People follow these links, so nothing that a browser would run.
        if has_scheme(link.path.as_str())
            && let Err(error) = HttpUrl::new(link.path.as_str())
        {
            let field = format!("buy_links[{at}].path");
            return Err(Problem::from(INVALID_FIELD).detail(error.to_string()).field(field));
        }
        let link = BuyLinkByName { store: link.store, path: link.path };
        if !read.contains(&link) {
            read.push(link);
        }
    }
    Ok(read)
}

/// Whether a browser would take the text for a whole address: `https:…`, but also `javascript:…`.
fn has_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'.' | b'-'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_browser_would_take_for_an_address_has_a_scheme() {
        for address in ["https://a.example/x", "javascript:alert(1)", "DATA:text/html,x", "a+b:c"] {
            assert!(has_scheme(address), "{address}");
        }
        for path in ["/item/4711", "item?at=12:30", "/a:b", "商品:1", ":x", "4711"] {
            assert!(!has_scheme(path), "{path}");
        }
    }
}
