//! Refusals over HTTP: RFC 9457 `application/problem+json` with a stable `code`.
//!
//! A [`Kind`] is a refusal known beforehand: handlers return it, and the OpenAPI document lists it with
//! [`problems!`](crate::problems), so what is documented is what is sent.

mod database;
mod foreign;
mod kind;
mod known;
mod openapi;

pub use self::{
    foreign::{from_panic, reword},
    kind::Kind,
    known::{
        ADMIN, ADMIN_ONLY, BODY, BODY_CUT_OFF, BODY_TOO_LARGE, BODY_TOO_SLOW, BUSY, COMMAND,
        CROSS_SITE_WRITE, DATABASE_UNAVAILABLE, GONE_SINCE, IDEMPOTENCY_KEY_REUSED, INTERNAL,
        INVALID_API_KEY, INVALID_CURSOR, INVALID_FIELD, INVALID_HEADER, KEY_NOT_ALLOWED, LISTING,
        MALFORMED_JSON, MALFORMED_PATH, MALFORMED_QUERY, METHOD_NOT_ALLOWED, MISSING_FIELD, NOT_FOUND,
        NOT_READABLE_YET, NOT_SIGNED_IN, OUTCOME_UNKNOWN, READ_MODEL_BEHIND, READ_MODEL_UPGRADING,
        SCOPE_MISSING, SIGNED_IN, STALE_VERSION, STREAM_UNREADABLE, SUSPENDED, TOO_MANY_ATTEMPTS,
        TOO_MANY_REQUESTS, UNKNOWN_FIELD, UNKNOWN_PARAMETER, UNSUPPORTED_MEDIA_TYPE, WRITE,
    },
    openapi::{ProblemBody, documented, schema},
};

use std::borrow::Cow;

use axum::{
    Json,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::refusal::{Code, Refusal};
use serde_json::{Map, Value};

/// The media type of every refusal.
pub const MEDIA_TYPE: &str = "application/problem+json";

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

    #[test]
    fn what_is_quoted_is_cut() {
        let problem = Problem::from(INVALID_FIELD).detail("é".repeat(5_000));
        assert!(problem.to_json()["detail"].as_str().unwrap().chars().count() <= 401);
    }
}
