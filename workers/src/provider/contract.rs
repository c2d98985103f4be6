//! What a provider answers. Fields that nobody here asks for are passed over.

use serde::Deserialize;
use serde_json::value::RawValue;

/// A store that a provider can ask.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
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
#[derive(Debug, Clone, Deserialize)]
pub struct Product {
    /// What the provider calls the store.
    #[serde(default)]
    pub store_id: Option<String>,
    /// The page.
    #[serde(default)]
    pub url: Option<String>,
    /// What the store calls it.
    #[serde(default)]
    pub title: Option<String>,
    /// What it asks, just as it came.
    #[serde(default)]
    pub price: Option<Box<RawValue>>,
    /// Whether it is there: `in_stock`, `out_of_stock`, `preorder`; anything else says nothing.
    #[serde(default)]
    pub status: Option<Box<RawValue>>,
    /// The versions on the page, each with a price of its own.
    #[serde(default)]
    pub versions: Option<Vec<Version>>,
}

/// A version of what a page sells.
#[derive(Debug, Clone, Deserialize)]
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
