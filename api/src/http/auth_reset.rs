//! `/api/auth/password-reset`: a new password by a token that works once.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use operational::{
    password_resets::{self, AskedBy},
    passwords::Password,
    tokens::Token,
    users::{self, Email, User},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tower_sessions::Session;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::me::{Me, example_me};
use crate::{
    answer::Written,
    config::Config,
    extract::Body,
    guard::attempts,
    identity::{self, letters::Letter},
    problem::{self, Kind, Problem, TOO_MANY_ATTEMPTS},
    problems,
    state::AppState,
};

/// Where the page is on which a new password is typed. The token stands behind `#`, which browsers send nowhere.
pub const PAGE: &str = "/reset-password";
const PAGE_TEXT: &str = include_str!("reset_password.html");

const NO_MAIL: Kind = Kind::new(
    StatusCode::CONFLICT,
    "mail_not_set_up",
    "this server sends no mail; ask an admin for a link to set a new password",
);
const TOKEN_UNKNOWN: Kind = Kind::new(
    StatusCode::FORBIDDEN,
    "reset_token_unknown",
    "this token does not work: it was used, was replaced by a newer one, or has run out; ask for another",
)
.on("token");

problems!(AskProblems = problem::BODY, &[NO_MAIL, TOO_MANY_ATTEMPTS]);
problems!(SetProblems = problem::BODY, &[TOKEN_UNKNOWN, TOO_MANY_ATTEMPTS]);

/// The routes of this resource.
pub fn routes(state: &AppState) -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(ask))
        .routes(routes!(set))
        .layer(from_fn_with_state(state.clone(), attempts::limit))
        .route(PAGE, get(page))
}

/// Whose password is to be reset.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"email": "alice@example.org"}))]
pub struct AskReset {
    /// The address of the account.
    #[schema(value_type = String, format = "email", max_length = 254)]
    email: Email,
}

/// What is said whoever was named.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResetAsked {
    /// Always true: an account with this address, if there is one, gets a letter.
    asked: bool,
}

/// A token and the password to set with it.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"token": "dGhpcyBpcyBub3QgYSByZWFsIHRva2VuLCBzb3JyeSE", "password": "correct horse battery"}))]
pub struct SetPassword {
    /// The token, from the letter or from an admin.
    #[schema(max_length = 200)]
    token: String,
    /// 8 to 200 characters.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 200)]
    password: Password,
}

/// Asks for a letter with a link to set a new password.
///
/// Anybody may. The answer is the same whether or not there is such an account. Where no mail server is set up, an
/// admin can make the link: `POST /api/admin/users/{user}/password-reset`.
#[utoipa::path(
    post,
    path = "/api/auth/password-reset",
    tag = "auth",
    request_body = AskReset,
    responses(
        (status = 202, description = "If there is such an account, a letter is on its way", body = ResetAsked),
        AskProblems
    )
)]
async fn ask(
    State(state): State<AppState>,
    Body(given): Body<AskReset>,
) -> Result<(StatusCode, Json<ResetAsked>), Problem> {
    if !state.letters().can_send().await {
        return Err(NO_MAIL.into());
    }
    // A task of its own, so that the time taken does not tell who has an account.
    tokio::spawn(async move {
        if let Err(reason) = send_link(&state, &given.email).await {
            tracing::warn!(%reason, "a letter to reset a password was not sent");
        }
    });
    Ok((StatusCode::ACCEPTED, Json(ResetAsked { asked: true })))
}

async fn send_link(state: &AppState, email: &Email) -> Result<(), String> {
    let failed = |error: sqlx::Error| error.to_string();
    let user = users::by_email(&state.pool, email).await.map_err(failed)?;
    let Some(user) = user.filter(|user| user.suspended_at.is_none()) else {
        return Ok(());
    };
    let to = user.email.clone().unwrap_or_default();
    let begun = password_resets::begin(&state.pool, user.id, AskedBy::Person).await.map_err(failed)?;
    let Some((token, _until)) = begun else {
        return Ok(());
    };
    let text = format!(
        "Hello {},\n\nsomebody asked to set a new password for your account at {}. To do so, open this within an \
         hour; it works once:\n\n{}\n\nIf it was not you, there is nothing to do: your password stays as it is.\n",
        user.username,
        place(&state.config),
        link(&state.config, &token),
    );
    state.letters().send(Letter { to, subject: "Set a new password".to_owned(), text }).await
}

pub(super) fn place(config: &Config) -> String {
    config.public_url.as_ref().map_or_else(|| format!("http://{}", config.listen), ToString::to_string)
}

/// The address to open with a token.
#[must_use]
pub fn link(config: &Config, token: &Token) -> String {
    format!("{}{PAGE}#{}", place(config), token.as_str())
}

/// Sets a new password with a token, and signs in.
///
/// Anybody who has the token may. It ends every session of the account; API keys stay.
#[utoipa::path(
    post,
    path = "/api/auth/password-reset/confirm",
    tag = "auth",
    request_body = SetPassword,
    responses(
        (status = 200, description = "The account, which is now signed in", body = Me, example = example_me),
        SetProblems
    )
)]
async fn set(
    State(state): State<AppState>,
    session: Session,
    headers: HeaderMap,
    Body(given): Body<SetPassword>,
) -> Result<Written<Me>, Problem> {
    let user: Option<User> =
        password_resets::redeem(&state.pool, &state.passwords, &given.token, &given.password).await?;
    let user = user.ok_or(TOKEN_UNKNOWN)?;
    identity::sign_in(&state, &session, &user, "password", &headers).await?;
    Ok(Written::done(user.into()))
}

/// The page runs its own script and no other: the policy names the script by its hash.
async fn page() -> Response {
    let script = PAGE_TEXT
        .split_once("<script>")
        .and_then(|(_, rest)| rest.split_once("</script>"))
        .map_or("", |(script, _)| script);
    let hash = BASE64_STANDARD.encode(Sha256::digest(script));
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{hash}'; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'"
    );
    let mut response = ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], PAGE_TEXT).into_response();
    if let Ok(policy) = HeaderValue::try_from(policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}
