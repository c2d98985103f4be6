//! `/api/me/web-push`: the browsers that one lets be told.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use operational::{
    notification_channels::{self, Channel},
    web_push_subscriptions::{self, NewSubscription, Subscription},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;
use workers::channels::check_subscription;

use super::notification_channels::{ADDRESS_NOT_ALLOWED, CHANNEL_OFF, unfit};
use crate::{
    answer::Written,
    extract::{Body, CurrentUser, Path},
    problem::{self, INVALID_FIELD, NOT_FOUND, Problem},
    problems,
    state::AppState,
};

/// Longer ones no push service gives out.
const LONGEST_ENDPOINT: usize = 2_048;
const LONGEST_LABEL: usize = 100;

problems!(ListProblems = problem::SIGNED_IN);
problems!(AddProblems = problem::SIGNED_IN, problem::BODY, &[CHANNEL_OFF, ADDRESS_NOT_ALLOWED]);
problems!(RemoveProblems = problem::SIGNED_IN, problem::WRITE, &[NOT_FOUND]);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(remove))
}

/// The keys of a subscription, as the browser gives them.
#[derive(Debug, Deserialize, ToSchema)]
pub struct PushKeys {
    /// The browser's public key: an uncompressed point on P-256, base64url.
    p256dh: String,
    /// 16 bytes, base64url.
    auth: String,
}

/// A subscription as `PushSubscription.toJSON()` gives it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "endpoint": "https://push.example/send/abc",
    "keys": {
        "p256dh": "BLn9b-VR0ca83knDNZ32dCHGyjJp-1riX9ZTN40MqV8K_LpQmLqxC_DoHvqvFXO_nGdAB4W9dogZb_sM-uV4JbY",
        "auth": "_ordMnz7uTCmrpBTeUV4Bw"
    },
    "label": "Telephone"
}))]
pub struct Subscribe {
    /// Where the push service takes messages.
    endpoint: String,
    keys: PushKeys,
    /// Browsers say it; the push service tells when it is over.
    #[serde(default, rename = "expirationTime")]
    _expiration_time: Option<f64>,
    /// What one calls this browser.
    #[serde(default)]
    label: Option<String>,
}

/// A browser that one subscribed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebPushSubscription, example = example)]
pub struct SubscriptionView {
    id: Uuid,
    /// Whose push service it is; the rest of the address is a secret.
    push_service: String,
    label: Option<String>,
    created_at: DateTime<Utc>,
}

/// One's browsers, and what a further one needs to subscribe.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebPush {
    /// For `applicationServerKey`; null while no admin has made a key pair, or the channel is off.
    public_key: Option<String>,
    /// The oldest first.
    items: Vec<SubscriptionView>,
}

fn example() -> Value {
    json!({
        "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4bc0",
        "push_service": "https://push.example",
        "label": "Telephone",
        "created_at": "2026-11-02T08:15:00Z"
    })
}

impl From<Subscription> for SubscriptionView {
    fn from(subscription: Subscription) -> Self {
        let origin = subscription.endpoint.parse::<Url>().map(|url| url.origin().ascii_serialization());
        Self {
            id: subscription.id,
            push_service: origin.unwrap_or_default(),
            label: subscription.label,
            created_at: subscription.created_at,
        }
    }
}

/// One's browsers.
///
/// For whoever is signed in. With the key that a further browser subscribes with.
#[utoipa::path(
    get,
    path = "/api/me/web-push",
    tag = "notifications",
    operation_id = "list_web_push",
    security(("session" = [])),
    responses((status = 200, description = "The browsers", body = WebPush), ListProblems)
)]
async fn list(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
) -> Result<Json<WebPush>, Problem> {
    let setup = notification_channels::get(&state.pool, Channel::WebPush).await?;
    let key = setup.config.get("public_key").and_then(Value::as_str);
    let public_key = key.filter(|_| setup.enabled).map(str::to_owned);
    let items = web_push_subscriptions::of_user(&state.pool, user.id).await?;
    Ok(Json(WebPush { public_key, items: items.into_iter().map(Into::into).collect() }))
}

/// Subscribes a browser.
///
/// For whoever is signed in. The same browser again keeps its id. One that another person subscribed before is theirs
/// no longer. At most 20; a further one takes the place of the oldest.
#[utoipa::path(
    post,
    path = "/api/me/web-push",
    tag = "notifications",
    operation_id = "add_web_push",
    security(("session" = [])),
    request_body = Subscribe,
    responses((status = 201, description = "It is subscribed", body = SubscriptionView), AddProblems)
)]
async fn add(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Body(given): Body<Subscribe>,
) -> Result<Written<SubscriptionView>, Problem> {
    let setup = notification_channels::get(&state.pool, Channel::WebPush).await?;
    if !setup.enabled || setup.secrets.get("private_key").is_none() {
        return Err(CHANNEL_OFF.into());
    }
    let invalid =
        |field: &'static str, detail: &'static str| Problem::from(INVALID_FIELD).detail(detail).field(field);
    let Subscribe { endpoint, keys, label, .. } = given;
    let url: Option<Url> = endpoint.parse().ok().filter(|_| endpoint.len() <= LONGEST_ENDPOINT);
    let url = url.ok_or_else(|| invalid("endpoint", "the address that the browser gave is wanted here"))?;
    let checked = state.deliveries.channels().outbound().check(&url);
    checked
        .map_err(|error| Problem::from(ADDRESS_NOT_ALLOWED).detail(error.to_string()).field("endpoint"))?;
    check_subscription(&keys.p256dh, &keys.auth).map_err(unfit)?;
    let label = label.map(|label| label.trim().to_owned()).filter(|label| !label.is_empty());
    if label.as_ref().is_some_and(|label| label.chars().count() > LONGEST_LABEL) {
        return Err(invalid("label", "at most 100 characters"));
    }
    let (p256dh, auth) = (keys.p256dh.trim_end_matches('='), keys.auth.trim_end_matches('='));
    let new = NewSubscription { endpoint: url.as_str(), p256dh, auth, label: label.as_deref() };
    let added = web_push_subscriptions::add(&state.pool, user.id, new).await?;
    let place = format!("/api/me/web-push/{}", added.id);
    Ok(Written::created(added.into(), place))
}

/// What is left of a subscription.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"removed": true}))]
pub struct Removed {
    /// Always true.
    removed: bool,
}

/// Ends a subscription.
///
/// For whoever is signed in, one of their own.
#[utoipa::path(
    delete,
    path = "/api/me/web-push/{id}",
    tag = "notifications",
    operation_id = "remove_web_push",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The subscription's id")),
    responses((status = 200, description = "It is over", body = Removed), RemoveProblems)
)]
async fn remove(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(id): Path<Uuid>,
) -> Result<Written<Removed>, Problem> {
    let removed = web_push_subscriptions::remove(&state.pool, user.id, id).await?;
    if removed { Ok(Written::done(Removed { removed })) } else { Err(NOT_FOUND.into()) }
}
