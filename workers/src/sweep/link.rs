//! From a buy link to the page that the provider is asked for.

use crate::provider::{Store, whole};
use domain::slug::slugify;
use projections::prices::queries::SoldAt;
use url::Url;

/// The stores that the provider can ask.
pub(super) struct Stores(Vec<Store>);

/// A page of a store.
pub(super) struct Link<'a> {
    pub store: &'a Store,
    pub url: Url,
}

/// Why a buy link cannot be asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoLink {
    #[error("the provider has no store with the name {0:?} or at the host of the link")]
    StoreUnknown(String),
    #[error("the provider does not say where the pages of {0:?} are; give the link the whole address")]
    StoreWithoutAddress(String),
    #[error("the link leads to no page of its store")]
    NoPage,
}

impl NoLink {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::StoreUnknown(_) => "store_unknown",
            Self::StoreWithoutAddress(_) => "store_without_address",
            Self::NoPage => "link_unusable",
        }
    }
}

impl Stores {
    pub const fn new(stores: Vec<Store>) -> Self {
        Self(stores)
    }

    /// A whole address belongs to the store that has its host; a path to the store of the link's name.
    pub fn find(&self, at: &SoldAt) -> Result<Link<'_>, NoLink> {
        let unknown = || NoLink::StoreUnknown(at.store_name.clone());
        if let Some(url) = whole(&at.path) {
            let store = self.0.iter().find(|store| store.has(&url)).ok_or_else(unknown)?;
            return Ok(Link { store, url });
        }
        let is_named = |store: &&Store| {
            [&store.name, &store.id]
                .into_iter()
                .any(|name| slugify(name).as_deref() == Some(at.store_slug.as_str()))
        };
        let store = self.0.iter().find(is_named).ok_or_else(unknown)?;
        let base = store.base().ok_or_else(|| NoLink::StoreWithoutAddress(at.store_name.clone()))?;
        let url = base.join(&at.path).map_err(|_none| NoLink::NoPage)?;
        if url.host() == base.host() || store.has(&url) {
            Ok(Link { store, url })
        } else {
            Err(NoLink::NoPage)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn stores() -> Stores {
        let store = |id: &str, name: &str, url: Option<&str>, hosts: &[&str]| Store {
            id: id.to_owned(),
            name: name.to_owned(),
            url: url.map(str::to_owned),
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            currency: None,
        };
        Stores::new(vec![
            store("harbour", "Harbour Hobby", Some("https://harbour.example/shop/"), &["harbour.example"]),
            store("crane", "Paper Crane", None, &["www.crane.example", "crane.example"]),
            store("nowhere", "Nowhere", None, &[]),
        ])
    }
    fn found(store: &str, path: &str) -> Result<(String, String), &'static str> {
        let at = SoldAt {
            store_id: Uuid::nil(),
            store_name: store.to_owned(),
            store_slug: slugify(store).unwrap(),
            path: path.to_owned(),
            confirmed_at: None,
        };
        let stores = stores();
        let link = stores.find(&at).map_err(|none| none.code())?;
        Ok((link.store.id.clone(), link.url.to_string()))
    }
    fn page(store: &str, url: &str) -> Result<(String, String), &'static str> {
        Ok((store.to_owned(), url.to_owned()))
    }

    #[test]
    fn a_path_is_a_page_of_the_store_that_the_link_names() {
        assert_eq!(found("Harbour Hobby", "/item/1"), page("harbour", "https://harbour.example/item/1"));
        assert_eq!(found("harbour  hobby", "item/1"), page("harbour", "https://harbour.example/shop/item/1"));
        assert_eq!(found("Crane", "/p?id=1"), page("crane", "https://www.crane.example/p?id=1"));
    }

    #[test]
    fn a_whole_address_belongs_to_the_store_at_its_host() {
        let link = "https://www.harbour.example/item/1";
        assert_eq!(found("Some name of mine", link), page("harbour", link));
        assert_eq!(found("Harbour Hobby", "http://CRANE.example/1"), page("crane", "http://crane.example/1"));
    }

    #[test]
    fn what_leads_nowhere_is_not_asked() {
        assert_eq!(found("Elsewhere", "/item/1"), Err("store_unknown"));
        assert_eq!(found("Harbour Hobby", "https://elsewhere.example/1"), Err("store_unknown"));
        assert_eq!(found("Nowhere", "/item/1"), Err("store_without_address"));
        assert_eq!(found("Harbour Hobby", "//evil.example/1"), Err("link_unusable"));
        assert_eq!(found("Harbour Hobby", "javascript:alert(1)"), Err("link_unusable"));
    }
}
