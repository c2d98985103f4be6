//! Path parameters.

use axum::{
    extract::{FromRequestParts, path::ErrorKind, rejection::PathRejection},
    http::request::Parts,
};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

use crate::problem::{MALFORMED_PATH, NOT_FOUND, Problem};

/// Path parameters. One that cannot be what it should be (an id that is no UUID) names nothing: 404.
#[derive(Debug, Clone)]
pub struct Path<T>(pub T);

impl<T, S> FromRequestParts<S> for Path<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        if percent_decode_str(parts.uri.path()).any(|byte| byte == 0) {
            return Err(NOT_FOUND.into());
        }
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(error)) => Err(match error.kind() {
                ErrorKind::InvalidUtf8InPathParam { .. } => MALFORMED_PATH.into(),
                ErrorKind::WrongNumberOfParameters { .. } | ErrorKind::UnsupportedType { .. } => {
                    Problem::internal(error)
                }
                _ => NOT_FOUND.into(),
            }),
            Err(error) => Err(Problem::internal(error)),
        }
    }
}
