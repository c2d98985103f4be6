//! A figure as a source tells it, read into what the catalogue keeps.
//!
//! What cannot be kept is left out and told; only a title is needed.

use super::facts::{Facts, MOST, Reader, one_line, shortened};
use super::lookup::Page;
use crate::imports::mfc::price;
use crate::provider::{self, Dropped};
use domain::commands::{BuyLinkByName, ImportProduct, SeenAtStore};
use domain::figure::{FigureType, Original};
use domain::money::rates::RateTable;
use domain::money::{Currency, Money};
use domain::text::{HttpUrl, Line, folded};
use serde_json::value::RawValue;
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

/// Under which the codes of imported pages are derived. Changing it would double everybody's next import.
const NAMESPACE: Uuid = Uuid::from_u128(0x9d0b_71f4_2ac5_5e16_8f3a_d7e9_40b6_c28d);
/// Under which such codes stand: `import:product:…`.
const IMPORTED: &str = "product";

/// Something that was left out, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The field of a figure that stays empty.
    pub field: &'static str,
    /// A word for the reason.
    pub code: &'static str,
    /// A sentence.
    pub detail: String,
}

/// A version that a page offers.
#[derive(Debug, Clone, PartialEq)]
pub struct OfferedVersion {
    /// What the page calls it.
    pub label: Line<200>,
    /// What it costs, with what the store asked where that was converted; or why that cannot be said.
    pub price: Result<(Money, Option<Original>), Option<Dropped>>,
}

/// A figure that can be shown and then saved.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// What would be saved.
    pub product: ImportProduct,
    /// What the store asked, where the list price was converted.
    pub original: Option<Original>,
    /// The versions that could be asked for.
    pub versions: Vec<OfferedVersion>,
    /// The one that was chosen.
    pub version: Option<Line<200>>,
    /// What was left out.
    pub remarks: Vec<Remark>,
    /// What this is for good: a page and version, or an item of MyFigureCollection.
    pub source: Line<100>,
}

/// Why no figure can be made of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It has no title with a letter or digit.
    #[error("the page gives no title, and a figure needs a name")]
    NoTitle,
    /// It has no such version.
    #[error("the page has no version {asked:?}; it has: {}", .offered.join(", "))]
    NoSuchVersion {
        /// The one that was asked for.
        asked: String,
        /// Those that there are.
        offered: Vec<String>,
    },
}

/// A price as a provider gives it, in a currency that amounts are recorded in.
///
/// # Errors
/// [`Dropped`].
pub fn priced(
    price: &RawValue,
    of_the_store: Option<&str>,
    rates: Option<&RateTable>,
) -> Result<(Money, Option<Original>), Dropped> {
    provider::Asked::read(price, of_the_store).and_then(|asked| asked.in_money(rates))
}

/// The price that a text of a page stands for, as people write prices; none where it stands for none. One in a currency
/// that amounts are not recorded in is a number with its code: `1,280 HKD`.
pub(super) fn prices_in(
    text: &str,
    rates: Option<&RateTable>,
) -> Result<Option<(Money, Option<Original>)>, String> {
    let text: String = text.nfkc().collect();
    let text = text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '·' | '•' | '|'));
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let marked = text.contains(['¥', '￥', '€', '$', '£', '円']) || letters == 3;
    let short = (2..=24).contains(&text.trim().chars().count());
    if !marked || !short || !text.contains(|c: char| c.is_ascii_digit()) {
        return Ok(None);
    }
    match price::read(text, None) {
        Ok(money) => Ok(money.map(|money| (money, None))),
        Err(price::PriceError::Currency(_)) if letters == 3 => {
            let code: String = text.chars().filter(|c| c.is_alphabetic()).collect();
            let number: String = text.chars().filter(|c| !c.is_alphabetic()).collect();
            let Ok(currency) = code.parse() else { return Err(format!("{code} is no currency")) };
            // The dollar has cents, so it reads whatever number has at most two decimals.
            let number = price::read(&number, Some(Currency::Usd)).map_err(|error| error.to_string())?;
            let Some(number) = number else { return Ok(None) };
            let asked = provider::Asked { amount: number.amount(), currency };
            asked.in_money(rates).map(Some).map_err(|dropped| dropped.to_string())
        }
        Err(error) => Err(error.to_string()),
    }
}

/// What a store's page proposes. `version` is the label of the one that is wanted. Without it: the version that the
/// title names, else the page itself where it has a price of its own, else the first version that has one.
///
/// # Errors
/// [`Unusable`].
pub fn of_page(
    page: &Page,
    provider: &Line<260>,
    version: Option<&str>,
    figure_type: Option<FigureType>,
    types: &[String],
    rates: Option<&RateTable>,
) -> Result<Proposal, Unusable> {
    let product = &page.product;
    let currency = page.store.currency.as_deref();
    let price_of = |price: Option<&RawValue>| match price {
        Some(price) if price.get() != "null" => priced(price, currency, rates).map_err(Some),
        _ => Err(None),
    };
    let versions: Vec<OfferedVersion> = product
        .versions
        .iter()
        .flatten()
        .filter_map(|version| {
            let label = Line::new(&one_line(version.label.as_deref()?)).ok()?;
            Some(OfferedVersion { label, price: price_of(version.price.as_deref()) })
        })
        .take(MOST)
        .collect();
    let title = product.title.clone().unwrap_or_default();
    let own = price_of(product.price.as_deref());
    let chosen = chosen(&versions, version, &title, own.is_ok())?;
    let label = chosen.map(|chosen| chosen.label.clone());
    let price = chosen.map_or(own, |chosen| chosen.price.clone());

    let mut reader = Reader::default();
    let releases = reader.release(product.release_date.clone()).into_iter().collect();
    let facts = Facts {
        title,
        manufacturer: product.manufacturer.clone(),
        sculptor: product.sculptor.clone(),
        series: product.series.clone(),
        characters: product.character.clone(),
        scale: product.scale.clone(),
        height_mm: product.height_mm.clone(),
        materials: product.materials.clone(),
        version: label.as_ref().map(|label| label.as_str().to_owned()),
        description: product.description.clone(),
        image: product.primary_image_url.clone(),
        releases,
        jan: product.jan.clone(),
        mfc_id: None,
        category: String::new(),
        is_nsfw: product.is_nsfw,
    };
    let mut figure = reader.figure(facts, figure_type, types)?;
    let (money, original) = match price {
        Ok((money, original)) => (Some(money), original),
        Err(Some(dropped)) => {
            reader.left_out("msrp_amount", dropped.code(), dropped);
            (None, None)
        }
        Err(None) => (None, None),
    };
    figure.msrp = money;
    figure.buy_links = buy_link(page, &mut reader).into_iter().collect();
    let code = code_of(page, label.as_ref());
    figure.imported_as = Line::new(IMPORTED).ok().zip(Line::new(&code.to_string()).ok());
    let seen = seen(page, provider, money, original.clone(), label.clone());
    Ok(Proposal {
        product: ImportProduct { figure, seen, resembles: None },
        original,
        versions,
        version: label,
        remarks: reader.remarks,
        source: Line::new(&format!("{IMPORTED}:{code}")).map_err(|_error| Unusable::NoTitle)?,
    })
}

fn chosen<'a>(
    versions: &'a [OfferedVersion],
    asked: Option<&str>,
    title: &str,
    has_own_price: bool,
) -> Result<Option<&'a OfferedVersion>, Unusable> {
    if let Some(asked) = asked {
        let wanted = folded(asked);
        let found = versions.iter().find(|version| folded(version.label.as_str()) == wanted);
        return found.map(Some).ok_or_else(|| Unusable::NoSuchVersion {
            asked: shortened(asked),
            offered: versions.iter().map(|version| version.label.as_str().to_owned()).collect(),
        });
    }
    let title = words(title);
    let names = |label: &[String]| !label.is_empty() && title.windows(label.len()).any(|run| run == label);
    let named = versions.iter().filter(|version| names(&words(version.label.as_str())));
    let named = named.max_by_key(|version| version.label.as_str().chars().count());
    let first = || versions.iter().find(|version| version.price.is_ok());
    Ok(named.or_else(|| if has_own_price { None } else { first() }))
}

/// The letters and digits of a text, word by word.
fn words(text: &str) -> Vec<String> {
    let text = folded(text);
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// What a page and version are for good: neither `www.` nor the scheme makes another one.
fn code_of(page: &Page, version: Option<&Line<200>>) -> Uuid {
    let host = page.url.host_str().unwrap_or_default().trim_start_matches("www.").to_ascii_lowercase();
    let query = page.url.query().unwrap_or_default();
    let version = version.map(|version| folded(version.as_str())).unwrap_or_default();
    Uuid::new_v5(&NAMESPACE, format!("{host}\0{}\0{query}\0{version}", page.url.path()).as_bytes())
}

/// The page as a path on its store's host; as a whole address where the store has it elsewhere.
fn buy_link(page: &Page, reader: &mut Reader) -> Option<BuyLinkByName> {
    let store = reader.name("buy_links", Some(page.store.name.clone()))?;
    let base = page.store.base();
    let on_host = base.is_some_and(|base| base.host_str() == page.url.host_str());
    let path = match page.url.query() {
        _ if !on_host => page.url.to_string(),
        Some(query) => format!("{}?{query}", page.url.path()),
        None => page.url.path().to_owned(),
    };
    let path = Line::new(&path).map_err(|error| reader.left_out("buy_links", "not_kept", error)).ok()?;
    Some(BuyLinkByName { store, path })
}

/// What the store asks, for the market price; the stock is the page's, whatever the version.
fn seen(
    page: &Page,
    provider: &Line<260>,
    price: Option<Money>,
    original: Option<Original>,
    version: Option<Line<200>>,
) -> Option<SeenAtStore> {
    let stock = page.product.stock();
    if price.is_none() && stock.is_none() {
        return None;
    }
    Some(SeenAtStore {
        provider: provider.clone(),
        source: Line::new(&page.store.id).ok()?,
        url: HttpUrl::new(page.url.as_str()).ok()?,
        price,
        original,
        version,
        stock,
        seen_at: page.fetched_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Store;
    use serde_json::json;

    fn page_at(url: &str, product: serde_json::Value) -> Page {
        Page {
            store: Store {
                id: "harbour".to_owned(),
                name: "Harbour Hobby".to_owned(),
                url: Some("https://harbour.example/shop/".to_owned()),
                hosts: vec!["harbour.example".to_owned(), "harbour.test".to_owned()],
                currency: Some("EUR".to_owned()),
            },
            url: url.parse().unwrap(),
            product: serde_json::from_str(&product.to_string()).unwrap(),
            fetched_at: "2026-11-02T04:00:00Z".parse().unwrap(),
        }
    }
    fn rates() -> RateTable {
        let quotes = [("USD", "1.1172"), ("JPY", "175.68"), ("HKD", "8.7063")];
        let quotes = quotes.map(|(code, rate)| (code.parse().unwrap(), rate.parse().unwrap()));
        RateTable::new("2026-10-30".parse().unwrap(), quotes).unwrap()
    }
    fn proposed(page: &Page, version: Option<&str>) -> Result<Proposal, Unusable> {
        let types = ["scale", "nendoroid", "other"].map(str::to_owned);
        of_page(page, &Line::new("prices.example").unwrap(), version, None, &types, Some(&rates()))
    }
    fn of(product: serde_json::Value) -> Proposal {
        proposed(&page_at("https://harbour.example/item/1", product), None).unwrap()
    }

    #[test]
    fn every_field_of_a_page_becomes_one_of_a_figure() {
        let proposal = of(json!({
            "title": "  Akari-07:\u{7} Night\nStall ", "manufacturer": "Tidewater Figures", "character": "Akari-07",
            "series": "The Lighthouse Choir", "scale": "1/7", "height_mm": 240, "materials": "PVC, ABS",
            "price": {"amount": "129.90"}, "release_date": "2027-05", "is_nsfw": true, "jan": "4580590123458",
            "primary_image_url": "//img.harbour.example/1.jpg", "description": "Two\nlines.", "status": "preorder",
            "sculptor": "Aoi Hoshi"
        }));
        let figure = &proposal.product.figure;
        assert_eq!(figure.name.as_str(), "Akari-07: Night Stall");
        assert_eq!(figure.figure_type.as_str(), "scale");
        assert_eq!((figure.series.len(), figure.characters.len()), (1, 1));
        assert_eq!(figure.details.height_mm, Some(240));
        assert_eq!(
            figure.details.official_image_url.as_ref().unwrap().as_str(),
            "https://img.harbour.example/1.jpg"
        );
        assert_eq!(figure.details.description.as_ref().unwrap().as_str(), "Two\nlines.");
        assert_eq!(figure.releases[0].date().to_string(), "2027-05-01");
        assert_eq!(figure.msrp.unwrap().to_string(), "129.90 EUR");
        assert_eq!((figure.is_nsfw, figure.jan.is_some(), figure.sculptor.is_some()), (true, true, true));
        assert_eq!(figure.buy_links[0].path.as_str(), "/item/1");
        assert_eq!(proposal.remarks, vec![]);
        assert_eq!(proposal.product.seen.unwrap().stock, Some(domain::figure::Stock::Preorder));
    }

    #[test]
    fn what_cannot_be_kept_is_left_out_and_told() {
        let proposal = of(json!({
            "title": "Akari", "manufacturer": "!!!", "height_mm": "two feet", "release_date": "soon",
            "jan": "4580590123456", "primary_image_url": "javascript:alert(1)", "materials": "x".repeat(400),
            "price": {"amount": "from 12,800"}
        }));
        let told: Vec<&str> = proposal.remarks.iter().map(|remark| remark.field).collect();
        for field in [
            "manufacturer",
            "height_mm",
            "release_date",
            "jan",
            "official_image_url",
            "materials",
            "msrp_amount",
        ] {
            assert!(told.contains(&field), "{field} in {told:?}");
        }
        assert_eq!(told.len(), 7);
        assert_eq!((proposal.product.figure.msrp, proposal.product.seen), (None, None));
    }

    #[test]
    fn a_price_is_kept_converted_or_dropped() {
        let price = |price: serde_json::Value| {
            let proposal = of(json!({"title": "Akari", "price": price}));
            let why = proposal.remarks.first().map(|remark| remark.code);
            (proposal.product.figure.msrp.map(|money| money.to_string()), proposal.original.is_some(), why)
        };
        let kept = |money: &str, converted| (Some(money.to_owned()), converted, None);
        assert_eq!(price(json!({"amount": 12800, "currency": "JPY"})), kept("12800 JPY", false));
        assert_eq!(price(json!({"amount": "99.5"})), kept("99.50 EUR", false));
        assert_eq!(price(json!({"amount": 1280, "currency": "HKD"})), kept("164.25 USD", true));
        assert_eq!(
            price(json!({"amount": 1280, "currency": "TWD"})),
            (None, false, Some("currency_not_quoted"))
        );
        for words in ["¥12,800", "ask us", "from 12,800", "sold out", "12 800,00", "NaN", ""] {
            let said = json!({"amount": words, "currency": "JPY"});
            assert_eq!(price(said), (None, false, Some("price_not_a_number")), "{words}");
        }
        assert_eq!(price(json!(null)), (None, false, None));
    }

    #[test]
    fn a_version_is_picked_by_its_label_and_otherwise_by_rule() {
        let versions = json!([
            {"label": "Standard", "price": {"amount": "call us"}},
            {"label": "Dusk Ver.", "price": {"amount": "99"}},
            {"label": "Dawn Ver.", "price": {"amount": "109"}},
        ]);
        let picked = |title: &str, own: Option<&str>, asked: Option<&str>| {
            let mut product = json!({"title": title, "versions": versions});
            if let Some(own) = own {
                product["price"] = json!({"amount": own});
            }
            proposed(&page_at("https://harbour.example/item/1", product), asked).map(|proposal| {
                let money = proposal.product.figure.msrp.map(|money| money.to_string());
                (proposal.version.map(|label| label.as_str().to_owned()), money)
            })
        };
        let some = |label: &str, money: &str| Ok((Some(label.to_owned()), Some(money.to_owned())));
        assert_eq!(picked("Akari", Some("89"), Some(" dawn  ver. ")), some("Dawn Ver.", "109.00 EUR"));
        assert_eq!(picked("Akari Dusk Ver.", Some("89"), None), some("Dusk Ver.", "99.00 EUR"));
        assert_eq!(picked("Akari", Some("89"), None), Ok((None, Some("89.00 EUR".to_owned()))));
        assert_eq!(picked("Akari", None, None), some("Dusk Ver.", "99.00 EUR"));
        assert_eq!(picked("Akari", None, Some("Standard")), Ok((Some("Standard".to_owned()), None)));
        assert!(matches!(picked("Akari", None, Some("Noon")), Err(Unusable::NoSuchVersion { .. })));
    }

    #[test]
    fn a_title_names_a_version_by_whole_words_only() {
        let picked = |title: &str, labels: [&str; 2]| {
            let versions = labels.map(|label| json!({"label": label, "price": {"amount": "99"}}));
            let product = json!({"title": title, "price": {"amount": "89"}, "versions": versions});
            of(product).version.map(|label| label.as_str().to_owned())
        };
        assert_eq!(picked("Asuka: Standing", ["A", "B"]), None);
        assert_eq!(picked("Asuka: Standing (B)", ["A", "B"]), Some("B".to_owned()));
        assert_eq!(picked("Asuka Ver. Dusk", ["Dusk Ver.", "★"]), None);
        assert_eq!(picked("Asuka: dusk ver", ["Dusk", "Dusk Ver."]), Some("Dusk Ver.".to_owned()));
    }

    #[test]
    fn one_page_and_version_have_one_code_however_they_are_written() {
        let code = |url: &str, version: Option<&str>| {
            let product = json!({"title": "A", "versions": [{"label": "B", "price": 5}]});
            proposed(&page_at(url, product), version).unwrap().source
        };
        let one = code("https://harbour.example/item/1?a=b", Some("B"));
        assert_eq!(one, code("http://WWW.harbour.example/item/1?a=b", Some("b")));
        for other in ["https://harbour.example/item/1", "https://harbour.test/item/1?a=b"] {
            assert_ne!(one, code(other, Some("B")), "{other}");
        }
    }

    #[test]
    fn a_page_on_another_host_of_its_store_is_linked_whole() {
        let page = page_at("https://harbour.test/item/1?x=1", json!({"title": "A"}));
        let link = &proposed(&page, None).unwrap().product.figure.buy_links[0];
        assert_eq!(link.path.as_str(), "https://harbour.test/item/1?x=1");
    }

    #[test]
    fn without_a_title_there_is_no_figure() {
        for title in [json!(null), json!(""), json!("  \u{0} "), json!("!!!"), json!({"en": "A"})] {
            let page = page_at("https://harbour.example/item/1", json!({"title": title}));
            assert_eq!(proposed(&page, None), Err(Unusable::NoTitle), "{title}");
        }
        let long = of(json!({"title": "あ".repeat(5_000)}));
        assert_eq!(long.product.figure.name.as_str().chars().count(), 300);
    }
}
