//! What is asked of MangaCollector servers and AniList, and how often people may have them asked.

use std::{num::NonZeroU32, time::Duration};

use axum::http::StatusCode;
use chrono::Utc;
use domain::ids::UserId;
use operational::manga_tellings;
use sqlx::PgPool;
use tracing::Instrument as _;
use workers::{
    anilist::{self, AniList},
    manga::{self, Manga},
};

use crate::{
    config::Config,
    guard::{limiter::Limiter, open_reads::OpenReads},
    problem::Kind,
    state::AppState,
    telemetry,
};

/// Others have to be asked too often for one person.
pub const TOO_MANY_LOOKUPS: Kind = Kind::new(
    StatusCode::TOO_MANY_REQUESTS,
    "too_many_lookups",
    "you had others asked too often; wait as long as Retry-After says",
);

/// How many questions one person has at once.
pub const BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);
/// How long until one of them comes back.
pub const REPLENISHED_EVERY: Duration = Duration::from_secs(30);

/// How often it is looked whether somebody is still to be told of a reviewed manga server.
const LOOKED_EVERY: Duration = Duration::from_secs(5);

/// Tells those who linked a manga server of its reviews, batch by batch, until the server stops.
pub async fn keep_telling(state: AppState) {
    loop {
        let telling = manga_tellings::tell_some(&state.pool, Utc::now());
        let more = match telling.instrument(telemetry::background("manga_tellings")).await {
            Ok(more) => more,
            Err(error) => {
                tracing::warn!(%error, "those who linked a manga server could not be told; it is tried again");
                false
            }
        };
        let rest = if more { Duration::ZERO } else { LOOKED_EVERY };
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            () = state.stopping() => return,
        }
    }
}

/// The systems beside this one.
pub struct Neighbours {
    /// MangaCollector servers.
    pub manga: Manga,
    /// AniList, when the operator lets it be asked.
    pub anilist: Option<AniList>,
    /// Questions to either that one person caused.
    pub lookups: Limiter<UserId>,
    /// Requests for what anybody may read, per address.
    pub open_reads: OpenReads,
}

impl Neighbours {
    /// Puts them together from the settings.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(config: &Config, pool: &PgPool) -> Result<Self, reqwest::Error> {
        let manga = Manga::new(pool, config.outbound_allowed.clone(), manga::Options::default())?;
        let anilist = config.anilist.as_ref();
        let anilist =
            anilist.map(|settings| AniList::new(pool, settings, anilist::Options::default())).transpose()?;
        let enabled = config.rate_limit_enabled;
        let lookups = Limiter::new(enabled, BURST, REPLENISHED_EVERY, TOO_MANY_LOOKUPS);
        Ok(Self { manga, anilist, lookups, open_reads: OpenReads::new(enabled) })
    }
}
