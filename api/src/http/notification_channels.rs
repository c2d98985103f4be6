//! `/api/me/notifications/channels`: where one is told besides the app, and trying it out.

use axum::{Json, extract::State, http::StatusCode};
use operational::{
    notification_channels::{self, Channel, Setup},
    web_push_subscriptions,
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use workers::{
    channels::{Fault, Unfit, Unsent},
    deliveries::NotTried,
};

use crate::{
    answer::Written,
    extract::{Body, CurrentUser, Path},
    problem::{self, INVALID_FIELD, Kind, MISSING_FIELD, NOT_FOUND, Problem, UNKNOWN_FIELD},
    problems,
    state::AppState,
};

/// The admin has not switched it on.
pub const CHANNEL_OFF: Kind =
    Kind::new(StatusCode::CONFLICT, "channel_off", "an admin has not switched this channel on");
/// There is nowhere to send to.
const NO_DESTINATION: Kind = Kind::new(
    StatusCode::CONFLICT,
    "no_destination",
    "say where you want to be told first; browsers subscribe at POST /api/me/web-push",
);
/// The guard refuses the address.
pub const ADDRESS_NOT_ALLOWED: Kind =
    Kind::new(StatusCode::UNPROCESSABLE_ENTITY, "address_not_allowed", "this address is not asked");
/// The other side would not have it.
const CHANNEL_REFUSED: Kind =
    Kind::new(StatusCode::BAD_GATEWAY, "channel_refused", "the other side did not take the test");
/// The other side could not be reached.
const CHANNEL_FAILED: Kind =
    Kind::new(StatusCode::BAD_GATEWAY, "channel_failed", "the test did not reach the other side");
/// Tests are for trying out, not for writing to others.
const TOO_MANY_TESTS: Kind = Kind::new(
    StatusCode::TOO_MANY_REQUESTS,
    "too_many_tests",
    "at most ten tests in ten minutes; wait as long as Retry-After says",
);

problems!(ListProblems = problem::SIGNED_IN);
problems!(ReadProblems = problem::SIGNED_IN, &[NOT_FOUND, CHANNEL_OFF]);
problems!(WriteProblems = problem::SIGNED_IN, problem::BODY, &[NOT_FOUND, CHANNEL_OFF, ADDRESS_NOT_ALLOWED],);
problems!(
    TestProblems = problem::SIGNED_IN,
    problem::WRITE,
    &[NOT_FOUND, CHANNEL_OFF, NO_DESTINATION, CHANNEL_REFUSED, CHANNEL_FAILED, TOO_MANY_TESTS],
);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read, write, forget)).routes(routes!(test))
}

/// The channels that one can use.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"items": [{"channel": "webhook", "destination": {"url": "https://hooks.example/1", "secret_set": true}}]}))]
pub struct MyChannels {
    /// One for each channel that an admin switched on.
    items: Vec<MyChannel>,
}

/// A channel, and where one is told by it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"channel": "webhook", "destination": {"url": "https://hooks.example/1", "secret_set": true}}))]
pub struct MyChannel {
    /// `in_app`, `email`, `ntfy`, `webhook`, `apprise` or `web_push`.
    channel: String,
    /// Where one is told, without secrets; null when one did not say.
    destination: Option<Value>,
    /// A webhook's secret, when one was made just now: it is shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// What came of a test.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"channel": "webhook", "said": ["it answered 200 OK"]}))]
pub struct Tested {
    channel: String,
    /// What the other side said, once for each destination.
    said: Vec<String>,
}

/// The channel of a path; 404 for any other word.
pub(super) fn named(channel: &str) -> Result<Channel, Problem> {
    channel.parse().map_err(|_unknown| NOT_FOUND.into())
}

async fn on(state: &AppState, channel: Channel) -> Result<Setup, Problem> {
    let setup = notification_channels::get(&state.pool, channel).await?;
    if setup.enabled { Ok(setup) } else { Err(CHANNEL_OFF.into()) }
}

/// What was given does not fit a channel.
pub(super) fn unfit(unfit: Unfit) -> Problem {
    let kind = match unfit.fault {
        Fault::Missing => MISSING_FIELD,
        Fault::Invalid => INVALID_FIELD,
        Fault::Unknown => UNKNOWN_FIELD,
        Fault::Address => ADDRESS_NOT_ALLOWED,
    };
    Problem::from(kind).detail(unfit.detail).field(unfit.field)
}

async fn shown(
    state: &AppState,
    user: &operational::users::User,
    channel: Channel,
) -> Result<MyChannel, Problem> {
    let destination = match channel {
        Channel::InApp => Some(json!({})),
        Channel::WebPush => {
            let browsers = web_push_subscriptions::of_user(&state.pool, user.id).await?;
            (!browsers.is_empty()).then(|| json!({"browsers": browsers.len()}))
        }
        _ => notification_channels::destination(&state.pool, user.id, channel)
            .await?
            .map(|destination| state.deliveries.channels().get(channel).shown_destination(&destination)),
    };
    Ok(MyChannel { channel: channel.as_str().to_owned(), destination, secret: None })
}

/// The channels that one can use.
///
/// For whoever is signed in. Those that an admin switched on, with where one is told.
#[utoipa::path(
    get,
    path = "/api/me/notifications/channels",
    tag = "notifications",
    operation_id = "list_my_channels",
    security(("session" = [])),
    responses((status = 200, description = "The channels", body = MyChannels), ListProblems)
)]
async fn list(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
) -> Result<Json<MyChannels>, Problem> {
    let mut items = Vec::new();
    for channel in notification_channels::enabled(&state.pool).await? {
        items.push(shown(&state, &user, channel).await?);
    }
    Ok(Json(MyChannels { items }))
}

/// Where one is told by a channel.
///
/// For whoever is signed in. Secrets are not shown; `token_set` and the like say that there is one.
#[utoipa::path(
    get,
    path = "/api/me/notifications/channels/{channel}",
    tag = "notifications",
    operation_id = "read_my_channel",
    security(("session" = [])),
    params(("channel" = String, Path, description = "The channel", example = "webhook")),
    responses((status = 200, description = "Where one is told", body = MyChannel), ReadProblems)
)]
async fn read(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(channel): Path<String>,
) -> Result<Json<MyChannel>, Problem> {
    let channel = named(&channel)?;
    on(&state, channel).await?;
    Ok(Json(shown(&state, &user, channel).await?))
}

/// Says where one is told by a channel.
///
/// For whoever is signed in. `webhook` takes `{url, secret?}`: a webhook without a secret gets one, which is shown in
/// this answer and never again, and `"secret": null` makes a new one. `ntfy` takes `{url, topic, token?}`, `email`
/// `{address}`, `apprise` `{urls}`. A secret that is left out stays as it was, unless it would go to another server.
/// Addresses have to be on the public internet, or in a network that the operator opened.
#[utoipa::path(
    put,
    path = "/api/me/notifications/channels/{channel}",
    tag = "notifications",
    operation_id = "write_my_channel",
    security(("session" = [])),
    params(("channel" = String, Path, description = "The channel", example = "webhook")),
    request_body(content = Map<String, Value>, example = json!({"url": "https://hooks.example/1"})),
    responses((status = 200, description = "Where one is told", body = MyChannel), WriteProblems)
)]
async fn write(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(channel): Path<String>,
    Body(given): Body<Map<String, Value>>,
) -> Result<Written<MyChannel>, Problem> {
    let channel = named(&channel)?;
    on(&state, channel).await?;
    let before = notification_channels::destination(&state.pool, user.id, channel).await?;
    let chosen = given.get("secret").is_some_and(Value::is_string);
    let sender = state.deliveries.channels().get(channel);
    let destination = sender.destination(given, before.as_ref()).map_err(unfit)?;
    if channel != Channel::InApp {
        let stored = Some(&destination);
        notification_channels::set_destination(&state.pool, user.id, channel, stored).await?;
    }
    let secret = |of: &notification_channels::Destination| {
        of.secrets.get("secret").and_then(Value::as_str).map(str::to_owned)
    };
    let made =
        secret(&destination).filter(|now| !chosen && before.as_ref().and_then(secret).as_ref() != Some(now));
    Ok(Written::done(MyChannel { secret: made, ..shown(&state, &user, channel).await? }))
}

/// Forgets where one is told by a channel.
///
/// For whoever is signed in. Nothing is sent there any more; the routing stays.
#[utoipa::path(
    delete,
    path = "/api/me/notifications/channels/{channel}",
    tag = "notifications",
    operation_id = "forget_my_channel",
    security(("session" = [])),
    params(("channel" = String, Path, description = "The channel", example = "webhook")),
    responses((status = 200, description = "It is forgotten", body = MyChannel), WriteProblems)
)]
async fn forget(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(channel): Path<String>,
) -> Result<Written<MyChannel>, Problem> {
    let channel = named(&channel)?;
    notification_channels::set_destination(&state.pool, user.id, channel, None).await?;
    Ok(Written::done(shown(&state, &user, channel).await?))
}

/// Sends a test by a channel, at once.
///
/// For whoever is signed in. The answer is what the other side said. When any of the destinations refused it or could
/// not be reached, that is a 502 with what was said.
#[utoipa::path(
    post,
    path = "/api/me/notifications/channels/{channel}/test",
    tag = "notifications",
    operation_id = "test_my_channel",
    security(("session" = [])),
    params(("channel" = String, Path, description = "The channel", example = "webhook")),
    responses((status = 200, description = "It arrived", body = Tested), TestProblems)
)]
async fn test(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(channel): Path<String>,
) -> Result<Written<Tested>, Problem> {
    let channel = named(&channel)?;
    let tried = state.deliveries.test(user.id, channel).await.map_err(|error| match error {
        NotTried::Off => CHANNEL_OFF.into(),
        NotTried::NoDestination => NO_DESTINATION.into(),
        NotTried::TooMany(wait) => {
            Problem::from(TOO_MANY_TESTS).header(axum::http::header::RETRY_AFTER, wait.as_secs().max(1))
        }
        NotTried::Database(error) => error.into(),
    })?;
    let mut said = Vec::with_capacity(tried.len());
    for one in tried {
        match one {
            Ok(text) => said.push(text),
            Err(unsent @ Unsent::Failed { .. }) => return Err(untold(CHANNEL_FAILED, &unsent)),
            Err(unsent @ (Unsent::Refused(_) | Unsent::Gone(_))) => {
                return Err(untold(CHANNEL_REFUSED, &unsent));
            }
        }
    }
    Ok(Written::done(Tested { channel: channel.as_str().to_owned(), said }))
}

fn untold(kind: Kind, unsent: &Unsent) -> Problem {
    Problem::from(kind).detail(unsent.said().to_owned())
}
