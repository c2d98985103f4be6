//! `/api/auth/oidc`: signing in at a provider.
//!
//! The person leaves for the provider with a state, and comes back with it and a code. What belongs to the state is
//! remembered here, for the browser that holds the cookie of this sign-in, and is taken once.

use axum::{
    Json,
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use operational::{
    oidc_flows::{self, Flow},
    oidc_identities::{self, LinkError},
    tokens::Token,
    users::User,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tower_sessions::{
    Session,
    cookie::{Cookie, SameSite},
};
use url::Url;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{auth::EMAIL_TAKEN, me::SIGN_IN_AGAIN};
use crate::{
    extract::{MaybeUser, Path, Query},
    guard::client_address::ClientAddress,
    identity::{
        self, InPerson,
        oidc::{Known, OidcError, Provider},
    },
    problem::{
        self, CROSS_SITE_WRITE, INVALID_FIELD, Kind, NOT_FOUND, Problem, SUSPENDED, TOO_MANY_ATTEMPTS,
    },
    problems,
    state::AppState,
};

/// The cookie that ties a sign-in to the browser that began it.
pub const COOKIE: &str = "figure_ledger_oidc";
const COOKIE_PATH: &str = "/api/auth/oidc";
/// Most characters of a place to return to.
const LONGEST_PLACE: usize = 2_000;

const PROVIDER_DOWN: Kind = Kind::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "provider_unavailable",
    "the provider does not answer; try again later, or sign in with a password",
);
const STATE_UNKNOWN: Kind = Kind::new(
    StatusCode::BAD_REQUEST,
    "oidc_state_unknown",
    "this sign-in was not begun in this browser, is used up, or took longer than ten minutes; begin again",
);
const REFUSED: Kind = Kind::new(
    StatusCode::FORBIDDEN,
    "oidc_refused",
    "the provider did not let you through; begin again, or sign in with a password",
);
const CODE_REFUSED: Kind = Kind::new(
    StatusCode::BAD_REQUEST,
    "oidc_code_refused",
    "the provider does not take the code: it is used up or has run out; begin again",
);
const UNTRUSTED: Kind = Kind::new(
    StatusCode::BAD_GATEWAY,
    "oidc_untrusted",
    "what the provider said cannot be trusted, so nobody was signed in; the log has more",
);
const CLOSED: Kind = Kind::new(
    StatusCode::FORBIDDEN,
    "signup_closed",
    "sign-up is closed here; ask an admin for an account, sign in to it, and link this identity",
);
/// The identity opens somebody else's account.
const IDENTITY_TAKEN: Kind =
    Kind::new(StatusCode::CONFLICT, "identity_taken", "this identity belongs to another account here");
/// Another identity of the provider is linked.
const ALREADY_LINKED: Kind = Kind::new(
    StatusCode::CONFLICT,
    "provider_already_linked",
    "the account is linked to another identity of this provider; unlink that one first",
);

problems!(ProvidersProblems = &[]);
problems!(
    StartProblems = problem::LISTING,
    &[NOT_FOUND, PROVIDER_DOWN, CROSS_SITE_WRITE, TOO_MANY_ATTEMPTS, SUSPENDED, SIGN_IN_AGAIN]
);
problems!(
    CallbackProblems = &[
        NOT_FOUND,
        STATE_UNKNOWN,
        REFUSED,
        CODE_REFUSED,
        UNTRUSTED,
        PROVIDER_DOWN,
        CLOSED,
        SUSPENDED,
        EMAIL_TAKEN,
        IDENTITY_TAKEN,
        ALREADY_LINKED,
    ]
);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(providers)).routes(routes!(start)).routes(routes!(callback))
}

/// One way to sign in elsewhere.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderView {
    /// `google` or `generic`.
    id: &'static str,
    /// What to write on the button.
    display_name: String,
    /// Where the button leads; `return_to` may be put behind it.
    start: String,
}

/// The ways to sign in.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderList {
    items: Vec<ProviderView>,
    /// Whether accounts are made here with a username and a password.
    local_signup: bool,
    /// Whether a forgotten password can be reset by e-mail.
    password_reset: bool,
}

/// Where to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Start {
    /// Where the person goes afterwards: a path of this server.
    #[param(max_length = 2000, example = "/api/docs")]
    return_to: Option<String>,
}

/// What a provider sends back with the person.
#[derive(Debug, Default, Deserialize)]
struct Back {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

/// The ways to sign in.
///
/// Anybody may see them. No provider is asked anything for it.
#[utoipa::path(
    get,
    path = "/api/auth/providers",
    tag = "auth",
    responses(
        (
            status = 200,
            description = "The providers that are set up",
            body = ProviderList,
            example = json!({
                "items": [{"id": "google", "display_name": "Google", "start": "/api/auth/oidc/google/start"}],
                "local_signup": true,
                "password_reset": false
            })
        ),
        ProvidersProblems
    )
)]
async fn providers(State(state): State<AppState>) -> Json<ProviderList> {
    let view = |one: &Provider| ProviderView {
        id: one.id(),
        display_name: one.display_name().to_owned(),
        start: format!("{COOKIE_PATH}/{}/start", one.id()),
    };
    Json(ProviderList {
        items: state.oidc.all().map(view).collect(),
        local_signup: state.config.allow_local_signup,
        password_reset: state.letters().can_send().await,
    })
}

/// Begins to sign in at a provider.
///
/// Anybody may. Whoever is signed in links the identity to their account instead, which takes a session that began
/// within ten minutes.
#[utoipa::path(
    get,
    path = "/api/auth/oidc/{provider}/start",
    tag = "auth",
    params(("provider" = String, Path, description = "`google` or `generic`", example = "google"), Start),
    responses((status = 303, description = "To the provider's sign-in page"), StartProblems)
)]
async fn start(
    State(state): State<AppState>,
    who: Option<InPerson>,
    Path(provider): Path<String>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    Query(query): Query<Start>,
) -> Result<Response, Problem> {
    let return_to = match query.return_to {
        None => "/".to_owned(),
        Some(place) => local_path(&place).ok_or_else(|| {
            Problem::from(INVALID_FIELD)
                .detail("return_to is a path of this server, such as /api/docs")
                .field("return_to")
        })?,
    };
    // Another site could send somebody here to link an identity that it controls.
    let from_elsewhere =
        headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site" || site == "same-site");
    if who.is_some() && from_elsewhere {
        return Err(CROSS_SITE_WRITE.into());
    }
    let link_to = who.map(may_link).transpose()?;
    let provider = state.oidc.get(&provider).ok_or(NOT_FOUND)?;
    state.attempts.take(address)?;
    let (url, cookie) = begin(&state, provider, return_to, link_to.as_ref()).await?;
    Ok((StatusCode::SEE_OTHER, [cookie], [(header::LOCATION, text(url.as_str())?)]).into_response())
}

/// Whoever may link an identity: it opens the account from then on, so it takes somebody who signed in just now, and
/// not a browser that was left open.
pub(super) fn may_link(who: InPerson) -> Result<User, Problem> {
    if who.is_fresh() { Ok(who.user) } else { Err(SIGN_IN_AGAIN.into()) }
}

/// Begins a sign-in: where the person goes, and the cookie that they take along.
pub(super) async fn begin(
    state: &AppState,
    provider: &Provider,
    return_to: String,
    link_to: Option<&User>,
) -> Result<(Url, (HeaderName, HeaderValue)), Problem> {
    let begun = provider.begin().await?;
    let browser = Token::new("");
    let flow = Flow {
        provider: provider.id().to_owned(),
        nonce: begun.nonce,
        verifier: begun.verifier,
        return_to,
        link_to: link_to.map(|user| user.id),
    };
    oidc_flows::begin(&state.pool, &begun.state, browser.as_str(), &flow).await?;
    let cookie = cookie(state, browser.as_str().to_owned(), oidc_flows::LASTS.num_seconds());
    Ok((begun.url, (header::SET_COOKIE, text(&cookie)?)))
}

fn cookie(state: &AppState, value: String, seconds: i64) -> String {
    Cookie::build((COOKIE, value))
        .path(COOKIE_PATH)
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(state.config.public_url.as_ref().is_some_and(|url| url.is_https()))
        .max_age(time::Duration::seconds(seconds))
        .build()
        .to_string()
}

fn text(text: &str) -> Result<HeaderValue, Problem> {
    HeaderValue::try_from(text).map_err(Problem::internal)
}

/// Where a provider sends people back to.
///
/// Anybody may who began here. The code is traded for an ID token, which says who it is: an account that the identity
/// opens, a new one, or the one that it is linked to. An address that is known here opens nothing.
#[utoipa::path(
    get,
    path = "/api/auth/oidc/{provider}/callback",
    tag = "auth",
    params(
        ("provider" = String, Path, description = "`google` or `generic`", example = "google"),
        ("state" = Option<String>, Query, description = "What this server sent along"),
        ("code" = Option<String>, Query, description = "What the provider sends along"),
        ("error" = Option<String>, Query, description = "Why the provider did not let somebody through"),
        ("iss" = Option<String>, Query, description = "What the provider calls itself"),
    ),
    responses((status = 303, description = "Signed in: to `return_to`"), CallbackProblems)
)]
async fn callback(
    State(state): State<AppState>,
    MaybeUser(user): MaybeUser,
    Path(provider): Path<String>,
    session: Session,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let provider = state.oidc.get(&provider).ok_or(NOT_FOUND)?;
    // Providers add what they like to their answer, and they read nothing of ours.
    let back: Back = serde_html_form::from_str(&query.unwrap_or_default()).unwrap_or_default();
    let browser = browser_secret(&headers).ok_or(STATE_UNKNOWN)?;
    let given = back.state.as_deref().ok_or(STATE_UNKNOWN)?;
    let flow = oidc_flows::take(&state.pool, provider.id(), given, &browser).await?.ok_or(STATE_UNKNOWN)?;
    if let Some(issuer) = &back.iss
        && !provider.is_issuer(issuer)
    {
        tracing::warn!(provider = provider.id(), "a sign-in came back from another issuer");
        return Err(UNTRUSTED.into());
    }
    let code = match (back.error, back.code) {
        (None, Some(code)) => code,
        (error, _) => return Err(Problem::from(REFUSED).extra("provider_error", told_error(error))),
    };
    let known = provider.finish(code, &flow.nonce, &flow.verifier).await?;
    match flow.link_to {
        Some(owner) => {
            // Whoever began may have signed out, or somebody else in.
            let user = user.filter(|user| user.id == owner).ok_or(STATE_UNKNOWN)?;
            oidc_identities::link(&state.pool, user.id, &known.identity).await?;
        }
        None => {
            let user = account(&state, &known).await?;
            if user.suspended_at.is_some() {
                return Err(SUSPENDED.into());
            }
            identity::sign_in(&state, &session, &user, provider.id(), &headers).await?;
        }
    }
    let gone = text(&cookie(&state, String::new(), 0))?;
    let place = text(&flow.return_to)?;
    Ok((StatusCode::SEE_OTHER, [(header::SET_COOKIE, gone)], [(header::LOCATION, place)]).into_response())
}

/// The account that an identity opens, which is made when there is none.
async fn account(state: &AppState, known: &Known) -> Result<User, Problem> {
    if let Some(user) = oidc_identities::sign_in(&state.pool, &known.identity).await? {
        return Ok(user);
    }
    if !state.config.oidc.allow_signup {
        return Err(CLOSED.into());
    }
    let email = known.verified_email.as_ref();
    match oidc_identities::sign_up(&state.pool, &known.suggested_name, email, &known.identity).await {
        Ok(user) => Ok(user),
        // Somebody was faster with the same identity: the account is there.
        Err(LinkError::Taken) => {
            oidc_identities::sign_in(&state.pool, &known.identity).await?.ok_or_else(|| IDENTITY_TAKEN.into())
        }
        Err(LinkError::EmailTaken) => Err(Problem::from(EMAIL_TAKEN).detail(
            "an account here has this e-mail address; sign in to it with its password, and link this identity",
        )),
        Err(error) => Err(error.into()),
    }
}

fn browser_secret(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| Cookie::split_parse(value.to_owned()))
        .filter_map(Result::ok)
        .find(|cookie| cookie.name() == COOKIE)
        .map(|cookie| cookie.value().to_owned())
        .filter(|value| !value.is_empty())
}

/// The error code of OAuth, if it is one: nothing else that a caller wrote is shown to anybody.
fn told_error(error: Option<String>) -> serde_json::Value {
    let is_code =
        |text: &String| text.len() <= 64 && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    json!(error.filter(is_code))
}

/// A path of this server, as browsers read it: none for anything that leads elsewhere.
fn local_path(place: &str) -> Option<String> {
    const HERE: &str = "http://here.invalid";
    let plain = place.len() <= LONGEST_PLACE
        && place.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        && place.starts_with('/')
        && !place.starts_with("//");
    if !plain {
        return None;
    }
    let here = Url::parse(HERE).ok()?;
    let there = here.join(place).ok()?;
    (there.origin() == here.origin()).then(|| place.to_owned())
}

impl From<OidcError> for Problem {
    fn from(error: OidcError) -> Self {
        match error {
            OidcError::Down(reason) => {
                tracing::warn!(%reason, "a provider does not answer");
                Self::from(PROVIDER_DOWN).header(header::RETRY_AFTER, HeaderValue::from_static("30"))
            }
            OidcError::Code(reason) => {
                tracing::info!(%reason, "a provider refused a code");
                CODE_REFUSED.into()
            }
            OidcError::Untrusted(reason) => {
                tracing::warn!(%reason, "a provider's answer cannot be trusted");
                UNTRUSTED.into()
            }
        }
    }
}

impl From<LinkError> for Problem {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Taken => IDENTITY_TAKEN.into(),
            LinkError::Linked => ALREADY_LINKED.into(),
            LinkError::OnlyWayIn => super::identities::ONLY_WAY_IN.into(),
            LinkError::EmailTaken => EMAIL_TAKEN.into(),
            LinkError::Database(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_server_are_returned_to() {
        for place in ["/", "/api/docs", "/api/me/owned?limit=3#top", "/a//b"] {
            assert_eq!(local_path(place).as_deref(), Some(place));
        }
        for place in [
            "",
            "api/docs",
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "/ /evil.example",
            "javascript:alert(1)",
            "/é",
            "/\0",
            &format!("/{}", "x".repeat(LONGEST_PLACE)),
        ] {
            assert_eq!(local_path(place), None, "{place:?}");
        }
    }

    #[test]
    fn only_error_codes_are_shown() {
        assert_eq!(told_error(Some("access_denied".to_owned())), json!("access_denied"));
        assert_eq!(told_error(Some("<script>".to_owned())), json!(null));
        assert_eq!(told_error(None), json!(null));
    }
}
