//! Asking MangaCollector servers.

use super::error::{Failure, MangaError};
use super::profile::Profile;
use crate::outbound::{AllowedNetworks, Limits, Outbound, OutboundError};
use crate::provider::Breakers;
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use operational::external_lookups::{self, Lookup};
use operational::manga_links::{self, FAILURES, PROVIDER, Page};
use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::{Method, Request};
use sqlx::PgPool;
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use url::Url;
use uuid::Uuid;

/// How long a page holds once it was had.
pub const HOLDS_FOR: TimeDelta = TimeDelta::hours(24);
/// How long a page that failed is left alone, unless somebody asks for it by name.
pub const RESTS_FOR: TimeDelta = TimeDelta::minutes(10);
/// Pages that are asked for at the same time wait for one another by this many locks.
const LOCKS: usize = 64;
/// How long somebody's turn at a server is waited for.
const TURN_WITHIN: Duration = Duration::from_secs(10);

/// How servers are asked.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How long and how large a page may be.
    pub limits: Limits,
    /// After so many failures in a row a server rests.
    pub failures: u32,
    /// For so long.
    pub rest: Duration,
    /// How many pages of one server are asked for in a second.
    pub pace: NonZeroU32,
}

impl Default for Options {
    fn default() -> Self {
        let limits =
            Limits { connect: Duration::from_secs(5), whole: Duration::from_secs(10), bytes: 5 << 20 };
        let pace = NonZeroU32::MIN.saturating_add(1);
        Self { limits, failures: 5, rest: Duration::from_secs(300), pace }
    }
}

/// What is known of a page.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Kept {
    /// What it last said, and when.
    pub profile: Option<Lookup<Profile>>,
    /// Why it said nothing since.
    pub failure: Option<Lookup<Failure>>,
}

impl Kept {
    /// Whether what it last said still holds.
    #[must_use]
    pub fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        self.profile.as_ref().is_some_and(|profile| profile.holds(now, HOLDS_FOR))
    }

    /// Whether it failed a moment ago.
    #[must_use]
    pub fn rests(&self, now: DateTime<Utc>) -> bool {
        self.failure.as_ref().is_some_and(|failure| failure.holds(now, RESTS_FOR))
    }
}

/// What asks MangaCollector servers. A clone is the same.
#[derive(Clone)]
pub struct Manga(Arc<Inner>);

struct Inner {
    pool: PgPool,
    outbound: Outbound,
    breakers: Breakers,
    pace: DefaultKeyedRateLimiter<Uuid>,
    locks: Vec<Mutex<()>>,
    hasher: RandomState,
}

impl Manga {
    /// Asks servers on the public internet and in networks that the operator opened.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(pool: &PgPool, allowed: AllowedNetworks, options: Options) -> Result<Self, reqwest::Error> {
        let inner = Inner {
            pool: pool.clone(),
            outbound: Outbound::guarded(allowed, options.limits)?,
            breakers: Breakers::new(options.failures, options.rest),
            pace: RateLimiter::keyed(Quota::per_second(options.pace)),
            locks: (0..LOCKS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
        };
        Ok(Self(Arc::new(inner)))
    }

    /// Whether an address may be asked at all, as far as can be told without looking its name up.
    ///
    /// # Errors
    /// What the guard says.
    pub fn check(&self, url: &Url) -> Result<(), OutboundError> {
        self.0.outbound.check(url)
    }

    /// What is known of a page, without asking.
    ///
    /// # Errors
    /// Whatever the database reports.
    pub async fn kept(&self, page: &Page) -> sqlx::Result<Kept> {
        let key = page.key();
        Ok(Kept {
            profile: external_lookups::get(&self.0.pool, PROVIDER, &key).await?,
            failure: external_lookups::get(&self.0.pool, FAILURES, &key).await?,
        })
    }

    /// Asks for a page, and keeps what it says or why it says nothing. The caller has seen to it that its server is
    /// approved. Who asks while somebody else does waits, and takes what they get.
    ///
    /// # Errors
    /// [`MangaError`].
    pub async fn fetch(&self, page: &Page) -> Result<Lookup<Profile>, MangaError> {
        let begun = Utc::now().trunc_subsecs(6);
        let _turn = match self.lock(&page.key()) {
            Some(lock) => Some(lock.lock().await),
            None => None,
        };
        let kept = self.kept(page).await?;
        if let Some(profile) = kept.profile.filter(|profile| profile.fetched_at > begun) {
            return Ok(profile);
        }
        if let Some(failure) = kept.failure.filter(|failure| failure.fetched_at > begun) {
            return Err(MangaError::Noted(failure.payload));
        }
        let asked = self.ask_politely(page).await;
        let now = Utc::now().trunc_subsecs(6);
        let said = match &asked {
            Ok(profile) => Some(Ok(profile)),
            Err(error) => error.failure().map(Err),
        };
        match said {
            Some(Ok(profile)) => {
                manga_links::keep::<_, Failure>(&self.0.pool, page, Ok(profile), now).await?
            }
            Some(Err(failure)) => {
                tracing::info!(server = page.base_url, code = failure.code, "a manga shelf cannot be read");
                manga_links::keep::<Profile, _>(&self.0.pool, page, Err(&failure), now).await?
            }
            None => false,
        };
        asked.map(|payload| Lookup { payload, fetched_at: now })
    }

    fn lock(&self, key: &str) -> Option<&Mutex<()>> {
        let place = self.0.hasher.hash_one(key) % u64::try_from(LOCKS).unwrap_or(1);
        self.0.locks.get(usize::try_from(place).unwrap_or_default())
    }

    async fn ask_politely(&self, page: &Page) -> Result<Profile, MangaError> {
        let server = page.server_id.to_string();
        if !self.0.breakers.permits(&server) {
            return Err(MangaError::Resting);
        }
        let turn = self.0.pace.until_key_ready(&page.server_id);
        tokio::time::timeout(TURN_WITHIN, turn).await.map_err(|_late| MangaError::Busy)?;
        let asked = self.ask(page).await;
        if asked.as_ref().is_err_and(MangaError::is_the_servers) {
            self.0.breakers.failed(&server);
        } else {
            self.0.breakers.succeeded(&server);
        }
        asked
    }

    async fn ask(&self, page: &Page) -> Result<Profile, MangaError> {
        let address = format!("{}/api/public/u/{}", page.base_url, page.slug);
        let url: Url = address.parse().map_err(|_none| OutboundError::Scheme)?;
        let mut request = Request::new(Method::GET, url);
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        let answer = self.0.outbound.send(request).await?;
        match answer.status.as_u16() {
            200 => Ok(Profile::read(&answer.body, answer.content_type.as_deref())?),
            404 | 410 => Err(MangaError::NoPage),
            other => Err(MangaError::Status(other)),
        }
    }
}
