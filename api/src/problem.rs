//! Refusals over HTTP: RFC 9457 `application/problem+json` with a stable `code`.
//!
//! A [`Kind`] is a refusal known beforehand: handlers return it, and the OpenAPI document lists it with
//! [`problems!`](crate::problems), so what is documented is what is sent.

use std::{any::Any, borrow::Cow, collections::BTreeMap};

use axum::{
    Json,
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use domain::refusal::{Code, Refusal, RefusalKind};
use serde_json::{Map, Value};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ContentBuilder, RefOr, ResponseBuilder,
        example::{Example, ExampleBuilder},
    },
};

/// The media type of every refusal.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// A refusal known beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    status: StatusCode,
    code: &'static str,
    detail: &'static str,
    field: Option<&'static str>,
}

impl Kind {
    /// A refusal with its status, its stable code and a sentence that says what to do.
    #[must_use]
    pub const fn new(status: StatusCode, code: &'static str, detail: &'static str) -> Self {
        Self { status, code, detail, field: None }
    }

    /// Its stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// Names the field at fault.
    #[must_use]
    pub const fn on(self, field: &'static str) -> Self {
        Self { field: Some(field), ..self }
    }

    /// How a refusal of the domain looks here.
    #[must_use]
    pub const fn refusal(code: Code, detail: &'static str) -> Self {
        Self::new(status_of(code), code.as_str(), detail)
    }
}

const fn status_of(code: Code) -> StatusCode {
    match code.kind() {
        RefusalKind::NotFound => StatusCode::NOT_FOUND,
        RefusalKind::Conflict => StatusCode::CONFLICT,
        RefusalKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        RefusalKind::Forbidden => StatusCode::FORBIDDEN,
        RefusalKind::Stale => StatusCode::PRECONDITION_FAILED,
    }
}

/// Nothing is here, or it is not the caller's.
pub const NOT_FOUND: Kind = Kind::new(StatusCode::NOT_FOUND, "not_found", "there is nothing here");
/// The route has no such method.
pub const METHOD_NOT_ALLOWED: Kind = Kind::new(
    StatusCode::METHOD_NOT_ALLOWED,
    "method_not_allowed",
    "see the Allow header for what this route takes",
);
/// The body is over the route's limit.
pub const BODY_TOO_LARGE: Kind =
    Kind::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "the body is larger than this route takes");
/// The body did not arrive in time.
pub const BODY_TOO_SLOW: Kind =
    Kind::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", "the body did not arrive in time");
/// The body broke off.
pub const BODY_CUT_OFF: Kind =
    Kind::new(StatusCode::BAD_REQUEST, "body_cut_off", "the body did not arrive whole");
/// The body is not called JSON.
pub const UNSUPPORTED_MEDIA_TYPE: Kind = Kind::new(
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    "unsupported_media_type",
    "send JSON, with Content-Type: application/json",
);
/// The body is not JSON.
pub const MALFORMED_JSON: Kind =
    Kind::new(StatusCode::BAD_REQUEST, "malformed_json", "the body is not valid JSON");
/// A field holds what it cannot.
pub const INVALID_FIELD: Kind =
    Kind::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_field", "a field does not hold what it should");
/// A field that is needed is not there.
pub const MISSING_FIELD: Kind =
    Kind::new(StatusCode::UNPROCESSABLE_ENTITY, "missing_field", "a field that is needed is missing");
/// A field that the route does not know.
pub const UNKNOWN_FIELD: Kind =
    Kind::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown_field", "the route knows no such field");
/// A query parameter that the route does not know.
pub const UNKNOWN_PARAMETER: Kind = Kind::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "unknown_parameter",
    "the route knows no such query parameter",
);
/// The query is not text.
pub const MALFORMED_QUERY: Kind =
    Kind::new(StatusCode::BAD_REQUEST, "malformed_query", "the query string is not percent-encoded UTF-8");
/// The path is not text.
pub const MALFORMED_PATH: Kind =
    Kind::new(StatusCode::BAD_REQUEST, "malformed_path", "the path is not percent-encoded UTF-8");
/// A header holds what it cannot.
pub const INVALID_HEADER: Kind =
    Kind::new(StatusCode::BAD_REQUEST, "invalid_header", "a header does not hold what it should");
/// The cursor did not come from the listing it is given to.
pub const INVALID_CURSOR: Kind = Kind::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "invalid_cursor",
    "the cursor is not one this listing gave; begin again without it",
)
.on("cursor");
/// `If-Match` names an older version.
pub const STALE_VERSION: Kind =
    Kind::refusal(Code::Stale, "this has changed since the version that If-Match names; read it again")
        .on("If-Match");
/// Nobody is signed in.
pub const NOT_SIGNED_IN: Kind =
    Kind::new(StatusCode::UNAUTHORIZED, "not_signed_in", "sign in at POST /api/auth/login first");
/// The account may not be used.
pub const SUSPENDED: Kind =
    Kind::new(StatusCode::FORBIDDEN, "suspended", "an admin has suspended this account");
/// The API key opens nothing.
pub const INVALID_API_KEY: Kind = Kind::new(
    StatusCode::UNAUTHORIZED,
    "invalid_api_key",
    "this is no API key that works: it never was one, was revoked, or has run out",
);
/// The API key is not allowed to do this.
pub const SCOPE_MISSING: Kind = Kind::new(
    StatusCode::FORBIDDEN,
    "scope_missing",
    "the API key lacks a scope; make one that has it, at POST /api/me/api-keys",
);
/// No API key may do this.
pub const KEY_NOT_ALLOWED: Kind = Kind::new(
    StatusCode::FORBIDDEN,
    "key_not_allowed",
    "no API key may do this; sign in at POST /api/auth/login",
);
/// Too many requests with one key.
pub const TOO_MANY_REQUESTS: Kind = Kind::new(
    StatusCode::TOO_MANY_REQUESTS,
    "too_many_requests",
    "too many requests with this API key; wait as long as Retry-After says",
);
/// Only for admins.
pub const ADMIN_ONLY: Kind = Kind::new(StatusCode::FORBIDDEN, "admin_only", "only admins may do this");
/// Another site's page sent this.
pub const CROSS_SITE_WRITE: Kind = Kind::new(
    StatusCode::FORBIDDEN,
    "cross_site_write",
    "a page of another site sent this write, so it was refused",
);
/// Too many attempts from one address.
pub const TOO_MANY_ATTEMPTS: Kind = Kind::new(
    StatusCode::TOO_MANY_REQUESTS,
    "too_many_attempts",
    "too many attempts from this address; wait as long as Retry-After says",
);
/// Our fault.
pub const INTERNAL: Kind =
    Kind::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "something went wrong here; the log has more");
/// The database does not answer.
pub const DATABASE_UNAVAILABLE: Kind = Kind::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "database_unavailable",
    "the database does not answer; try again",
);
/// A read model still has the tables of an earlier release.
pub const READ_MODEL_UPGRADING: Kind = Kind::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "read_model_upgrading",
    "after an update the read models are being rebuilt, and this needs one that is not done yet; try again",
);

/// The write stands, but cannot be read yet.
pub const READ_MODEL_BEHIND: Kind = Kind::new(
    StatusCode::ACCEPTED,
    "read_model_behind",
    "this is done and on record, but cannot be read yet; read it at Location with X-Min-Position in a moment",
);
/// The write stood, and something else has removed the thing before it was answered.
pub const GONE_SINCE: Kind = Kind::new(
    StatusCode::GONE,
    "gone_since",
    "this was done and is on record, but another request has removed it since; there is nothing left to do",
);
/// What must be included cannot be read yet.
pub const NOT_READABLE_YET: Kind = Kind::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "read_model_behind",
    "what is read here has not reached that position yet; try again in a moment",
);
/// The idempotency key belongs to another request.
pub const IDEMPOTENCY_KEY_REUSED: Kind = Kind::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "idempotency_key_reused",
    "this Idempotency-Key was used for a different request; take a fresh one",
)
.on("Idempotency-Key");
/// Too much is going on.
pub const BUSY: Kind =
    Kind::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "too much is changing at once; try again in a moment");
/// The connection broke while committing.
pub const OUTCOME_UNKNOWN: Kind = Kind::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "outcome_unknown",
    "the database went away while this was being written; repeat it with the same Idempotency-Key to find out",
);

/// Something of the log that is needed here cannot be read by this release.
pub const STREAM_UNREADABLE: Kind = Kind::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "stream_unreadable",
    "what is on record of this cannot be read here, so nothing was changed; tell whoever runs this instance",
);

/// What every command may meet besides its own refusals.
pub const COMMAND: &[Kind] =
    &[IDEMPOTENCY_KEY_REUSED, STALE_VERSION, READ_MODEL_BEHIND, GONE_SINCE, BUSY, STREAM_UNREADABLE];
/// What routes for the signed-in may refuse before the handler runs.
pub const SIGNED_IN: &[Kind] = &[NOT_SIGNED_IN, SUSPENDED];
/// What routes for admins may refuse before the handler runs.
pub const ADMIN: &[Kind] = &[NOT_SIGNED_IN, SUSPENDED, ADMIN_ONLY];
/// What every writing route may refuse before the handler runs.
pub const WRITE: &[Kind] = &[CROSS_SITE_WRITE];
/// What a route with a JSON body may refuse before the handler runs.
pub const BODY: &[Kind] = &[
    CROSS_SITE_WRITE,
    MALFORMED_JSON,
    BODY_TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    INVALID_FIELD,
    MISSING_FIELD,
    UNKNOWN_FIELD,
];
/// What a listing may refuse before the handler runs.
pub const LISTING: &[Kind] = &[MALFORMED_QUERY, INVALID_FIELD, UNKNOWN_PARAMETER, INVALID_CURSOR];

/// One refusal, ready to be sent.
#[derive(Debug, Clone)]
pub struct Problem(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    field: Option<Cow<'static, str>>,
    extras: Map<String, Value>,
    headers: HeaderMap,
}

impl Problem {
    /// Says it in other words. Whatever of the caller's is quoted is cut to a sensible length.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        const LONGEST: usize = 400;
        let detail = detail.into();
        self.0.detail = match detail.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", detail.get(..end).unwrap_or_default()).into(),
            None => detail,
        };
        self
    }

    /// Names the field at fault: a path into the body such as `items[2].price_amount`, a query parameter
    /// or a header.
    #[must_use]
    pub fn field(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.0.field = Some(field.into());
        self
    }

    /// Says that the field at fault is inside `place`: `release_date` in `releases[2]` is
    /// `releases[2].release_date`.
    #[must_use]
    pub fn within(mut self, place: impl std::fmt::Display) -> Self {
        self.0.field = self.0.field.map(|field| format!("{place}.{field}").into());
        self
    }

    /// Adds a member of its own, such as `figure_id`.
    #[must_use]
    pub fn extra(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.extras.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.0.headers.insert(name, value.into());
        self
    }

    /// A 500 whose cause goes to the log and never to the caller.
    #[must_use]
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed");
        INTERNAL.into()
    }

    /// A 503: the database does not answer. The cause goes to the log.
    #[must_use]
    pub fn away(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "the database does not answer");
        Self::from(DATABASE_UNAVAILABLE).header(header::RETRY_AFTER, HeaderValue::from_static("5"))
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// Its stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// What it says to whoever reads it.
    #[must_use]
    pub fn says(&self) -> &str {
        &self.0.detail
    }

    /// As it is sent.
    pub(crate) fn to_json(&self) -> Value {
        let mut body = self.0.extras.clone();
        body.insert("type".to_owned(), format!("urn:figure-ledger:problem:{}", self.0.code).into());
        body.insert("title".to_owned(), title(self.0.code).into());
        body.insert("status".to_owned(), self.0.status.as_u16().into());
        body.insert("detail".to_owned(), self.0.detail.as_ref().into());
        body.insert("code".to_owned(), self.0.code.into());
        if let Some(field) = &self.0.field {
            body.insert("field".to_owned(), field.as_ref().into());
        }
        Value::Object(body)
    }
}

/// `jan_taken` reads "Jan taken": a title never differs between two problems of one code.
fn title(code: &str) -> String {
    let words = code.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

impl From<Kind> for Problem {
    fn from(kind: Kind) -> Self {
        Self(Box::new(Inner {
            status: kind.status,
            code: kind.code,
            detail: kind.detail.into(),
            field: kind.field.map(Into::into),
            extras: Map::new(),
            headers: HeaderMap::new(),
        }))
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let mut problem = Self::from(Kind::refusal(refusal.code, "")).detail(refusal.detail);
        // The domain does not know where its caller said what they had seen.
        let stale = (refusal.code == Code::Stale).then_some(Cow::Borrowed("If-Match"));
        problem.0.field = refusal.field.or(stale);
        if let Some(figure) = refusal.figure_id {
            problem = problem.extra("figure_id", figure.to_string());
        }
        if let Some(other) = refusal.other_id {
            problem = problem.extra("other_id", other.to_string());
        }
        problem
    }
}

/// Whether the database is away, on its way up or down, or full of connections: nobody's mistake, and over in
/// a while.
fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::WorkerCrashed => true,
        // 08: the connection broke. 53: no room for more. 57P: the server ends, crashed or is starting.
        sqlx::Error::Database(cause) => cause
            .code()
            .is_some_and(|code| ["08", "53", "57P"].into_iter().any(|class| code.starts_with(class))),
        _ => false,
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            away if is_away(away) => Self::away(error),
            // Names that only newer tables have: the old ones serve until the rebuilt ones take their place.
            sqlx::Error::Database(cause)
                if cause.code().is_some_and(|code| matches!(&*code, "42703" | "42P01")) =>
            {
                tracing::error!(%error, "a read model does not have the tables of this release");
                Self::from(READ_MODEL_UPGRADING).header(header::RETRY_AFTER, HeaderValue::from_static("15"))
            }
            // Class 22 says that a value itself is unacceptable, and values come from the caller.
            sqlx::Error::Database(cause) if cause.code().is_some_and(|code| code.starts_with("22")) => {
                tracing::warn!(%error, "the database refused a value that no check had refused before");
                Self::from(INVALID_FIELD).detail("a value is outside what can be kept")
            }
            _ => Self::internal(error),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.0.status, self.0.headers.clone(), Json(self.to_json())).into_response();
        // A 202 is not a refusal: the write stands.
        if !self.0.status.is_success() {
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        }
        if self.0.status == StatusCode::UNAUTHORIZED {
            let how = response.headers_mut().entry(header::WWW_AUTHENTICATE);
            how.or_insert(HeaderValue::from_static("Session"));
        }
        response
    }
}

impl IntoResponse for Kind {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}

/// What a panic becomes. What it said is in the log only.
#[must_use]
pub fn from_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
    let said = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("(nothing readable)");
    Problem::internal(format_args!("panic: {said}")).into_response()
}

/// Middleware: an error that some library answered in its own words becomes a problem too.
pub async fn reword(request: Request<Body>, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    let ours = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == MEDIA_TYPE);
    if ours || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    // Of the libraries around the routes only the session layer answers so, when it cannot save a session.
    if status == StatusCode::INTERNAL_SERVER_ERROR {
        return Problem::away("a session could not be saved").into_response();
    }
    let kind = match status {
        StatusCode::NOT_FOUND => NOT_FOUND,
        StatusCode::METHOD_NOT_ALLOWED => METHOD_NOT_ALLOWED,
        StatusCode::PAYLOAD_TOO_LARGE => BODY_TOO_LARGE,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => UNSUPPORTED_MEDIA_TYPE,
        _ if status.is_server_error() => INTERNAL,
        _ => Kind::new(status, "bad_request", "the request cannot be understood"),
    };
    let (parts, _body) = response.into_parts();
    let mut problem = Problem::from(kind);
    problem.0.status = status;
    problem.0.headers = parts.headers;
    problem.0.headers.remove(header::CONTENT_LENGTH);
    problem.0.headers.remove(header::CONTENT_ENCODING);
    problem.0.headers.remove(header::CONTENT_TYPE);
    problem.into_response()
}

/// A refusal, as RFC 9457 describes it.
#[derive(serde::Serialize, ToSchema)]
#[schema(as = Problem)]
#[allow(dead_code, reason = "describes the JSON in the OpenAPI document; values are written by `Problem`")]
pub struct ProblemBody {
    /// `urn:figure-ledger:problem:` and the code.
    #[schema(example = "urn:figure-ledger:problem:jan_taken")]
    r#type: String,
    /// The code in words.
    #[schema(example = "Jan taken")]
    title: String,
    /// The HTTP status.
    #[schema(example = 409)]
    status: u16,
    /// What is wrong and what to do, in a sentence for people.
    detail: String,
    /// What is wrong, for programs. It never changes its meaning.
    #[schema(example = "jan_taken")]
    code: String,
    /// The field at fault: a path into the body, a query parameter or a header.
    #[schema(example = "jan")]
    field: Option<String>,
    /// The figure that is in the way.
    figure_id: Option<uuid::Uuid>,
    /// The other thing that is in the way.
    other_id: Option<uuid::Uuid>,
}

/// The OpenAPI responses of these kinds: one per status, with an example per code.
#[must_use]
pub fn documented(groups: &[&[Kind]]) -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
    let mut by_status: BTreeMap<u16, BTreeMap<&str, Kind>> = BTreeMap::new();
    for kind in groups.iter().flat_map(|group| group.iter()).chain(&[
        INTERNAL,
        DATABASE_UNAVAILABLE,
        READ_MODEL_UPGRADING,
    ]) {
        by_status.entry(kind.status.as_u16()).or_default().insert(kind.code, *kind);
    }
    by_status
        .into_iter()
        .map(|(status, kinds)| {
            let codes: Vec<String> = kinds.keys().map(|code| format!("`{code}`")).collect();
            let examples: Vec<(String, Example)> = kinds
                .into_iter()
                .map(|(code, kind)| {
                    let body = Problem::from(kind).to_json();
                    (code.to_owned(), ExampleBuilder::new().value(Some(body)).build())
                })
                .collect();
            let content = ContentBuilder::new()
                .schema(Some(utoipa::openapi::Ref::from_schema_name("Problem")))
                .examples_from_iter(examples)
                .build();
            let response =
                ResponseBuilder::new().description(codes.join(", ")).content(MEDIA_TYPE, content).build();
            (status.to_string(), RefOr::T(response))
        })
        .collect()
}

/// The schema that [`documented`] refers to.
#[must_use]
pub fn schema() -> (String, RefOr<utoipa::openapi::Schema>) {
    ("Problem".to_owned(), ProblemBody::schema())
}

/// Names the refusals a route may answer, for its `responses(...)`:
///
/// ```
/// use api::{problem::{self, Kind}, problems};
/// use axum::http::StatusCode;
///
/// const FULL: Kind = Kind::new(StatusCode::CONFLICT, "shelf_full", "take something off the shelf first");
/// problems!(ShelveProblems = problem::SIGNED_IN, problem::BODY, &[FULL]);
/// ```
#[macro_export]
macro_rules! problems {
    ($name:ident = $($group:expr),+ $(,)?) => {
        /// The refusals of one route, for the OpenAPI document.
        pub struct $name;

        impl ::utoipa::IntoResponses for $name {
            fn responses() -> ::std::collections::BTreeMap<
                String,
                ::utoipa::openapi::RefOr<::utoipa::openapi::Response>,
            > {
                $crate::problem::documented(&[$($group),+])
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_refusal_keeps_its_code_field_and_what_is_in_the_way() {
        let figure = domain::ids::FigureId(uuid::Uuid::nil());
        let problem = Problem::from(Refusal::new(Code::JanTaken, "taken").on("jan").held_by(figure));
        let body = problem.to_json();
        assert_eq!(problem.status(), StatusCode::CONFLICT);
        assert_eq!(body["code"], "jan_taken");
        assert_eq!(body["title"], "Jan taken");
        assert_eq!(body["field"], "jan");
        assert_eq!(body["figure_id"], uuid::Uuid::nil().to_string());
    }

    #[tokio::test]
    async fn what_a_panic_said_stays_in_the_log() {
        let response = from_panic(Box::new("the secret".to_owned()));
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(body.contains("\"internal\"") && !body.contains("secret"), "{body}");
    }

    #[test]
    fn a_database_that_is_away_is_no_fault_of_ours() {
        let broken = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        for error in [
            sqlx::Error::PoolTimedOut,
            sqlx::Error::WorkerCrashed,
            sqlx::Error::Io(broken),
            sqlx::Error::Protocol("expected more".to_owned()),
        ] {
            let problem = Problem::from(error);
            assert_eq!((problem.status().as_u16(), problem.code()), (503, "database_unavailable"));
        }
        assert_eq!(Problem::from(sqlx::Error::RowNotFound).code(), "internal");
    }

    #[test]
    fn what_is_quoted_is_cut() {
        let problem = Problem::from(INVALID_FIELD).detail("é".repeat(5_000));
        assert!(problem.to_json()["detail"].as_str().unwrap().chars().count() <= 401);
    }
}
