//! `?as_of=`: one's own lists as they were at a past time or position.
//!
//! ```ignore
//! let scene = as_of::scene(&state, user.id, query.as_of.as_deref()).await?;
//! let pieces = collection::list(scene.reading(&state.pool), user.id, …).await?;
//! Ok(Json(PageAsOf::new(Page::cut(pieces, …), scene)))
//! ```

use std::time::Duration;

use axum::http::{StatusCode, header};
use chrono::{DateTime, NaiveDate, Utc};
use domain::{ids::UserId, stream::Position};
use projections::{
    engine::EngineError,
    past::{Past, PastError, Reading},
};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tokio::sync::{Semaphore, SemaphorePermit};
use utoipa::{IntoParams, ToSchema};

use crate::{
    answer::Written,
    pages::Page,
    problem::{
        BUSY, INVALID_FIELD, Kind, MALFORMED_QUERY, NOT_READABLE_YET, Problem, STREAM_UNREADABLE,
        UNKNOWN_PARAMETER,
    },
    state::AppState,
};

/// What is asked for lies in the future, or is neither a time nor a position.
pub const INVALID_AS_OF: Kind = Kind::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "invalid_as_of",
    "give a past RFC 3339 time such as 2026-11-02T08:15:00Z (+ is written %2B), or a position of the log",
)
.on("as_of");
/// Folding it back would take too long.
pub const TOO_MUCH_HISTORY: Kind = Kind::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "too_much_history",
    "more than 200,000 events lie before that, which is too much to go through for one answer",
);
/// What a route that takes `as_of` may refuse because of it.
pub const PROBLEMS: &[Kind] = &[
    INVALID_AS_OF,
    TOO_MUCH_HISTORY,
    NOT_READABLE_YET,
    BUSY,
    STREAM_UNREADABLE,
    MALFORMED_QUERY,
    INVALID_FIELD,
    UNKNOWN_PARAMETER,
];

/// How many pasts are folded at once in this process; each holds somebody's whole collection in memory.
const AT_ONCE: usize = 4;
/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

static TURNS: Semaphore = Semaphore::const_new(AT_ONCE);

/// Waits for room to fold somebody's events.
///
/// # Errors
/// `busy`.
pub async fn turn() -> Result<SemaphorePermit<'static>, Problem> {
    match tokio::time::timeout(PATIENCE, TURNS.acquire()).await {
        Ok(Ok(permit)) => Ok(permit),
        _late => Err(Problem::from(BUSY).header(header::RETRY_AFTER, 1_i64)),
    }
}

impl From<PastError> for Problem {
    fn from(error: PastError) -> Self {
        match error {
            PastError::TooMany => TOO_MUCH_HISTORY.into(),
            // The live read model stands still before that event, too, until somebody sees to it.
            PastError::Engine(error @ EngineError::Failed { .. }) => {
                tracing::warn!(%error, "a past cannot be folded");
                Self::from(NOT_READABLE_YET).header(header::RETRY_AFTER, 60_i64)
            }
            PastError::Engine(error) => error.into(),
        }
    }
}

/// What is asked for besides the path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AtTime {
    /// As it was then: an RFC 3339 time or a position of the log. Names and pictures are today's.
    #[param(example = "2026-11-02T08:15:00Z")]
    pub as_of: Option<String>,
}

/// How one thing of one's own is opened.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OpenAt {
    /// As it was then: an RFC 3339 time or a position of the log. Names and pictures are today's.
    #[param(example = "2026-11-02T08:15:00Z")]
    pub as_of: Option<String>,
    /// True to see an NSFW figure in spite of hiding them.
    #[serde(default)]
    #[param(required = false, default = false)]
    pub confirm_nsfw: bool,
}

/// The moment that an answer is about.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(example = json!({"position": 4711, "at": "2026-11-02T08:15:00Z", "catalogue": "current"}))]
pub struct AsOf {
    /// The last event of the log that counts, or the position that was asked for.
    position: i64,
    /// The time that was asked for; of a position, when its event was recorded; null before the first.
    at: Option<DateTime<Utc>>,
    /// Always `current`: what figures, makers, series and stores are called, and every other fact of the
    /// shared catalogue, is today's. Merged figures and stores appear as the ones that continue them.
    catalogue: &'static str,
}

/// A page, and the moment it is about.
#[derive(Debug, Serialize, ToSchema)]
pub struct PageAsOf<T> {
    /// The items, in the listing's order.
    items: Vec<T>,
    /// Give it as `cursor` to get the next page; null on the last one.
    next_cursor: Option<String>,
    /// Only where `as_of` was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<AsOf>,
}

impl<T> PageAsOf<T> {
    /// Says of which moment the page is.
    pub fn new(page: Page<T>, scene: &Scene) -> Self {
        Self { items: page.items, next_cursor: page.next_cursor, as_of: scene.view }
    }
}

/// One thing, and the moment it is about.
#[derive(Debug, Serialize, ToSchema)]
pub struct ThingAsOf<T> {
    #[serde(flatten)]
    thing: T,
    /// Only where `as_of` was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<AsOf>,
}

impl<T: Serialize> ThingAsOf<T> {
    /// Says of which moment the thing is. What it was once has no version that a write could name.
    pub fn written(thing: T, version: impl std::fmt::Display, scene: &Scene) -> Written<Self> {
        let written = Written::done(Self { thing, as_of: scene.view });
        if scene.view.is_some() { written } else { written.version(version) }
    }
}

impl<T: Serialize> ThingAsOf<T> {
    /// The same of something that is only read.
    pub const fn new(thing: T, scene: &Scene) -> Self {
        Self { thing, as_of: scene.view }
    }
}

/// Now, or a moment of the past.
pub struct Scene {
    past: Option<Past>,
    view: Option<AsOf>,
    today: NaiveDate,
    _turn: Option<SemaphorePermit<'static>>,
}

impl Scene {
    /// The live tables, today.
    #[must_use]
    pub fn now() -> Self {
        Self { past: None, view: None, today: Utc::now().date_naive(), _turn: None }
    }

    /// Where queries find one's own rows.
    #[must_use]
    pub const fn reading<'a>(&'a self, pool: &'a PgPool) -> Reading<'a> {
        Reading::of(pool, self.past.as_ref())
    }

    /// The UTC day that it is or was.
    #[must_use]
    pub const fn today(&self) -> NaiveDate {
        self.today
    }

    /// The moment, where one was asked for.
    #[must_use]
    pub const fn view(&self) -> Option<AsOf> {
        self.view
    }
}

/// Sets the scene: now when nothing is given, else the person's own half as it was.
///
/// # Errors
/// [`PROBLEMS`].
pub async fn scene(state: &AppState, user: UserId, as_of: Option<&str>) -> Result<Scene, Problem> {
    let now = Scene::now();
    let Some(text) = as_of else { return Ok(now) };
    let view = moment(state, text).await?;
    let turn = turn().await?;
    let past = Past::of(&state.projections, user, Position(view.position)).await?;
    let today = view.at.map_or(now.today, |at| at.date_naive());
    Ok(Scene { past: Some(past), view: Some(view), today, _turn: Some(turn) })
}

/// The person's own half as one write left it, to answer that write when the thing is gone by then: another device
/// deleted it, or a merge turned a wish into something owned. What was accepted is not answered "there is none".
///
/// # Errors
/// As [`scene`].
pub async fn left_by(state: &AppState, user: UserId, position: Position) -> Result<Scene, Problem> {
    let turn = turn().await?;
    let past = Past::of(&state.projections, user, position).await?;
    Ok(Scene { past: Some(past), _turn: Some(turn), ..Scene::now() })
}

async fn moment(state: &AppState, text: &str) -> Result<AsOf, Problem> {
    let future = || Problem::from(INVALID_AS_OF).detail("that has not happened yet");
    let (position, at) = if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let position: Position = text.parse().map_err(|_too_large| future())?;
        if position > state.store.head().await? {
            return Err(future());
        }
        (position, state.store.recorded_at(position).await?)
    } else {
        let at = DateTime::parse_from_rfc3339(text).map_err(|_neither| INVALID_AS_OF)?.to_utc();
        // A clock that was set back must not make the newest events unreachable.
        if at > Utc::now() && state.store.recorded_at(Position(i64::MAX)).await?.is_none_or(|last| at > last)
        {
            return Err(future());
        }
        (state.store.position_at(at).await?, Some(at))
    };
    Ok(AsOf { position: position.0, at, catalogue: "current" })
}
