//! Asking AniList: as seldom as can be, and no faster than it likes.

use super::answer::{Candidate, QUESTION, read};
use crate::manga::outbound_code;
use crate::outbound::{Limits, Outbound, OutboundError};
use crate::provider::Breakers;
use chrono::{SubsecRound, TimeDelta, Utc};
use domain::text::{Name, folded};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use operational::external_lookups::{self, Lookup};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request, StatusCode};
use serde_json::json;
use sqlx::PgPool;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Its name in `external_lookups`.
const PROVIDER: &str = "anilist";
/// How long an answer holds: which series there are changes slowly.
const HOLDS_FOR: TimeDelta = TimeDelta::days(7);
/// The name under which it rests.
const ITSELF: &str = "AniList";

/// What the operator says of AniList, when it may be asked at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AniListSettings {
    /// Its GraphQL endpoint. This very address may be a private one.
    pub base_url: Url,
}

impl AniListSettings {
    /// The public endpoint.
    pub const DEFAULT_BASE_URL: &'static str = "https://graphql.anilist.co";

    /// The endpoint that a text names: http or https, without user, query and fragment.
    #[must_use]
    pub fn endpoint(text: &str) -> Option<Url> {
        let url: Url = text.parse().ok()?;
        let plain = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        plain.then_some(url)
    }
}

/// How AniList is asked.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How long and how large an answer may be.
    pub limits: Limits,
    /// After so many failures in a row it rests.
    pub failures: u32,
    /// For so long.
    pub rest: Duration,
    /// How many questions at once, and how long until there is another one. It allows ninety a minute, and thirty
    /// when it is not well.
    pub burst: NonZeroU32,
    /// See `burst`.
    pub pace: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits {
                connect: Duration::from_secs(5),
                whole: Duration::from_secs(10),
                bytes: 1 << 20,
            },
            failures: 5,
            rest: Duration::from_secs(300),
            burst: NonZeroU32::MIN.saturating_add(4),
            pace: Duration::from_secs(2),
        }
    }
}

/// Why there are no candidates.
#[derive(Debug, thiserror::Error)]
pub enum AniListError {
    /// Too many questions at once; wait so long.
    #[error("too many questions are asked of AniList at the moment")]
    Busy(Duration),
    /// 429: it says that there are too many.
    #[error("AniList wants fewer questions")]
    TooMany,
    /// Any other status but 200.
    #[error("AniList answers with status {0}")]
    Status(u16),
    /// It is no answer.
    #[error("AniList's answer cannot be read: {0}")]
    Unreadable(String),
    /// It failed several times in a row.
    #[error("AniList failed several times in a row and is left alone for a few minutes")]
    Resting,
    /// It cannot be reached.
    #[error("AniList cannot be asked: {0}")]
    Outbound(#[from] OutboundError),
    /// The database's own trouble.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl AniListError {
    /// A word for it, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Busy(_) => "busy",
            Self::TooMany => "too_many",
            Self::Status(_) => "unexpected_status",
            Self::Unreadable(_) => "unreadable",
            Self::Resting => "resting",
            Self::Database(_) => "database",
            Self::Outbound(error) => outbound_code(error),
        }
    }
}

/// What asks AniList. A clone is the same.
#[derive(Clone)]
pub struct AniList(Arc<Inner>);

struct Inner {
    pool: PgPool,
    outbound: Outbound,
    endpoint: Url,
    breakers: Breakers,
    pace: Option<DefaultDirectRateLimiter>,
}

impl AniList {
    /// Asks the endpoint of these settings, and nothing else.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(pool: &PgPool, settings: &AniListSettings, options: Options) -> Result<Self, reqwest::Error> {
        let quota = Quota::with_period(options.pace).map(|quota| quota.allow_burst(options.burst));
        let inner = Inner {
            pool: pool.clone(),
            outbound: Outbound::only(&settings.base_url, options.limits)?,
            endpoint: settings.base_url.clone(),
            breakers: Breakers::new(options.failures, options.rest),
            pace: quota.map(RateLimiter::direct),
        };
        Ok(Self(Arc::new(inner)))
    }

    /// The manga that a name may mean, the likeliest first; at most ten. What was asked within a week is not asked
    /// again.
    ///
    /// # Errors
    /// [`AniListError`]; what failed is not kept.
    pub async fn candidates(&self, name: &Name) -> Result<Lookup<Vec<Candidate>>, AniListError> {
        let key = folded(name.as_str());
        let kept: Option<Lookup<Vec<Candidate>>> =
            external_lookups::get(&self.0.pool, PROVIDER, &key).await?;
        if let Some(kept) = kept.filter(|kept| kept.holds(Utc::now(), HOLDS_FOR)) {
            return Ok(kept);
        }
        if !self.0.breakers.permits(ITSELF) {
            return Err(AniListError::Resting);
        }
        if let Some(pace) = &self.0.pace {
            let wait =
                |not_until: governor::NotUntil<_>| not_until.wait_time_from(DefaultClock::default().now());
            pace.check().map_err(|not_until| AniListError::Busy(wait(not_until)))?;
        }
        let asked = self.ask(name).await;
        match &asked {
            Ok(_) => self.0.breakers.succeeded(ITSELF),
            Err(_) => self.0.breakers.failed(ITSELF),
        }
        let (payload, fetched_at) = (asked?, Utc::now().trunc_subsecs(6));
        external_lookups::put(&self.0.pool, PROVIDER, &key, &payload, fetched_at).await?;
        Ok(Lookup { payload, fetched_at })
    }

    async fn ask(&self, name: &Name) -> Result<Vec<Candidate>, AniListError> {
        let mut request = Request::new(Method::POST, self.0.endpoint.clone());
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(ACCEPT, json.clone());
        request.headers_mut().insert(CONTENT_TYPE, json);
        let question = json!({"query": QUESTION, "variables": {"search": name.as_str()}});
        *request.body_mut() = Some(question.to_string().into());
        let answer = self.0.outbound.send(request).await?;
        match answer.status {
            StatusCode::OK => read(&answer.body).map_err(AniListError::Unreadable),
            StatusCode::TOO_MANY_REQUESTS => Err(AniListError::TooMany),
            other => Err(AniListError::Status(other.as_u16())),
        }
    }
}
