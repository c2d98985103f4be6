//! Asking a provider.

use super::breaker::Breakers;
use super::contract::{Product, Store};
use super::error::{Fault, ProviderError};
use crate::outbound::{Answer, Limits, Outbound, OutboundError};
use domain::text::Line;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use reqwest::{Method, Request};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;
use url::Url;

/// The name under which the provider as a whole rests.
const ITSELF: &str = "the provider";

/// Where a provider is, and the key it wants.
#[derive(Clone)]
pub struct ProviderAddress {
    base: Url,
    name: Line<260>,
    key: Option<HeaderValue>,
}

/// A text that is no address of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an http(s) address without user, query or fragment, such as http://127.0.0.1:8090")]
pub struct NoProviderAddress;

impl FromStr for ProviderAddress {
    type Err = NoProviderAddress;

    fn from_str(text: &str) -> Result<Self, NoProviderAddress> {
        let mut base: Url = text.parse().map_err(|_none| NoProviderAddress)?;
        let plain = matches!(base.scheme(), "http" | "https")
            && base.has_host()
            && base.username().is_empty()
            && base.password().is_none()
            && base.query().is_none()
            && base.fragment().is_none();
        if !plain {
            return Err(NoProviderAddress);
        }
        // What is asked for is joined to it, below whatever path it has.
        if !base.path().ends_with('/') {
            let path = format!("{}/", base.path());
            base.set_path(&path);
        }
        let host = base.host_str().unwrap_or_default();
        let name = match base.port() {
            Some(port) => Line::new(&format!("{host}:{port}")),
            None => Line::new(host),
        };
        Ok(Self { name: name.map_err(|_none| NoProviderAddress)?, base, key: None })
    }
}

impl ProviderAddress {
    /// The same, with a bearer key; a key that no header can hold is left out.
    #[must_use]
    pub fn with_key(mut self, key: Option<&str>) -> Self {
        self.key = key.and_then(|key| HeaderValue::from_str(&format!("Bearer {key}")).ok()).map(|mut key| {
            key.set_sensitive(true);
            key
        });
        self
    }
}

impl fmt::Debug for ProviderAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderAddress")
            .field("base", &self.base.as_str())
            .field("key", &self.key.is_some())
            .finish()
    }
}

/// How a provider is asked.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How long and how large an answer may be.
    pub limits: Limits,
    /// After so many failures in a row a source rests.
    pub failures: u32,
    /// For so long.
    pub rest: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { limits: Limits::default(), failures: 5, rest: Duration::from_secs(300) }
    }
}

/// A price provider.
pub struct Provider {
    address: ProviderAddress,
    outbound: Outbound,
    breakers: Breakers,
}

/// What an answer with another status than 200 may say.
#[derive(Deserialize)]
struct Said {
    #[serde(default, alias = "message", alias = "detail")]
    error: String,
}

impl Provider {
    /// A provider at an address. That very address may be a private one.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(address: ProviderAddress, options: Options) -> Result<Self, reqwest::Error> {
        let outbound = Outbound::only(&address.base, options.limits)?;
        Ok(Self { address, outbound, breakers: Breakers::new(options.failures, options.rest) })
    }

    /// Its host and port.
    pub const fn name(&self) -> &Line<260> {
        &self.address.name
    }

    /// Whether it failed several times in a row and is left alone for a while.
    pub fn is_resting(&self) -> bool {
        !self.breakers.permits(ITSELF)
    }

    /// The stores that it can ask.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn stores(&self) -> Result<Vec<Store>, ProviderError> {
        self.guarded(None, self.get("stores", &[])).await
    }

    /// What a page of a store sells.
    ///
    /// # Errors
    /// [`ProviderError`]; `Resting` without asking when the store or the provider failed several times in a row.
    pub async fn product(&self, source: &str, url: &str) -> Result<Product, ProviderError> {
        self.guarded(Some(source), self.get("product", &[("url", url)])).await
    }

    /// What a store has under some words, if it says so in time. Being late is a failure of the store.
    ///
    /// # Errors
    /// As [`Provider::product`].
    pub async fn search(
        &self,
        source: &str,
        words: &str,
        within: Duration,
    ) -> Result<Vec<Product>, ProviderError> {
        let query = [("q", words), ("store", source)];
        let asking = async {
            let asked = tokio::time::timeout(within, self.get("search", &query)).await;
            asked.unwrap_or_else(|_late| Err(OutboundError::TimedOut(within).into()))
        };
        self.guarded(Some(source), asking).await
    }

    async fn guarded<T>(
        &self,
        source: Option<&str>,
        asking: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        for name in [Some(ITSELF), source].into_iter().flatten() {
            if !self.breakers.permits(name) {
                return Err(ProviderError::Resting(name.to_owned()));
            }
        }
        let outcome = asking.await;
        let fault = outcome.as_ref().err().map_or(Fault::Answer, ProviderError::fault);
        match (fault, source) {
            (Fault::Answer, _) => {
                self.breakers.succeeded(ITSELF);
                source.inspect(|source| self.breakers.succeeded(source));
            }
            (Fault::Store, Some(source)) => {
                // It did answer, or was reached at least.
                self.breakers.succeeded(ITSELF);
                self.breakers.failed(source);
            }
            (Fault::Store, None) | (Fault::Provider, _) => self.breakers.failed(ITSELF),
        }
        outcome
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, ProviderError> {
        let mut url = self.address.base.join(path).map_err(|_none| OutboundError::Scheme)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = Request::new(Method::GET, url);
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(key) = &self.address.key {
            request.headers_mut().insert(AUTHORIZATION, key.clone());
        }
        let answer = self.outbound.send(request).await?;
        refused(&answer)?;
        read(&answer)
    }
}

fn refused(answer: &Answer) -> Result<(), ProviderError> {
    let said = || serde_json::from_slice::<Said>(&answer.body).map(|said| said.error).unwrap_or_default();
    Err(match answer.status.as_u16() {
        200 => return Ok(()),
        400 => ProviderError::BadRequest(said()),
        401 => ProviderError::KeyMissing(said()),
        403 => ProviderError::KeyRefused(said()),
        404 => ProviderError::NotFound(said()),
        501 => ProviderError::NotSupported(said()),
        503 => ProviderError::Unavailable(said()),
        other => ProviderError::Status(other),
    })
}

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, ProviderError> {
    if answer.body.iter().all(u8::is_ascii_whitespace) {
        return Err(ProviderError::Empty);
    }
    serde_json::from_slice(&answer.body).map_err(|error| {
        if error.is_data() {
            return ProviderError::Shape(error.to_string());
        }
        let kind = answer.content_type.clone().unwrap_or_else(|| "something without a name".to_owned());
        let json = matches!(kind.as_str(), "application/json" | "text/json");
        ProviderError::NotJson(if json { format!("broken JSON ({error})") } else { kind })
    })
}
