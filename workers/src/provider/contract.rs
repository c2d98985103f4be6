//! What a provider answers. Fields that nobody here asks for are passed over.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use url::Url;

/// A store that a provider can ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Store {
    /// What the provider calls it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Where its pages begin.
    #[serde(default)]
    pub url: Option<String>,
    /// The hosts of its pages.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// The currency of prices that name none.
    #[serde(default)]
    pub currency: Option<String>,
}

/// One page of a store.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Product {
    /// What the provider calls the store.
    #[serde(default)]
    pub store_id: Option<String>,
    /// The page.
    #[serde(default)]
    pub url: Option<String>,
    /// What the store calls it.
    #[serde(default, deserialize_with = "text")]
    pub title: Option<String>,
    /// Who makes it.
    #[serde(default, deserialize_with = "text")]
    pub manufacturer: Option<String>,
    /// Who sculpted it. Beyond the contract.
    #[serde(default, deserialize_with = "text")]
    pub sculptor: Option<String>,
    /// Whom it shows.
    #[serde(default, deserialize_with = "texts")]
    pub character: Vec<String>,
    /// Where they come from.
    #[serde(default, deserialize_with = "texts")]
    pub series: Vec<String>,
    /// `1/7` …
    #[serde(default, deserialize_with = "text")]
    pub scale: Option<String>,
    /// In millimetres.
    #[serde(default, deserialize_with = "text")]
    pub height_mm: Option<String>,
    /// What it is made of.
    #[serde(default, deserialize_with = "text")]
    pub materials: Option<String>,
    /// What it asks, just as it came.
    #[serde(default)]
    pub price: Option<Box<RawValue>>,
    /// When it is or was released.
    #[serde(default, deserialize_with = "text")]
    pub release_date: Option<String>,
    /// Whether it is an adult figure; anything but `true` says no.
    #[serde(default, deserialize_with = "flag")]
    pub is_nsfw: bool,
    /// A picture of it.
    #[serde(default, deserialize_with = "text")]
    pub primary_image_url: Option<String>,
    /// What the store says of it.
    #[serde(default, deserialize_with = "text")]
    pub description: Option<String>,
    /// Its barcode. Beyond the contract.
    #[serde(default, deserialize_with = "text")]
    pub jan: Option<String>,
    /// Whether it is there: `in_stock`, `out_of_stock`, `preorder`; anything else says nothing.
    #[serde(default)]
    pub status: Option<Box<RawValue>>,
    /// The versions on the page, each with a price of its own.
    #[serde(default)]
    pub versions: Option<Vec<Version>>,
}

/// A version of what a page sells.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Version {
    /// `Standard`, `Dusk Ver.` …
    #[serde(default)]
    pub label: Option<String>,
    /// What it costs, just as it came.
    #[serde(default)]
    pub price: Option<Box<RawValue>>,
}

impl Product {
    /// What it says of its stock, if that is a word of the contract.
    #[must_use]
    pub fn stock(&self) -> Option<domain::figure::Stock> {
        let word: String = serde_json::from_str(self.status.as_ref()?.get()).ok()?;
        word.trim().to_ascii_lowercase().parse().ok()
    }
}

impl Store {
    /// Where its pages begin: its address, or else the first of its hosts.
    #[must_use]
    pub fn base(&self) -> Option<Url> {
        let named = self.url.as_deref().and_then(whole);
        named.or_else(|| whole(&format!("https://{}/", self.hosts.first()?)))
    }

    /// Whether a page is one of its own, by its host; `www.` before it makes no difference.
    #[must_use]
    pub fn has(&self, url: &Url) -> bool {
        let bare = |host: &str| host.trim_start_matches("www.").to_ascii_lowercase();
        let Some(host) = url.host_str().map(bare) else { return false };
        self.hosts.iter().any(|one| bare(one) == host)
            || self.base().and_then(|base| base.host_str().map(bare)) == Some(host)
    }
}

/// A whole http or https address.
#[must_use]
pub fn whole(text: &str) -> Option<Url> {
    let url: Url = text.parse().ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

fn said(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// What is neither a text nor a number says nothing: one odd field does not make the others worthless.
fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Value::deserialize(from).map(said)
}

/// One, or a list of them.
fn texts<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::Array(all) => all.into_iter().filter_map(said).collect(),
        one => said(one).into_iter().collect(),
    })
}

fn flag<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    Ok(Value::deserialize(from)? == Value::Bool(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_field_says_nothing_and_spoils_no_other() {
        let product: Product = serde_json::from_str(
            r#"{"title": "Akari", "height_mm": 240, "scale": {"of": 7}, "series": ["A", 7, null], "character": "B",
                "is_nsfw": "yes", "release_date": 2027, "materials": null, "price": {"amount": 1.10}}"#,
        )
        .unwrap();
        assert_eq!(product.height_mm.as_deref(), Some("240"));
        assert_eq!((product.scale, product.materials), (None, None));
        assert_eq!((product.series.len(), product.character.len()), (2, 1));
        assert_eq!((product.is_nsfw, product.release_date.as_deref()), (false, Some("2027")));
    }

    #[test]
    fn what_is_kept_of_a_product_reads_as_it_came() {
        let text = r#"{"title":"Akari","price":{"amount":129.90,"currency":"EUR"},"versions":[{"label":"A","price":5}]}"#;
        let product: Product = serde_json::from_str(text).unwrap();
        let kept: Product = serde_json::from_str(&serde_json::to_string(&product).unwrap()).unwrap();
        assert_eq!(kept.price.unwrap().get(), r#"{"amount":129.90,"currency":"EUR"}"#);
        assert_eq!(kept.versions.unwrap().len(), 1);
    }

    #[test]
    fn a_page_belongs_to_the_store_that_has_its_host() {
        let store = Store {
            id: "crane".into(),
            name: "Paper Crane".into(),
            url: None,
            hosts: vec!["www.crane.example".into()],
            currency: None,
        };
        assert!(store.has(&"http://CRANE.example/1".parse().unwrap()));
        assert!(!store.has(&"https://crane.example.evil.example/1".parse().unwrap()));
        assert!(!store.has(&"data:text/plain,x".parse().unwrap()));
        assert_eq!(store.base().unwrap().as_str(), "https://www.crane.example/");
    }
}
