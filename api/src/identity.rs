//! Sessions: who a request comes from, signing in and out.
//!
//! The cookie holds nothing but a random id; the session itself is a row of `tower_sessions`. It names the
//! account and the generation of its sessions: raising the account's generation ends them all at once.

use axum::http::request::Parts;
use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::UserId;
use operational::{
    sessions,
    users::{self, User},
};
use serde::{Deserialize, Serialize};
use time::Duration;
use tower_sessions::{Expiry, Session, SessionManagerLayer, cookie::SameSite, session, session_store};
use tower_sessions_sqlx_store::PostgresStore;

use crate::{problem::Problem, state::AppState};

/// The name of the session cookie.
pub const COOKIE: &str = "figure_ledger_session";
const KEY: &str = "signed_in";
/// A session that is not used for this long is over.
const LIFETIME: Duration = Duration::days(30);
/// A used session is written back at most this often, to prolong it.
const RENEWED_EVERY: TimeDelta = TimeDelta::days(1);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct SignedIn {
    user_id: UserId,
    generation: i32,
    renewed_at: DateTime<Utc>,
}

/// Who a request comes from.
#[derive(Debug, Clone)]
pub enum Visitor {
    /// Nobody is signed in.
    Anonymous,
    /// Somebody who was suspended since they signed in.
    Suspended,
    /// This person.
    Known(Box<User>),
}

/// The layer that gives requests their session.
///
/// # Errors
/// Never in practice: the table's fixed name is checked as if it were input.
pub fn layer(state: &AppState) -> Result<SessionManagerLayer<PostgresStore>, String> {
    let (schema, table) = sessions::TABLE;
    let store = PostgresStore::new(state.pool.clone()).with_schema_name(schema)?.with_table_name(table)?;
    Ok(SessionManagerLayer::new(store)
        .with_name(COOKIE)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_path("/")
        .with_secure(state.config.public_url.as_ref().is_some_and(|url| url.is_https()))
        .with_expiry(Expiry::OnInactivity(LIFETIME)))
}

/// Sessions are rows: what goes wrong with one that can be read at all is the database's absence.
fn unreadable(error: session::Error) -> Problem {
    match error {
        session::Error::Store(session_store::Error::Backend(cause)) => Problem::away(cause),
        other => Problem::internal(other),
    }
}

/// Finds out who a request comes from. The answer is kept with the request, so asking again costs nothing.
///
/// # Errors
/// When the database does not answer.
pub async fn visitor(parts: &mut Parts, state: &AppState) -> Result<Visitor, Problem> {
    if let Some(known) = parts.extensions.get::<Visitor>() {
        return Ok(known.clone());
    }
    let session = parts.extensions.get::<Session>().cloned();
    let visitor = match session {
        Some(session) => resolve(&session, state).await?,
        None => Visitor::Anonymous,
    };
    parts.extensions.insert(visitor.clone());
    Ok(visitor)
}

async fn resolve(session: &Session, state: &AppState) -> Result<Visitor, Problem> {
    let Some(mut signed_in) = session.get::<SignedIn>(KEY).await.map_err(unreadable)? else {
        return Ok(Visitor::Anonymous);
    };
    let Some(user) = users::by_id(&state.pool, signed_in.user_id).await? else {
        return Ok(Visitor::Anonymous);
    };
    if user.suspended_at.is_some() {
        return Ok(Visitor::Suspended);
    }
    if user.session_generation != signed_in.generation {
        return Ok(Visitor::Anonymous);
    }
    let now = Utc::now();
    if now.signed_duration_since(signed_in.renewed_at) > RENEWED_EVERY {
        signed_in.renewed_at = now;
        session.insert(KEY, signed_in).await.map_err(unreadable)?;
    }
    Ok(Visitor::Known(Box::new(user)))
}

/// Signs somebody in under a fresh session id, whatever the session held before.
///
/// # Errors
/// When the session cannot be written.
pub async fn sign_in(session: &Session, user: &User) -> Result<(), Problem> {
    session.clear().await;
    session.cycle_id().await.map_err(unreadable)?;
    let signed_in =
        SignedIn { user_id: user.id, generation: user.session_generation, renewed_at: Utc::now() };
    session.insert(KEY, signed_in).await.map_err(unreadable)
}

/// Ends the session and takes its cookie away. Without one it does nothing.
///
/// # Errors
/// When the session cannot be deleted.
pub async fn sign_out(session: &Session) -> Result<(), Problem> {
    session.flush().await.map_err(unreadable)
}
