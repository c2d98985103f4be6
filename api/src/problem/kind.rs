//! Refusals known beforehand.

use axum::{
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use domain::refusal::{Code, RefusalKind};
use serde_json::Map;

use super::{Inner, Problem};

/// A refusal known beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
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

impl IntoResponse for Kind {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}
