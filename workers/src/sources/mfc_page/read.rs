//! From a document to the facts of a figure.

use super::super::facts::{Facts, Reader};
use super::super::links::mfc_id_of;
use super::super::proposal::{Proposal, Unusable, prices_in};
use super::NotAPage;
use super::words::{INTRODUCE_ROLES, MANUFACTURER, SCULPTOR, label_of};
use crate::imports::mfc::day;
use chrono::NaiveDate;
use domain::commands::ImportProduct;
use domain::dates::{Precision, ReleaseDate};
use domain::figure::FigureType;
use domain::gtin::Gtin;
use domain::money::rates::RateTable;
use domain::text::{Line, folded};
use rust_decimal::Decimal;
use scraper::{ElementRef, Html, Node};
use std::collections::HashMap;

/// Characters of one value that are looked at.
const LONGEST: usize = 2_000;
/// Pieces of one value that are looked at.
const MOST_PARTS: usize = 200;
/// How many labels that are known make a page an item, where it does not say which.
const ENOUGH: usize = 3;

/// The classes that labels and their values have, in each of the site's layouts.
const LAYOUTS: [(&str, &str); 2] = [("data-label", "data-value"), ("form-label", "form-input")];

/// A link or a piece of text in a value, in the order of the page.
enum Part {
    Link(String),
    Text(String),
}

/// The values of a page, by their labels.
struct Fields<'a> {
    values: HashMap<&'static str, Vec<ElementRef<'a>>>,
    /// Whether a label is in another language than English.
    is_foreign: bool,
}

impl<'a> Fields<'a> {
    fn of(page: &'a Html) -> Self {
        let mut fields = Self { values: HashMap::new(), is_foreign: false };
        for label in page.root_element().descendent_elements() {
            let classes = || label.value().classes();
            let Some((_, value)) = LAYOUTS.iter().find(|(class, _)| classes().any(|one| one == *class))
            else {
                continue;
            };
            let Some((known, is_foreign)) = label_of(&folded(&text_of(label))) else { continue };
            let value = label
                .next_siblings()
                .take(MOST_PARTS)
                .filter_map(ElementRef::wrap)
                .find(|one| one.value().classes().any(|class| class == *value));
            if let Some(value) = value {
                fields.is_foreign |= is_foreign;
                let values = fields.values.entry(known).or_default();
                if values.len() < MOST_PARTS {
                    values.push(value);
                }
            }
        }
        fields
    }

    fn all(&self, label: &str) -> impl Iterator<Item = ElementRef<'a>> + use<'a, '_> {
        self.values.get(label).into_iter().flatten().copied()
    }

    fn text(&self, label: &str) -> Option<String> {
        self.all(label).next().map(text_of).filter(|text| !text.is_empty())
    }

    fn parts(&self, label: &str) -> Vec<Part> {
        self.all(label).flat_map(parts_of).collect()
    }

    /// The links of a label, or its text between commas where it has none.
    fn names(&self, label: &str) -> Vec<String> {
        let links: Vec<String> = self.roles(label).into_iter().map(|(name, _)| name).collect();
        if !links.is_empty() {
            return links;
        }
        let text = self.text(label).unwrap_or_default();
        text.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
    }

    /// Each link with what stands between it and the next: `As Manufacturer`.
    fn roles(&self, label: &str) -> Vec<(String, String)> {
        let mut roles: Vec<(String, String)> = Vec::new();
        for part in self.parts(label) {
            match part {
                Part::Link(name) if !name.is_empty() => roles.push((name, String::new())),
                Part::Link(_) => {}
                Part::Text(text) => {
                    if let Some((_, role)) = roles.last_mut() {
                        role.push(' ');
                        role.push_str(&folded(&text));
                    }
                }
            }
        }
        roles
    }

    /// Whoever has a role, by any of its names; without any roles the first.
    fn in_role(&self, label: &str, role: &[&str]) -> Option<String> {
        let all = self.roles(label);
        let says = |said: &str, any: &[&str]| any.iter().any(|word| said.contains(word));
        let none_said = all.iter().all(|(_, said)| !says(said, INTRODUCE_ROLES));
        let found = all.iter().find(|(_, said)| says(said, role)).map(|(name, _)| name.clone());
        found.or_else(|| if none_said { self.names(label).into_iter().next() } else { None })
    }
}

/// What a document proposes.
///
/// # Errors
/// [`NotAPage`].
pub(super) fn proposal(
    page: &Html,
    figure_type: Option<FigureType>,
    types: &[String],
    rates: Option<&RateTable>,
) -> Result<Proposal, NotAPage> {
    let head = Head::of(page);
    let fields = Fields::of(page);
    if head.elsewhere || (head.mfc_id.is_none() && fields.values.len() < ENOUGH) {
        return Err(NotAPage::NotAnItem);
    }
    let title = head.title.ok_or(NotAPage::Unusable(Unusable::NoTitle))?;
    let (title, marked) = crate::imports::mfc::without_mark(&title);
    let dimensions = [fields.text("scale"), fields.text("dimension")].into_iter().flatten();
    let dimensions = dimensions.collect::<Vec<_>>().join(" ");
    let told: Vec<String> = ["release", "jan", "barcode", "price"]
        .into_iter()
        .flat_map(|label| fields.parts(label))
        .map(|part| match part {
            Part::Link(text) | Part::Text(text) => text,
        })
        .collect();
    let rating = fields.text("rating").unwrap_or_default();
    let mut reader = Reader::default();
    let facts = Facts {
        title: title.to_owned(),
        manufacturer: fields.in_role("compan", MANUFACTURER),
        sculptor: fields.in_role("artist", SCULPTOR),
        series: fields.names("origin").into_iter().filter(|name| folded(name) != "original").collect(),
        characters: fields.names("character"),
        scale: scale_in(&dimensions),
        height_mm: height_in(&dimensions),
        materials: fields.text("material"),
        version: Some(fields.names("version").join(" / ")),
        description: None,
        image: head.image,
        releases: releases_in(&told, fields.is_foreign),
        jan: told
            .iter()
            .flat_map(|text| text.split_whitespace())
            .find(|text| Gtin::new(text).is_ok())
            .map(str::to_owned),
        mfc_id: head.mfc_id,
        category: [fields.text("category"), fields.text("classification")].into_iter().flatten().collect(),
        is_nsfw: marked || head.is_adult || rating.contains("18+"),
    };
    let mut figure = reader.figure(facts, figure_type, types)?;
    let mut original = None;
    let whole = fields.text("price");
    let prices = whole.iter().chain(&told).filter_map(|text| prices_in(text, rates).transpose());
    let (good, bad): (Vec<_>, Vec<_>) = prices.partition(Result::is_ok);
    match good.into_iter().chain(bad).next() {
        Some(Ok((money, asked))) => {
            figure.msrp = Some(money);
            original = asked;
        }
        Some(Err(why)) => reader.left_out("msrp_amount", "not_kept", why),
        None => {}
    }
    let source = match (figure.mfc_id, &figure.jan) {
        (Some(id), _) => format!("mfc:{id}"),
        (None, Some(jan)) => format!("jan:{}", jan.normalised()),
        (None, None) => "mfc:pasted".to_owned(),
    };
    let version = figure.details.version_name.clone();
    Ok(Proposal {
        product: ImportProduct { figure, seen: None, resembles: None },
        original,
        versions: Vec::new(),
        version,
        remarks: reader.remarks,
        source: Line::new(&source).map_err(|_error| NotAPage::NotAnItem)?,
    })
}

/// What a page says of itself.
#[derive(Default)]
struct Head {
    title: Option<String>,
    image: Option<String>,
    mfc_id: Option<i64>,
    /// Whether it says that it is a page of another site.
    elsewhere: bool,
    is_adult: bool,
}

impl Head {
    fn of(page: &Html) -> Self {
        let mut head = Self::default();
        let (mut heading, mut shared, mut titled) = (None, None, None);
        for one in page.root_element().descendent_elements() {
            let attribute = |name: &str| one.attr(name).unwrap_or_default();
            match one.value().name() {
                "h1" if heading.is_none() => heading = Some(text_of(one)).filter(|text| !text.is_empty()),
                "title" if titled.is_none() => titled = Some(text_of(one)),
                "link" if attribute("rel").eq_ignore_ascii_case("canonical") => head.is_at(attribute("href")),
                "meta" => match attribute("property") {
                    "og:url" => head.is_at(attribute("content")),
                    "og:title" => shared = Some(cut(attribute("content"))),
                    "og:image" => head.image = Some(cut(attribute("content"))),
                    _ if attribute("name").eq_ignore_ascii_case("rating") => {
                        head.is_adult |= attribute("content").eq_ignore_ascii_case("adult");
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        let titled = titled.map(|title: String| title.split(" | ").next().unwrap_or_default().to_owned());
        head.title = heading.or(shared).or(titled).filter(|title| !title.trim().is_empty());
        head
    }

    fn is_at(&mut self, address: &str) {
        let Ok(url) = address.trim().parse() else { return };
        match mfc_id_of(&url) {
            Some(id) => self.mfc_id = self.mfc_id.or(Some(id)),
            None => self.elsewhere |= self.mfc_id.is_none(),
        }
    }
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

/// All text below an element, but no scripts and styles, with single blanks.
fn text_of(element: ElementRef<'_>) -> String {
    let mut text = String::new();
    for node in element.descendants().take(MOST_PARTS * 20) {
        let Some(said) = node.value().as_text() else { continue };
        if !is_script(node.parent().map(|parent| parent.value())) {
            text.push_str(said);
        }
        if text.len() > LONGEST {
            break;
        }
    }
    cut(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn is_script(node: Option<&Node>) -> bool {
    let name = node.and_then(Node::as_element).map(|element| element.name());
    matches!(name, Some("script" | "style" | "template" | "noscript"))
}

fn parts_of(value: ElementRef<'_>) -> Vec<Part> {
    let mut parts = Vec::new();
    for node in value.descendants().skip(1).take(MOST_PARTS * 20) {
        if parts.len() >= MOST_PARTS {
            break;
        }
        if let Some(link) = ElementRef::wrap(node).filter(|one| one.value().name() == "a") {
            parts.push(Part::Link(text_of(link)));
        } else if let Some(text) = node.value().as_text() {
            let in_link =
                node.ancestors().take(4).any(|one| one.value().as_element().is_some_and(|e| e.name() == "a"));
            let text = cut(text.trim());
            if !in_link && !text.is_empty() && !is_script(node.parent().map(|parent| parent.value())) {
                parts.push(Part::Text(text));
            }
        }
    }
    parts
}

fn scale_in(text: &str) -> Option<String> {
    let text = folded(text);
    let fraction = text.split([' ', ',']).find(|word| {
        word.strip_prefix("1/")
            .is_some_and(|n| (1..=3).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit()))
    });
    fraction.map(str::to_owned).or_else(|| text.contains("non-scale").then(|| "non-scale".to_owned()))
}

/// `H=240mm`, `H 24.5 cm`: in millimetres. One in another unit comes as it stands, to be left out and told.
fn height_in(text: &str) -> Option<String> {
    let text = folded(text);
    let said = text.match_indices('h').find_map(|(at, _)| {
        let (before, after) = (text.get(..at)?, text.get(at..)?.strip_prefix('h')?);
        let is_a_word = !before.ends_with(char::is_alphanumeric) && after.starts_with(['=', ' ']);
        let said = after.trim_start_matches(['=', ' ']);
        (is_a_word && said.starts_with(|c: char| c.is_ascii_digit())).then_some(said)
    })?;
    let end = said.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ',')).unwrap_or(said.len());
    let (number, rest) = said.split_at_checked(end)?;
    let unit = rest.trim_start().split([' ', ',', ';', '/', '(', ')']).next().unwrap_or_default();
    let unit = unit.trim_end_matches('.');
    let whole = |factor: u32| {
        let number: Decimal = number.trim_end_matches(['.', ',']).parse().ok()?;
        Some(number.checked_mul(factor.into())?.normalize().to_string())
    };
    let height = match unit {
        "" | "mm" => whole(1),
        "cm" => whole(10),
        // The next measure, as in `H=240 W=100mm`.
        other if rest.starts_with(' ') && (other == "x" || other.contains('=')) => whole(1),
        _ => None,
    };
    Some(height.unwrap_or_else(|| format!("{number} {unit}")))
}

/// Every date that stands alone in a piece of text: `05/2027`, `05/20/2027`, `20.05.2027`, `2027-05-20`, `2027年5月`,
/// `2027`.
fn releases_in(texts: &[String], is_foreign: bool) -> Vec<ReleaseDate> {
    let mut releases: Vec<ReleaseDate> = Vec::new();
    for release in texts.iter().filter_map(|text| date_of(text, is_foreign)) {
        if !releases.contains(&release) && releases.len() < 50 {
            releases.push(release);
        }
    }
    releases.sort_by_key(|release| (release.date(), release.precision()));
    releases
}

fn date_of(text: &str, is_foreign: bool) -> Option<ReleaseDate> {
    let text = text.trim();
    let dotted = text.contains('.');
    let numbers: Vec<&str> = text.split(['/', '.']).collect();
    let number = |text: &str| text.parse::<u32>().ok();
    let year = |text: &str| (text.len() == 4).then(|| text.parse::<i32>().ok()).flatten();
    let (date, precision) = match numbers.as_slice() {
        [month, y] if y.len() == 4 => {
            (NaiveDate::from_ymd_opt(year(y)?, number(month)?, 1)?, Precision::Month)
        }
        // The site writes the month first, and for those who want it otherwise the day.
        [a, b, y] if y.len() == 4 => {
            let (a, b) = (number(a)?, number(b)?);
            if is_foreign && !dotted && a != b && a <= 12 && b <= 12 {
                // Which of them is the month cannot be told, and a wrong month is worse than a year.
                (NaiveDate::from_ymd_opt(year(y)?, 1, 1)?, Precision::Year)
            } else {
                let (month, day) = if a > 12 || dotted { (b, a) } else { (a, b) };
                (NaiveDate::from_ymd_opt(year(y)?, month, day)?, Precision::Day)
            }
        }
        _ => {
            let text = text.replace(['年', '月'], "-").replace('日', "");
            let text = text.trim_end_matches('-');
            return day::read(text).ok().flatten().filter(|_| text.len() >= 4 && !text.contains(' '));
        }
    };
    ReleaseDate::new(date, precision).ok()
}
