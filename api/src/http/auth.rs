//! `/api/auth`: signing up, in and out.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    middleware::from_fn_with_state,
};
use operational::{
    passwords::{Password, TypedPassword},
    users::{self, Email, NewUser, UserError, Username},
};
use serde::{Deserialize, Serialize};
use tower_sessions::Session;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::me::{Me, example_me};
use crate::{
    answer::Written,
    extract::Body,
    guard::attempts,
    identity,
    problem::{self, Kind, Problem, SUSPENDED, TOO_MANY_ATTEMPTS},
    problems,
    state::AppState,
};

/// Somebody has this name.
pub const USERNAME_TAKEN: Kind =
    Kind::new(StatusCode::CONFLICT, "username_taken", "somebody has this username; choose another")
        .on("username");
/// Another account has this address.
pub const EMAIL_TAKEN: Kind =
    Kind::new(StatusCode::CONFLICT, "email_taken", "another account has this e-mail address").on("email");
const SIGNUP_CLOSED: Kind =
    Kind::new(StatusCode::FORBIDDEN, "signup_closed", "sign-up is closed here; ask an admin for an account");
const WRONG_CREDENTIALS: Kind =
    Kind::new(StatusCode::UNAUTHORIZED, "wrong_credentials", "no account has this username and password");

problems!(RegisterProblems = problem::BODY, &[SIGNUP_CLOSED, USERNAME_TAKEN, EMAIL_TAKEN, TOO_MANY_ATTEMPTS]);
problems!(LoginProblems = problem::BODY, &[WRONG_CREDENTIALS, SUSPENDED, TOO_MANY_ATTEMPTS]);
problems!(LogoutProblems = problem::WRITE);

/// The routes of this resource. Signing up and in count as attempts of the address they come from; nobody is
/// kept from signing out.
pub fn routes(state: &AppState) -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(register))
        .routes(routes!(login))
        .layer(from_fn_with_state(state.clone(), attempts::limit))
        .routes(routes!(logout))
}

/// Who wants an account.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"username": "alice", "email": "alice@example.org", "password": "correct horse battery"}))]
pub struct Register {
    /// 3 to 30 of `a-z`, `0-9`, `_` and `-`; kept as typed, compared without case.
    #[schema(value_type = String, min_length = 3, max_length = 30, pattern = "^[A-Za-z0-9_-]+$")]
    username: Username,
    /// At most 254 characters; compared without case.
    #[schema(value_type = String, format = "email", max_length = 254)]
    email: Email,
    /// 8 to 200 characters.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 200)]
    password: Password,
}

/// Who wants in.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"username": "alice", "password": "correct horse battery"}))]
pub struct Login {
    /// The username, in whatever case.
    username: String,
    /// The password.
    #[schema(value_type = String, format = Password)]
    password: TypedPassword,
}

/// Nobody is signed in any more.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignedOut {
    /// Always true.
    signed_out: bool,
}

/// Makes an account and signs in.
///
/// Anybody may, unless `ALLOW_LOCAL_SIGNUP=false`. No account made here runs the instance, not even the
/// first one.
#[utoipa::path(
    post,
    path = "/api/auth/register",
    tag = "auth",
    request_body = Register,
    responses(
        (status = 201, description = "The new account", body = Me, example = example_me),
        RegisterProblems
    )
)]
async fn register(
    State(state): State<AppState>,
    session: Session,
    headers: HeaderMap,
    Body(new): Body<Register>,
) -> Result<Written<Me>, Problem> {
    if !state.config.allow_local_signup {
        return Err(SIGNUP_CLOSED.into());
    }
    let new =
        NewUser { username: new.username, email: Some(new.email), password: new.password, is_admin: false };
    let user = users::create(&state.pool, &state.passwords, &new).await?;
    identity::sign_in(&state, &session, &user, "password", &headers).await?;
    Ok(Written::created(Me::from(user), "/api/me"))
}

/// Signs in.
///
/// Anybody may. The session gets a new id, whatever it held before. An unknown username and a wrong
/// password are one refusal and take the same time.
#[utoipa::path(
    post,
    path = "/api/auth/login",
    tag = "auth",
    request_body = Login,
    responses(
        (status = 200, description = "The account that is now signed in", body = Me, example = example_me),
        LoginProblems
    )
)]
async fn login(
    State(state): State<AppState>,
    session: Session,
    headers: HeaderMap,
    Body(given): Body<Login>,
) -> Result<Written<Me>, Problem> {
    let found =
        users::by_credentials(&state.pool, &state.passwords, &given.username, &given.password).await?;
    let user = found.ok_or(WRONG_CREDENTIALS)?;
    if user.suspended_at.is_some() {
        return Err(SUSPENDED.into());
    }
    identity::sign_in(&state, &session, &user, "password", &headers).await?;
    Ok(Written::done(Me::from(user)))
}

/// Signs out.
///
/// Anybody may, also without being signed in. The session is deleted on the server.
#[utoipa::path(
    post,
    path = "/api/auth/logout",
    tag = "auth",
    responses(
        (status = 200, description = "Nobody is signed in any more", body = SignedOut, example = json!({"signed_out": true})),
        LogoutProblems
    )
)]
async fn logout(State(state): State<AppState>, session: Session) -> Result<Json<SignedOut>, Problem> {
    identity::sign_out(&state, &session).await?;
    Ok(Json(SignedOut { signed_out: true }))
}

impl From<UserError> for Problem {
    fn from(error: UserError) -> Self {
        match error {
            UserError::UsernameTaken => USERNAME_TAKEN.into(),
            UserError::EmailTaken => EMAIL_TAKEN.into(),
            UserError::NotFound => problem::NOT_FOUND.into(),
            UserError::LastAdmin => super::admin::users::LAST_ADMIN.into(),
            UserError::Hashing(error) => Self::internal(error),
            UserError::Database(error) => error.into(),
        }
    }
}
