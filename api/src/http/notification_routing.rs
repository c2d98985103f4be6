//! `/api/me/notifications/routing` and `…/settings`: of what one is told by which channel, and when.

use axum::{Json, extract::State, http::StatusCode};
use chrono::NaiveTime;
use operational::{
    notification_channels::{self, Channel},
    notification_settings::{self, Settings},
    notification_subscriptions::{self, Route},
    notifications::Kind as Event,
    users::User,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::notification_channels::CHANNEL_OFF;
use crate::{
    answer::Written,
    change::Change,
    extract::{Body, CurrentUser},
    problem::{self, INVALID_FIELD, Kind, Problem},
    problems,
    state::AppState,
};

/// Nobody is told of this.
const UNKNOWN_EVENT: Kind = Kind::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "unknown_event",
    "there is no such event; GET the routing to see them all",
);
/// Nobody is told by this.
const UNKNOWN_CHANNEL: Kind = Kind::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "unknown_channel",
    "the channels are in_app, email, ntfy, webhook, apprise, web_push",
);
/// The list in the app has everything.
const ALWAYS_ON: Kind =
    Kind::new(StatusCode::UNPROCESSABLE_ENTITY, "always_on", "the channel in_app is always on");

/// `{event: {channel: on}}`.
type Routing = BTreeMap<String, BTreeMap<String, bool>>;

problems!(ReadProblems = problem::SIGNED_IN);
problems!(
    WriteProblems = problem::SIGNED_IN,
    problem::BODY,
    &[UNKNOWN_EVENT, UNKNOWN_CHANNEL, ALWAYS_ON, CHANNEL_OFF],
);
problems!(SetProblems = problem::SIGNED_IN, problem::BODY);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(read, write)).routes(routes!(read_settings, write_settings))
}

fn example() -> Value {
    json!({
        "preorder_release_today": {"in_app": true, "email": true, "ntfy": false},
        "wishlist_back_in_stock": {"in_app": true, "email": false, "ntfy": true}
    })
}

async fn routing(state: &AppState, user: &User) -> Result<Routing, Problem> {
    let channels = notification_channels::enabled(&state.pool).await?;
    let chosen = notification_subscriptions::of_user(&state.pool, user.id).await?;
    let of = |event: &Event| {
        let on = |channel: &Channel| *channel == Channel::InApp || chosen.contains(&(*event, *channel));
        channels.iter().map(|channel| (channel.as_str().to_owned(), on(channel))).collect()
    };
    Ok(Event::ALL.iter().map(|event| (event.as_str().to_owned(), of(event))).collect())
}

/// Of what one is told by which channel.
///
/// For whoever is signed in. Every event, with the channels that an admin switched on. A channel is off until one
/// switches it on; `in_app` is always on.
#[utoipa::path(
    get,
    path = "/api/me/notifications/routing",
    tag = "notifications",
    operation_id = "read_routing",
    security(("session" = [])),
    responses((status = 200, description = "The routing", body = Routing, example = example), ReadProblems)
)]
async fn read(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
) -> Result<Json<Routing>, Problem> {
    Ok(Json(routing(&state, &user).await?))
}

/// Changes of what one is told by which channel.
///
/// For whoever is signed in. What is not named stays as it is; the answer is the whole routing.
#[utoipa::path(
    put,
    path = "/api/me/notifications/routing",
    tag = "notifications",
    operation_id = "write_routing",
    security(("session" = [])),
    request_body(content = Routing, example = json!({"preorder_release_today": {"email": true}})),
    responses((status = 200, description = "The routing", body = Routing, example = example), WriteProblems)
)]
async fn write(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Body(given): Body<Routing>,
) -> Result<Written<Routing>, Problem> {
    let usable = notification_channels::enabled(&state.pool).await?;
    let mut routes = Vec::new();
    for (event, channels) in &given {
        let kind: Event =
            event.parse().map_err(|_unknown| Problem::from(UNKNOWN_EVENT).field(event.clone()))?;
        for (channel, enabled) in channels {
            let field = format!("{event}.{channel}");
            let problem = |kind: Kind| Problem::from(kind).field(field.clone());
            let channel: Channel = channel.parse().map_err(|_unknown| problem(UNKNOWN_CHANNEL))?;
            if !usable.contains(&channel) {
                return Err(problem(CHANNEL_OFF));
            }
            match (channel, *enabled) {
                (Channel::InApp, true) => {}
                (Channel::InApp, false) => return Err(problem(ALWAYS_ON)),
                (channel, enabled) => routes.push(Route { kind, channel, enabled }),
            }
        }
    }
    let mut transaction = state.pool.begin().await?;
    notification_subscriptions::merge(&mut transaction, user.id, &routes).await?;
    transaction.commit().await?;
    Ok(Written::done(routing(&state, &user).await?))
}

/// Hours of the day in which nothing is sent.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"from": "22:00", "until": "07:30"}))]
pub struct QuietHours {
    /// `HH:MM`, in one's own time zone.
    from: String,
    /// `HH:MM`; earlier than `from` is on the next morning.
    until: String,
}

/// When one is told by other channels than the app.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"quiet_hours": {"from": "22:00", "until": "07:30"}, "digest_at": null}))]
pub struct NotificationSettings {
    /// What comes up meanwhile is sent when they end; null without any.
    quiet_hours: Option<QuietHours>,
    /// `HH:MM` at which everything of a day is sent at once, whatever the quiet hours; null for at once.
    digest_at: Option<String>,
}

/// What to change; what is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"quiet_hours": {"from": "22:00", "until": "07:30"}, "digest_at": null}))]
pub struct WriteNotificationSettings {
    /// Null for none.
    #[serde(default)]
    #[schema(value_type = Option<QuietHours>)]
    quiet_hours: Change<QuietHours>,
    /// Null for no digest.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    digest_at: Change<String>,
}

fn time(field: &str, text: &str) -> Result<NaiveTime, Problem> {
    let is_short = text.len() == 5;
    let time = NaiveTime::parse_from_str(text, "%H:%M").ok().filter(|_| is_short);
    let wanted =
        || Problem::from(INVALID_FIELD).detail("a time such as 07:30 is wanted here").field(field.to_owned());
    time.ok_or_else(wanted)
}

impl From<Settings> for NotificationSettings {
    fn from(settings: Settings) -> Self {
        let text = |time: NaiveTime| time.format("%H:%M").to_string();
        let quiet_hours = settings
            .quiet_from
            .zip(settings.quiet_until)
            .map(|(from, until)| QuietHours { from: text(from), until: text(until) });
        Self { quiet_hours, digest_at: settings.digest_at.map(text) }
    }
}

/// When one is told by other channels than the app.
///
/// For whoever is signed in.
#[utoipa::path(
    get,
    path = "/api/me/notifications/settings",
    tag = "notifications",
    operation_id = "read_notification_settings",
    security(("session" = [])),
    responses((status = 200, description = "The settings", body = NotificationSettings), ReadProblems)
)]
async fn read_settings(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
) -> Result<Json<NotificationSettings>, Problem> {
    Ok(Json(notification_settings::of_user(&state.pool, user.id).await?.into()))
}

/// Sets quiet hours and the daily digest.
///
/// For whoever is signed in. What waits already keeps its time.
#[utoipa::path(
    put,
    path = "/api/me/notifications/settings",
    tag = "notifications",
    operation_id = "write_notification_settings",
    security(("session" = [])),
    request_body = WriteNotificationSettings,
    responses((status = 200, description = "The settings", body = NotificationSettings), SetProblems)
)]
async fn write_settings(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Body(given): Body<WriteNotificationSettings>,
) -> Result<Written<NotificationSettings>, Problem> {
    let mut settings = notification_settings::of_user(&state.pool, user.id).await?;
    if let Some(quiet) = given.quiet_hours.into_option() {
        let times = quiet
            .map(|quiet| {
                let (from, until) =
                    (time("quiet_hours.from", &quiet.from)?, time("quiet_hours.until", &quiet.until)?);
                if from == until {
                    let same =
                        Problem::from(INVALID_FIELD).detail("quiet hours begin and end at different times");
                    return Err(same.field("quiet_hours.until"));
                }
                Ok((from, until))
            })
            .transpose()?;
        (settings.quiet_from, settings.quiet_until) = times.unzip();
    }
    if let Some(digest) = given.digest_at.into_option() {
        settings.digest_at = digest.map(|text| time("digest_at", &text)).transpose()?;
    }
    notification_settings::set(&state.pool, user.id, settings).await?;
    Ok(Written::done(settings.into()))
}
