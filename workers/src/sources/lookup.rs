//! Asking the provider about stores, words and pages. What a page says is kept for a day.

use crate::outbound::OutboundError;
use crate::provider::{Product, Provider, ProviderError, Store, whole};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use domain::text::{HttpUrl, Line};
use futures::{StreamExt, stream};
use operational::external_lookups;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use url::Url;

/// How long what a page says holds.
const PAGE_HOLDS_FOR: TimeDelta = TimeDelta::days(1);
/// How long the list of stores holds.
const STORES_HOLD_FOR: TimeDelta = TimeDelta::minutes(10);
/// Under which the list of stores is kept.
const STORES: &str = "stores";
/// How long one store may look for words.
const SEARCHED_FOR: Duration = Duration::from_secs(8);
/// How long all of them together may, where nobody waits for less.
const SEARCHED_ALL_FOR: Duration = Duration::from_secs(30);
/// How many stores are searched at once.
const AT_ONCE: usize = 4;
/// How many stores are searched for one question that names none.
const MOST_STORES: usize = 12;
/// How many pages of each store a search of several gives.
const MOST_FOUND: usize = 50;
/// And a search of one store.
const MOST_OF_ONE: usize = 500;
/// The longest address that is kept, in bytes.
const LONGEST: usize = 2_000;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The operator named no provider.
    #[error(
        "no price provider is configured here, so no store can be asked; figures can be added by hand, or from a pasted \
         page"
    )]
    NoProvider,
    /// The page is no store's that the provider knows.
    #[error("none of the stores that can be asked has pages at {0}; see GET /api/external/stores")]
    NotAStore(String),
    /// There is no such store.
    #[error("there is no store with the id {0:?}; see GET /api/external/stores")]
    UnknownStore(String),
    /// The address is longer than can be asked for.
    #[error("the address has more than {LONGEST} characters")]
    TooLong,
    /// The provider gave none.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The database's own trouble.
    #[error("the database is not available: {0}")]
    Database(#[from] sqlx::Error),
}

/// A page of a store.
#[derive(Debug, Clone)]
pub struct Page {
    /// The store.
    pub store: Store,
    /// Where the page is.
    pub url: Url,
    /// What stands on it.
    pub product: Product,
    /// When it was read.
    pub fetched_at: DateTime<Utc>,
}

/// How the search of one store went.
#[derive(Debug)]
pub struct Asked {
    /// The store.
    pub store: Store,
    /// Why it gave nothing, if it failed.
    pub failed: Option<ProviderError>,
}

/// What words were found on.
#[derive(Debug, Default)]
pub struct Found {
    /// The pages, store by store.
    pub pages: Vec<Page>,
    /// Every store that was asked.
    pub stores: Vec<Asked>,
}

/// What is kept of a page: as text, so that no number in it passes through another form.
#[derive(Serialize, Deserialize)]
struct Kept {
    store: Store,
    product: Product,
}

/// The sources outside, as far as the operator opened them.
#[derive(Clone)]
pub struct Sources {
    pool: PgPool,
    provider: Option<Arc<Provider>>,
}

impl Sources {
    /// Those that a provider can ask; none without one.
    #[must_use]
    pub const fn new(pool: PgPool, provider: Option<Arc<Provider>>) -> Self {
        Self { pool, provider }
    }

    /// The provider's name, as prices note it.
    ///
    /// # Errors
    /// `NoProvider`.
    pub fn name(&self) -> Result<&Line<260>, SourceError> {
        Ok(self.provider()?.name())
    }

    fn provider(&self) -> Result<&Provider, SourceError> {
        self.provider.as_deref().ok_or(SourceError::NoProvider)
    }

    fn kept_as(provider: &Provider) -> String {
        format!("provider:{}", provider.name())
    }

    /// The stores that can be asked.
    ///
    /// # Errors
    /// [`SourceError`].
    pub async fn stores(&self, now: DateTime<Utc>) -> Result<Vec<Store>, SourceError> {
        let provider = self.provider()?;
        let source = Self::kept_as(provider);
        if let Some((stores, _)) = self.kept(&source, STORES, now, STORES_HOLD_FOR).await? {
            return Ok(stores);
        }
        let stores = provider.stores().await?;
        self.keep(&source, STORES, &stores, now).await?;
        Ok(stores)
    }

    /// What a page says, at most a day old.
    ///
    /// # Errors
    /// [`SourceError`].
    pub async fn page(&self, url: &HttpUrl, now: DateTime<Utc>) -> Result<Page, SourceError> {
        let provider = self.provider()?;
        let source = Self::kept_as(provider);
        let mut url = whole(url.as_str()).ok_or_else(|| SourceError::NotAStore(url.as_str().to_owned()))?;
        url.set_fragment(None);
        if url.as_str().len() > LONGEST {
            return Err(SourceError::TooLong);
        }
        let key = format!("product:{url}");
        if let Some((kept, fetched_at)) = self.kept::<Kept>(&source, &key, now, PAGE_HOLDS_FOR).await? {
            return Ok(Page { store: kept.store, url, product: kept.product, fetched_at });
        }
        let stores = self.stores(now).await?;
        let host = || SourceError::NotAStore(url.host_str().unwrap_or_default().to_owned());
        let store = stores.into_iter().find(|store| store.has(&url)).ok_or_else(host)?;
        let product = provider.product(&store.id, url.as_str()).await?;
        let kept = Kept { store, product };
        // As precise as the table is, so that it reads the same again.
        let now = now.trunc_subsecs(6);
        self.keep(&source, &key, &kept, now).await?;
        Ok(Page { store: kept.store, url, product: kept.product, fetched_at: now })
    }

    /// What stores have under some words: one store, or each of the first twelve. A store that fails among several
    /// is told and spoils nothing.
    ///
    /// # Errors
    /// [`SourceError`]; the provider's when every store that was asked failed.
    pub async fn search(
        &self,
        words: &str,
        store: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Found, SourceError> {
        self.search_within(words, store, now, SEARCHED_ALL_FOR).await
    }

    /// The same, within a time: stores that did not answer by then have failed.
    ///
    /// # Errors
    /// As [`Sources::search`].
    pub async fn search_within(
        &self,
        words: &str,
        store: Option<&str>,
        now: DateTime<Utc>,
        within: Duration,
    ) -> Result<Found, SourceError> {
        let until = Instant::now() + within;
        let late = || ProviderError::from(OutboundError::TimedOut(within));
        let provider = self.provider()?;
        let mut stores = timeout_at(until, self.stores(now)).await.map_err(|_late| late())??;
        if let Some(wanted) = store {
            stores.retain(|store| store.id == wanted);
            if stores.is_empty() {
                return Err(SourceError::UnknownStore(wanted.to_owned()));
            }
        }
        stores.truncate(MOST_STORES);
        let mut answers: Vec<_> = stores.iter().map(|_| Err(late())).collect();
        {
            let searches = stream::iter(stores.iter().zip(&mut answers));
            let searches = searches.for_each_concurrent(AT_ONCE, async |(store, answer)| {
                *answer = provider.search(&store.id, words, SEARCHED_FOR).await;
            });
            // Whoever answered by then is told, whoever did not is told to be late.
            let _late = timeout_at(until, searches).await;
        }
        let most = if store.is_some() { MOST_OF_ONE } else { MOST_FOUND };
        // As precise as what is kept, so that a page is as old here as there.
        let now = now.trunc_subsecs(6);
        let mut found = Found::default();
        let mut seen = HashSet::new();
        for (store, products) in stores.into_iter().zip(answers) {
            match products {
                Ok(products) => {
                    let pages = products.into_iter().filter_map(|product| {
                        // A result that leads out of its store can be neither opened nor imported.
                        let url = product.url.as_deref().and_then(whole).filter(|url| store.has(url))?;
                        let new = seen.insert(url.clone());
                        new.then(|| Page { store: store.clone(), url, product, fetched_at: now })
                    });
                    found.pages.extend(pages.take(most));
                    found.stores.push(Asked { store, failed: None });
                }
                Err(failed) => found.stores.push(Asked { store, failed: Some(failed) }),
            }
        }
        let all_failed = !found.stores.is_empty() && found.stores.iter().all(|one| one.failed.is_some());
        if all_failed && let Some(failed) = found.stores.pop().and_then(|one| one.failed) {
            return Err(failed.into());
        }
        Ok(found)
    }

    async fn kept<T: for<'de> Deserialize<'de>>(
        &self,
        source: &str,
        key: &str,
        now: DateTime<Utc>,
        life: TimeDelta,
    ) -> Result<Option<(T, DateTime<Utc>)>, SourceError> {
        let kept = external_lookups::get::<String>(&self.pool, source, key).await?;
        Ok(kept.filter(|kept| kept.holds(now, life)).and_then(|kept| {
            let payload = serde_json::from_str(&kept.payload).ok()?;
            Some((payload, kept.fetched_at))
        }))
    }

    async fn keep<T: Serialize>(
        &self,
        source: &str,
        key: &str,
        payload: &T,
        now: DateTime<Utc>,
    ) -> Result<(), SourceError> {
        // What has no JSON form is asked for again the next time.
        let Ok(text) = serde_json::to_string(payload) else { return Ok(()) };
        external_lookups::put(&self.pool, source, key, &text, now).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Options;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_store_that_hangs_fails_each_time_and_then_rests() {
        // Connections are made and nobody ever reads from them.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let provider = Provider::new(address, Options { failures: 2, ..Options::default() }).unwrap();
        let soon = Duration::from_millis(100);
        for _ in 0..2 {
            let late = provider.search("harbour", "maris", soon).await;
            assert!(matches!(late, Err(ProviderError::Outbound(OutboundError::TimedOut(_)))), "{late:?}");
        }
        let resting = provider.search("harbour", "maris", soon).await;
        assert!(matches!(resting, Err(ProviderError::Resting(_))), "{resting:?}");
    }
}
