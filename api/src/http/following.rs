//! `/api/me/following`, `/api/me/followers` and `/api/discover`: other people, as far as they show themselves.

use axum::{Json, extract::State, http::StatusCode, middleware::from_fn_with_state};
use chrono::{DateTime, Utc};
use operational::{
    following::{self, FollowKey, Person},
    users::{User, Username},
};
use projections::profiles;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer::Written,
    extract::{CurrentUser, Path, Query},
    guard::fresh,
    pages::{Cursor, Limit, Page},
    problem::{self, INVALID_FIELD, Kind, NOT_FOUND, Problem},
    problems,
    shown::PublicNsfw,
    state::AppState,
};

/// The read models that people's pieces are counted in.
const READS: &[&str] = &["collection", "figures"];
/// Most characters of a search.
const LONGEST_SEARCH: usize = 200;

const CANNOT_FOLLOW_ONESELF: Kind = Kind::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "cannot_follow_oneself",
    "one cannot follow oneself; give another person's name",
)
.on("username");

problems!(ListProblems = problem::SIGNED_IN, problem::LISTING);
problems!(FollowProblems = problem::SIGNED_IN, problem::WRITE, &[NOT_FOUND, CANNOT_FOLLOW_ONESELF]);
problems!(UnfollowProblems = problem::SIGNED_IN, problem::WRITE, &[NOT_FOUND]);

/// The routes of this resource.
pub fn routes(state: &AppState) -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(followed))
        .routes(routes!(follow, unfollow))
        .routes(routes!(followers))
        .routes(routes!(discover))
        .layer(from_fn_with_state(fresh::reads(state, READS), fresh::wait))
}

/// Which part of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListFollowing {
    /// How many to list.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// Where the page before ended: its `next_cursor`.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<FollowKey>>,
}

/// Whom to look for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Discover {
    /// A part of their name, in whatever case.
    #[param(max_length = 200)]
    q: Option<String>,
    /// How many to list.
    #[serde(default)]
    #[param(value_type = u16, required = false, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// Where the page before ended: its `next_cursor`.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor<String>>,
}

/// Somebody whose profile is on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Person, example = json!({
    "username": "alice",
    "pieces": 124,
    "is_followed": true,
    "followed_at": "2026-10-17T09:30:00Z"
}))]
pub struct PersonView {
    /// Their profile is at `/api/u/{username}`.
    username: String,
    /// How many pieces they show.
    pieces: i64,
    /// Whether whoever asks follows them.
    is_followed: bool,
    /// Since when one follows the other; null where that is not what is listed.
    followed_at: Option<DateTime<Utc>>,
}

/// Whether one follows somebody.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"username": "alice", "is_followed": true}))]
pub struct Followed {
    username: String,
    is_followed: bool,
}

/// The people of a page with the pieces that each of them shows to the viewer.
async fn shown<K: Serialize>(
    state: &AppState,
    viewer: &User,
    people: Vec<Person>,
    limit: Limit,
    key: impl Fn(&Person) -> K,
) -> Result<Page<PersonView>, Problem> {
    let page = Page::cut(people, limit, key, |person| person);
    let asked: Vec<_> = page
        .items
        .iter()
        .map(|person| (person.user.id, PublicNsfw::of(&person.user, Some(viewer)).leaves_out()))
        .collect();
    let pieces = profiles::pieces_of(&state.pool, &asked).await?;
    let view = |person: Person| PersonView {
        pieces: pieces.get(&person.user.id.uuid()).copied().unwrap_or_default(),
        username: person.user.username,
        is_followed: person.is_followed,
        followed_at: person.followed_at,
    };
    Ok(Page { items: page.items.into_iter().map(view).collect(), next_cursor: page.next_cursor })
}

/// Whom one follows.
///
/// For whoever is signed in. The latest first. Somebody whose profile is off, or who is suspended, is left out, and is
/// back when that is over. NSFW pieces are counted as their profiles show them.
#[utoipa::path(
    get,
    path = "/api/me/following",
    tag = "people",
    operation_id = "list_following",
    security(("session" = [])),
    params(ListFollowing),
    responses((status = 200, description = "A page of people", body = Page<PersonView>), ListProblems)
)]
async fn followed(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Query(query): Query<ListFollowing>,
) -> Result<Json<Page<PersonView>>, Problem> {
    let after = query.cursor.map(|cursor| cursor.0);
    let people = following::followed_by(&state.pool, user.id, after.as_ref(), query.limit.one_more()).await?;
    Ok(Json(shown(&state, &user, people, query.limit, Person::key).await?))
}

/// Who follows one.
///
/// For whoever is signed in. The latest first; only those whose own profile is on. NSFW pieces are counted as their
/// profiles show them.
#[utoipa::path(
    get,
    path = "/api/me/followers",
    tag = "people",
    operation_id = "list_followers",
    security(("session" = [])),
    params(ListFollowing),
    responses((status = 200, description = "A page of people", body = Page<PersonView>), ListProblems)
)]
async fn followers(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Query(query): Query<ListFollowing>,
) -> Result<Json<Page<PersonView>>, Problem> {
    let after = query.cursor.map(|cursor| cursor.0);
    let people =
        following::followers_of(&state.pool, user.id, after.as_ref(), query.limit.one_more()).await?;
    Ok(Json(shown(&state, &user, people, query.limit, Person::key).await?))
}

/// Follows somebody.
///
/// For whoever is signed in. Somebody whose profile is off is not found. Once more is the same.
#[utoipa::path(
    put,
    path = "/api/me/following/{username}",
    tag = "people",
    operation_id = "follow",
    security(("session" = [])),
    params(("username" = String, Path, description = "Their name", example = "alice")),
    responses((status = 200, description = "One follows them", body = Followed), FollowProblems)
)]
async fn follow(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(name): Path<Username>,
) -> Result<Written<Followed>, Problem> {
    if name.as_str().eq_ignore_ascii_case(&user.username) {
        return Err(CANNOT_FOLLOW_ONESELF.into());
    }
    let other = following::find(&state.pool, &name).await?.ok_or(NOT_FOUND)?;
    following::follow(&state.pool, user.id, other.id).await?;
    Ok(Written::done(Followed { username: other.username, is_followed: true }))
}

/// Follows somebody no longer.
///
/// For whoever is signed in. Also when their profile has been switched off since. Somebody whom one does not follow and
/// whose profile is off is not found.
#[utoipa::path(
    delete,
    path = "/api/me/following/{username}",
    tag = "people",
    operation_id = "unfollow",
    security(("session" = [])),
    params(("username" = String, Path, description = "Their name", example = "alice")),
    responses((status = 200, description = "One follows them no longer", body = Followed), UnfollowProblems)
)]
async fn unfollow(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(name): Path<Username>,
) -> Result<Written<Followed>, Problem> {
    let followed = following::unfollow(&state.pool, user.id, &name).await?;
    if !followed {
        following::find(&state.pool, &name).await?.ok_or(NOT_FOUND)?;
    }
    Ok(Written::done(Followed { username: name.to_string(), is_followed: false }))
}

/// Finds people.
///
/// For whoever is signed in. Those whose profile is on, oneself left out, by name. NSFW pieces are counted as their
/// profiles show them.
#[utoipa::path(
    get,
    path = "/api/discover",
    tag = "people",
    operation_id = "discover",
    security(("session" = [])),
    params(Discover),
    responses((status = 200, description = "A page of people", body = Page<PersonView>), ListProblems)
)]
async fn discover(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Query(query): Query<Discover>,
) -> Result<Json<Page<PersonView>>, Problem> {
    let q = query.q.as_deref().map(str::trim).filter(|q| !q.is_empty());
    if q.is_some_and(|q| q.chars().count() > LONGEST_SEARCH) {
        return Err(Problem::from(INVALID_FIELD).detail("q has at most 200 characters").field("q"));
    }
    let after = query.cursor.map(|cursor| cursor.0);
    // Names hold no NUL, and the database takes none.
    if after.as_ref().is_some_and(|name| name.contains('\0')) {
        return Err(problem::INVALID_CURSOR.into());
    }
    let people =
        following::discover(&state.pool, user.id, q, after.as_deref(), query.limit.one_more()).await?;
    Ok(Json(shown(&state, &user, people, query.limit, Person::name_key).await?))
}
