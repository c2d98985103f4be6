//! The price provider, as the sweep and the people here share it: one breaker for both, and so many questions a person.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use axum::http::StatusCode;
use domain::{ids::UserId, text::HttpUrl};
use reqwest::{Method, Request};
use sqlx::PgPool;
use tokio::sync::{Semaphore, SemaphorePermit};
use workers::{
    outbound::{Limits, Outbound},
    provider::{self, Provider, ProviderError, whole},
    sources::{SourceError, Sources},
};

use crate::{
    config::Config,
    guard::limiter::Limiter,
    neighbours::TOO_MANY_LOOKUPS,
    problem::{BUSY, INVALID_FIELD, Kind, Problem},
};

/// How many questions one person has at once: two batches of wishes.
pub const BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(59);
/// How long until one of them comes back.
pub const REPLENISHED_EVERY: Duration = Duration::from_secs(2);
/// How long an image may take.
const IMAGE_WITHIN: Duration = Duration::from_secs(15);
/// How large one may be: as large as one that is uploaded.
const LARGEST_IMAGE: usize = 16 << 20;
/// How many pasted pages are read at once.
const PAGES_AT_ONCE: usize = 2;
/// How long one waits until it is read.
const PAGE_WAITS: Duration = Duration::from_secs(5);
/// How long a source rests that failed several times in a row, in seconds.
const REST: i64 = 300;

/// Nobody can be asked.
pub const NO_PROVIDER: Kind = Kind::new(
    StatusCode::CONFLICT,
    "no_price_provider",
    "no price provider is configured here, so no store can be asked; add the figure by hand, or from a pasted page",
);
/// No such store, or a page of none.
pub const STORE_UNKNOWN: Kind = Kind::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "store_unknown",
    "none of the stores that can be asked is meant; see GET /api/external/stores",
);
/// 400
pub const NOT_UNDERSTOOD: Kind = Kind::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "address_not_understood",
    "the provider does not understand what it was asked; check the address",
);
/// 401, 403
pub const KEY_REFUSED: Kind = Kind::new(
    StatusCode::BAD_GATEWAY,
    "provider_key_refused",
    "the provider does not take this instance's key; whoever runs it has to set FIGURE_PROXY_KEY",
);
/// 404
pub const PRODUCT_NOT_FOUND: Kind = Kind::new(
    StatusCode::NOT_FOUND,
    "product_not_found",
    "the store has nothing at this address; check it, or add the figure by hand",
);
/// 501
pub const STORE_NOT_SUPPORTED: Kind = Kind::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "store_not_supported",
    "the provider cannot ask this store; try another, or add the figure by hand",
);
/// 503
pub const STORE_UNAVAILABLE: Kind = Kind::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "store_unavailable",
    "the store does not answer the provider at the moment; try again later, or add the figure by hand",
);
/// It failed several times in a row.
pub const RESTING: Kind = Kind::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "provider_resting",
    "it failed several times in a row and is left alone for a while; add the figure by hand, or try again later",
);
/// It cannot be reached.
pub const UNREACHABLE: Kind = Kind::new(
    StatusCode::BAD_GATEWAY,
    "provider_unreachable",
    "the provider cannot be reached; try again later, or add the figure by hand",
);
/// It answers with something else.
pub const UNUSABLE: Kind = Kind::new(
    StatusCode::BAD_GATEWAY,
    "provider_unusable",
    "the provider's answer cannot be used; tell whoever runs this instance, or add the figure by hand",
);

/// What every route that asks the provider may refuse.
pub const PROBLEMS: &[Kind] = &[
    NO_PROVIDER,
    STORE_UNKNOWN,
    NOT_UNDERSTOOD,
    KEY_REFUSED,
    PRODUCT_NOT_FOUND,
    STORE_NOT_SUPPORTED,
    STORE_UNAVAILABLE,
    RESTING,
    UNREACHABLE,
    UNUSABLE,
    TOO_MANY_LOOKUPS,
];

/// The provider, and who asks it.
pub struct Outside {
    /// Who is asked; none when the operator named nobody.
    pub provider: Option<Arc<Provider>>,
    /// What it is asked.
    pub sources: Sources,
    /// Questions that one person caused.
    pub lookups: Limiter<UserId>,
    pages: Semaphore,
    images: Option<Outbound>,
}

impl Outside {
    /// Puts them together from the settings.
    #[must_use]
    pub fn new(config: &Config, pool: &PgPool) -> Self {
        let provider = config.price_provider.clone().and_then(|address| {
            Provider::new(address, provider::Options::default())
                .inspect_err(|error| tracing::error!(%error, "the price provider cannot be asked"))
                .ok()
        });
        let provider = provider.map(Arc::new);
        let sources = Sources::new(pool.clone(), provider.clone());
        let enabled = config.rate_limit_enabled;
        let lookups = Limiter::new(enabled, BURST, REPLENISHED_EVERY, TOO_MANY_LOOKUPS);
        let limits = Limits { whole: IMAGE_WITHIN, bytes: LARGEST_IMAGE, ..Limits::default() };
        let images = Outbound::guarded(config.outbound_allowed.clone(), limits)
            .inspect_err(|error| tracing::error!(%error, "no images can be fetched"))
            .ok();
        Self { provider, sources, lookups, pages: Semaphore::new(PAGES_AT_ONCE), images }
    }

    /// A place among the few pasted pages that are read at once.
    ///
    /// # Errors
    /// 503 `busy` with `Retry-After` when there is none for five seconds.
    pub async fn reading_page(&self) -> Result<SemaphorePermit<'_>, Problem> {
        match tokio::time::timeout(PAGE_WAITS, self.pages.acquire()).await {
            Ok(permit) => permit.map_err(Problem::internal),
            Err(_late) => Err(Problem::from(BUSY)
                .detail("too many pages are being read at once; try again in a moment")
                .header(axum::http::header::RETRY_AFTER, 5_i64)),
        }
    }

    /// The image at an address that a page of a store names, through the guard.
    ///
    /// # Errors
    /// A sentence that says why there is none.
    pub async fn image(&self, address: &HttpUrl) -> Result<Vec<u8>, String> {
        let images = self.images.as_ref().ok_or("no images can be fetched here")?;
        let url = whole(address.as_str()).ok_or("the address of the picture is none")?;
        let answer = images.send(Request::new(Method::GET, url)).await.map_err(|error| error.to_string())?;
        if answer.status.as_u16() != 200 {
            return Err(format!("the address of the picture answers with status {}", answer.status.as_u16()));
        }
        Ok(answer.body)
    }
}

impl From<SourceError> for Problem {
    fn from(error: SourceError) -> Self {
        let detail = error.to_string();
        match error {
            SourceError::NoProvider => NO_PROVIDER.into(),
            SourceError::NotAStore(_) => Self::from(STORE_UNKNOWN).detail(detail).field("url"),
            SourceError::UnknownStore(_) => Self::from(STORE_UNKNOWN).detail(detail).field("store"),
            SourceError::TooLong => Self::from(INVALID_FIELD).detail(detail).field("url"),
            SourceError::Database(error) => error.into(),
            SourceError::Provider(error) => error.into(),
        }
    }
}

impl From<ProviderError> for Problem {
    fn from(error: ProviderError) -> Self {
        let detail = error.to_string();
        let kind = match error {
            ProviderError::BadRequest(_) => NOT_UNDERSTOOD,
            ProviderError::KeyMissing(_) | ProviderError::KeyRefused(_) => KEY_REFUSED,
            ProviderError::NotFound(_) => PRODUCT_NOT_FOUND,
            ProviderError::NotSupported(_) => STORE_NOT_SUPPORTED,
            ProviderError::Unavailable(_) => STORE_UNAVAILABLE,
            ProviderError::Resting(_) => RESTING,
            ProviderError::Outbound(_) if error.code() != "too_large" => UNREACHABLE,
            _ => UNUSABLE,
        };
        let problem = Self::from(kind).detail(detail);
        match kind.code() {
            "provider_resting" => problem.header(axum::http::header::RETRY_AFTER, REST),
            "store_unavailable" => problem.header(axum::http::header::RETRY_AFTER, 60_i64),
            _ => problem,
        }
    }
}
