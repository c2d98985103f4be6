//! Sessions: who a request comes from, signing in and out.
//!
//! The cookie holds nothing but a random id; what it leads to is a row of `tower_sessions`. That names the account,
//! the generation of its sessions, and the row of `user_sessions` without which it is over: deleting that row ends
//! one session, raising the account's generation ends them all.

pub mod letters;
pub mod oidc;
mod rows;

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::{HeaderMap, header, request::Parts},
};
use chrono::{DateTime, TimeDelta, Utc};
use database::lanes::answered;
use domain::ids::UserId;
use operational::{
    sessions::{self, Lifetimes},
    users::{self, User},
};
use serde::{Deserialize, Serialize};
use time::Duration;
use tower_sessions::{Expiry, Session, SessionManagerLayer, cookie::SameSite, session, session_store};
use uuid::Uuid;

use self::rows::Rows;
use crate::{
    extract::CurrentUser,
    problem::{KEY_NOT_ALLOWED, Problem, SUSPENDED},
    state::AppState,
};

/// The name of the session cookie.
pub const COOKIE: &str = "figure_ledger_session";
const KEY: &str = "signed_in";
/// Within this time after signing in it is certain enough who sits there.
const FRESH: TimeDelta = TimeDelta::minutes(10);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct SignedIn {
    user_id: UserId,
    generation: i32,
    renewed_at: DateTime<Utc>,
    /// The row of `user_sessions`. Sessions of releases that had no such rows are over.
    #[serde(default)]
    session: Option<Uuid>,
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

/// The session that a request came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CurrentSession {
    id: Uuid,
    began_at: DateTime<Utc>,
}

/// The person who is signed in, by a session and not by a key; else as [`CurrentUser`], or 403 `key_not_allowed`.
///
/// For what a key must never do: manage keys, sessions, passwords, identities and links.
#[derive(Debug, Clone)]
pub struct InPerson {
    /// The account.
    pub user: User,
    /// What their session is called.
    pub session: Uuid,
    /// When it began.
    pub began_at: DateTime<Utc>,
}

impl InPerson {
    /// Whether they signed in just now.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        Utc::now().signed_duration_since(self.began_at) <= FRESH
    }
}

impl FromRequestParts<AppState> for InPerson {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let CurrentUser(user) = CurrentUser::from_request_parts(parts, state).await?;
        let session = parts.extensions.get::<CurrentSession>().ok_or(KEY_NOT_ALLOWED)?;
        Ok(Self { user, session: session.id, began_at: session.began_at })
    }
}

impl OptionalFromRequestParts<AppState> for InPerson {
    type Rejection = Problem;

    /// Nobody, too, for keys.
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Option<Self>, Problem> {
        let visitor = visitor(parts, state).await?;
        let session = parts.extensions.get::<CurrentSession>().copied();
        match (visitor, session) {
            (Visitor::Known(user), Some(session)) => {
                Ok(Some(Self { user: *user, session: session.id, began_at: session.began_at }))
            }
            (Visitor::Suspended, _) => Err(SUSPENDED.into()),
            _ => Ok(None),
        }
    }
}

/// The layer that gives requests their session.
///
/// # Errors
/// Never in practice: the table's fixed name is checked as if it were input.
pub fn layer(state: &AppState) -> Result<SessionManagerLayer<Rows>, String> {
    Ok(SessionManagerLayer::new(Rows::of(&state.pool, &state.lanes)?)
        .with_name(COOKIE)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_path("/")
        .with_secure(state.config.public_url.as_ref().is_some_and(|url| url.is_https()))
        .with_expiry(Expiry::OnInactivity(Duration::seconds(state.config.sessions.idle.num_seconds()))))
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
    let (visitor, current) = match session {
        Some(session) => resolve(&session, state).await?,
        None => (Visitor::Anonymous, None),
    };
    if let Some(current) = current {
        parts.extensions.insert(current);
    }
    parts.extensions.insert(visitor.clone());
    Ok(visitor)
}

async fn resolve(session: &Session, state: &AppState) -> Result<(Visitor, Option<CurrentSession>), Problem> {
    let nobody = Ok((Visitor::Anonymous, None));
    let Some(mut signed_in) = session.get::<SignedIn>(KEY).await.map_err(unreadable)? else {
        return nobody;
    };
    let Some(id) = signed_in.session else {
        return nobody;
    };
    let mut lane = state.lanes.take().await?;
    let holder = answered(sessions::holder(lane.connection()?, signed_in.user_id, id)).await;
    let Some(holder) = lane.back(holder)? else {
        return nobody;
    };
    if holder.user.suspended_at.is_some() {
        return Ok((Visitor::Suspended, None));
    }
    let Some(began_at) = holder.began_at else {
        return nobody;
    };
    if holder.user.session_generation != signed_in.generation {
        return nobody;
    }
    if holder.unseen {
        sessions::seen(&state.pool, id, state.config.sessions).await?;
        signed_in.renewed_at = Utc::now();
        session.insert(KEY, signed_in).await.map_err(unreadable)?;
    }
    Ok((Visitor::Known(Box::new(holder.user)), Some(CurrentSession { id, began_at })))
}

/// How a browser calls itself.
#[must_use]
pub fn user_agent(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok())
}

/// Signs somebody in under a fresh session id, whatever the session held before. `how` is `password` or the
/// provider.
///
/// # Errors
/// When the session cannot be written.
pub async fn sign_in(
    state: &AppState,
    session: &Session,
    user: &User,
    how: &str,
    headers: &HeaderMap,
) -> Result<(), Problem> {
    end(state, session).await?;
    session.clear().await;
    session.cycle_id().await.map_err(unreadable)?;
    let lasts: Lifetimes = state.config.sessions;
    let id = sessions::begin(&state.pool, user.id, how, user_agent(headers), lasts).await?;
    let signed_in = SignedIn {
        user_id: user.id,
        generation: user.session_generation,
        renewed_at: Utc::now(),
        session: Some(id),
    };
    session.insert(KEY, signed_in).await.map_err(unreadable)
}

/// Ends the session and takes its cookie away. Without one it does nothing.
///
/// # Errors
/// When the session cannot be deleted.
pub async fn sign_out(state: &AppState, session: &Session) -> Result<(), Problem> {
    end(state, session).await?;
    session.flush().await.map_err(unreadable)
}

async fn end(state: &AppState, session: &Session) -> Result<(), Problem> {
    let signed_in = session.get::<SignedIn>(KEY).await.map_err(unreadable)?;
    if let Some((user, id)) = signed_in.and_then(|it| Some((it.user_id, it.session?))) {
        sessions::end(&state.pool, user, id).await?;
    }
    Ok(())
}

/// Whether the person at the keyboard is the account's owner, as far as can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The password was given, or the account has none and they signed in just now.
    Given,
    /// The password is needed and was not given.
    PasswordNeeded,
    /// It is another password.
    WrongPassword,
    /// The account has no password, and it is too long since they signed in.
    SignInAgain,
}

/// Has somebody prove that it is them, before what cannot be undone or opens the account. A password that is typed
/// counts as an attempt of the address; `attempt` takes it.
///
/// # Errors
/// 429, or when the database or the hashing fails.
pub async fn prove(
    state: &AppState,
    who: &InPerson,
    typed: Option<&operational::passwords::TypedPassword>,
    attempt: impl FnOnce() -> Result<(), Problem>,
) -> Result<Proof, Problem> {
    let Some(typed) = typed else {
        if users::keeps_password(&state.pool, who.user.id).await? {
            return Ok(Proof::PasswordNeeded);
        }
        return Ok(if who.is_fresh() { Proof::Given } else { Proof::SignInAgain });
    };
    attempt()?;
    let right = users::has_password(&state.pool, &state.passwords, who.user.id, typed).await?;
    Ok(if right { Proof::Given } else { Proof::WrongPassword })
}
