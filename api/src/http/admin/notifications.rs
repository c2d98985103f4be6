//! `/api/admin/notifications`: the channels of the instance, and the key pair of Web Push.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use operational::{
    notification_channels::{self, Channel, Setup},
    web_push_subscriptions,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use workers::channels::KeyPair;

use crate::{
    answer::Written,
    extract::{AdminUser, Body, Path},
    http::notification_channels::{named, unfit},
    pages::Page,
    problem::{self, INVALID_FIELD, Kind, MISSING_FIELD, NOT_FOUND, Problem},
    problems,
    state::AppState,
};

/// The list in the app cannot be switched.
const ALWAYS_ON: Kind =
    Kind::new(StatusCode::UNPROCESSABLE_ENTITY, "always_on", "the channel in_app is always on");
/// It cannot work yet.
const KEYS_NEEDED: Kind = Kind::new(
    StatusCode::CONFLICT,
    "keys_needed",
    "make a key pair at POST /api/admin/notifications/vapid first",
);
/// Another one would end every subscription.
const KEYS_EXIST: Kind = Kind::new(
    StatusCode::CONFLICT,
    "keys_exist",
    "there is a key pair; another one ends every subscription, and is made with {\"replace\": true}",
);

problems!(ListProblems = problem::ADMIN);
problems!(ReadProblems = problem::ADMIN, &[NOT_FOUND]);
problems!(WriteProblems = problem::ADMIN, problem::BODY, &[NOT_FOUND, ALWAYS_ON, KEYS_NEEDED]);
problems!(KeyProblems = problem::ADMIN, problem::BODY, &[KEYS_EXIST]);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read, write)).routes(routes!(make_keys))
}

/// A channel as it is set up.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NotificationChannel, example = example)]
pub struct ChannelView {
    channel: String,
    /// Whether people can use it.
    enabled: bool,
    /// What it is set up with, without secrets: `password_set` says that there is one.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    config: Value,
    /// When somebody last set it up.
    updated_at: Option<DateTime<Utc>>,
}

fn example() -> Value {
    json!({
        "channel": "email", "enabled": true, "host": "mail.example.org", "port": 587, "security": "starttls",
        "from": "figures@example.org", "username": "figures", "password_set": true, "ca_pem": null,
        "updated_at": "2026-11-02T08:15:00Z"
    })
}

fn view(state: &AppState, channel: Channel, setup: &Setup) -> ChannelView {
    ChannelView {
        channel: channel.as_str().to_owned(),
        enabled: setup.enabled,
        config: state.deliveries.channels().get(channel).shown_setup(setup),
        updated_at: setup.updated_at,
    }
}

async fn shown(state: &AppState, channel: Channel) -> Result<ChannelView, Problem> {
    let setup = notification_channels::get(&state.pool, channel).await?;
    Ok(view(state, channel, &setup))
}

/// Every channel as it is set up.
///
/// For admins. `next_cursor` is always null.
#[utoipa::path(
    get,
    path = "/api/admin/notifications/channels",
    tag = "admin",
    operation_id = "list_channels",
    security(("session" = [])),
    responses((status = 200, description = "The channels", body = Page<ChannelView>), ListProblems)
)]
async fn list(State(state): State<AppState>, _admin: AdminUser) -> Result<Json<Page<ChannelView>>, Problem> {
    let mut items = Vec::with_capacity(Channel::ALL.len());
    for channel in Channel::ALL {
        items.push(shown(&state, channel).await?);
    }
    Ok(Json(Page { items, next_cursor: None }))
}

/// A channel as it is set up.
///
/// For admins. Secrets are not shown.
#[utoipa::path(
    get,
    path = "/api/admin/notifications/channels/{channel}",
    tag = "admin",
    operation_id = "read_channel",
    security(("session" = [])),
    params(("channel" = String, Path, description = "The channel", example = "email")),
    responses((status = 200, description = "The channel", body = ChannelView), ReadProblems)
)]
async fn read(
    State(state): State<AppState>,
    _admin: AdminUser,
    Path(channel): Path<String>,
) -> Result<Json<ChannelView>, Problem> {
    Ok(Json(shown(&state, named(&channel)?).await?))
}

/// Sets a channel up and switches it on or off.
///
/// For admins. `enabled` is needed. `email` takes `host`, `port`, `security` (`starttls`, the default, `tls` or
/// `none`), `from`, `username`, `password` and `ca_pem`; `apprise` takes the `url` of an Apprise server; `web_push`
/// takes `subject`; `ntfy` and `webhook` take nothing. With nothing but `enabled` the rest stays as it was. The
/// password that is left out stays as long as server and name do. Switched off, nothing is sent by it and what waits is
/// dropped.
#[utoipa::path(
    put,
    path = "/api/admin/notifications/channels/{channel}",
    tag = "admin",
    operation_id = "write_channel",
    security(("session" = [])),
    params(("channel" = String, Path, description = "The channel", example = "email")),
    request_body(content = Map<String, Value>, example = json!({
        "enabled": true, "host": "mail.example.org", "security": "starttls", "from": "figures@example.org",
        "username": "figures", "password": "not this one"
    })),
    responses((status = 200, description = "The channel", body = ChannelView), WriteProblems)
)]
async fn write(
    State(state): State<AppState>,
    admin: AdminUser,
    Path(channel): Path<String>,
    Body(mut given): Body<Map<String, Value>>,
) -> Result<Written<ChannelView>, Problem> {
    let channel = named(&channel)?;
    let enabled = match given.remove("enabled") {
        Some(Value::Bool(enabled)) => enabled,
        Some(_) => return Err(Problem::from(INVALID_FIELD).detail("true or false").field("enabled")),
        None => return Err(Problem::from(MISSING_FIELD).field("enabled")),
    };
    let before = notification_channels::get(&state.pool, channel).await?;
    if channel == Channel::InApp {
        state.deliveries.channels().get(channel).set_up(given, &before).map_err(unfit)?;
        return if enabled {
            Ok(Written::done(view(&state, channel, &before)))
        } else {
            Err(ALWAYS_ON.into())
        };
    }
    let is_set_up =
        before.updated_at.is_some() && before.config.as_object().is_some_and(|set| !set.is_empty());
    // To switch off what was never set up takes no setup either.
    let (config, secrets) = if given.is_empty() && (is_set_up || !enabled) {
        (before.config.clone(), before.secrets.clone())
    } else {
        state.deliveries.channels().get(channel).set_up(given, &before).map_err(unfit)?
    };
    if enabled && channel == Channel::WebPush && secrets.get("private_key").is_none() {
        return Err(KEYS_NEEDED.into());
    }
    notification_channels::set(&state.pool, channel, enabled, &config, &secrets, admin.id).await?;
    Ok(Written::done(shown(&state, channel).await?))
}

/// What to do with a key pair that there is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(example = json!({}))]
pub struct MakeKeys {
    /// True makes another one, which ends every subscription.
    #[serde(default)]
    replace: bool,
}

/// The public half of the key pair.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "public_key": "BLn9b-VR0ca83knDNZ32dCHGyjJp-1riX9ZTN40MqV8K_LpQmLqxC_DoHvqvFXO_nGdAB4W9dogZb_sM-uV4JbY"
}))]
pub struct Keys {
    /// An uncompressed point on P-256, base64url: what browsers subscribe with.
    public_key: String,
}

/// Makes the key pair of Web Push.
///
/// For admins. The private half never leaves the server. While there is one, another is made only with
/// `{"replace": true}`: browsers have to subscribe again then.
#[utoipa::path(
    post,
    path = "/api/admin/notifications/vapid",
    tag = "admin",
    operation_id = "make_web_push_keys",
    security(("session" = [])),
    request_body = MakeKeys,
    responses((status = 201, description = "The public half", body = Keys), KeyProblems)
)]
async fn make_keys(
    State(state): State<AppState>,
    admin: AdminUser,
    Body(given): Body<MakeKeys>,
) -> Result<Written<Keys>, Problem> {
    let setup = notification_channels::get(&state.pool, Channel::WebPush).await?;
    if setup.secrets.get("private_key").is_some() && !given.replace {
        return Err(KEYS_EXIST.into());
    }
    let pair = KeyPair::fresh();
    let public_key = pair.public();
    let subject = setup.config.get("subject").cloned().unwrap_or_default();
    let config = json!({"subject": subject, "public_key": public_key});
    let secrets = json!({"private_key": pair.private()});
    let mut transaction = state.pool.begin().await?;
    web_push_subscriptions::remove_all(&mut *transaction).await?;
    let channel = Channel::WebPush;
    notification_channels::set(&mut *transaction, channel, setup.enabled, &config, &secrets, admin.id)
        .await?;
    transaction.commit().await?;
    Ok(Written::created(Keys { public_key }, "/api/admin/notifications/channels/web_push"))
}
