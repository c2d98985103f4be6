//! Headers with a meaning of their own.

use axum::{
    extract::FromRequestParts,
    http::{HeaderName, HeaderValue, header, request::Parts},
};
use domain::stream::{Position, Version};
use sha2::{Digest, Sha256};
use std::str::FromStr;

use crate::problem::{INVALID_HEADER, Problem, STALE_VERSION};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const X_MIN_POSITION: HeaderName = HeaderName::from_static("x-min-position");

/// The version of the resource that the caller last saw, from `If-Match: "17"`; none without the header and
/// for `*`. What only a foreign or weak tag could match is stale by nature: 412. Pieces and pre-orders have
/// versions of two numbers: `IfMatch<PieceVersion>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IfMatch<V = Version>(pub Option<V>);

/// What makes a repeated write recognisable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The caller's key: 1 to 200 visible ASCII characters.
    pub key: String,
    /// SHA-256 over method, path, query and, where there is one, the body's bytes.
    pub request_hash: [u8; 32],
}

/// The `Idempotency-Key` of a write without a body; writes with one take [`Command`](super::Command).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(pub Option<Idempotency>);

/// The event position that the answer must include, from `X-Min-Position`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinPosition(pub Option<Position>);

impl Idempotency {
    /// The same key for the same request with this body.
    #[must_use]
    pub fn with_body(self, body: &[u8]) -> Self {
        let hash = Sha256::new().chain_update(self.request_hash).chain_update(body).finalize();
        Self { key: self.key, request_hash: hash.into() }
    }
}

/// The one value of a header that may be given once.
fn only<'a>(
    parts: &'a Parts,
    name: &HeaderName,
    shown: &'static str,
) -> Result<Option<&'a HeaderValue>, Problem> {
    let mut values = parts.headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(refused(shown, format!("{shown} may be given once"))),
    }
}

fn refused(name: &'static str, detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    Problem::from(INVALID_HEADER).detail(detail).field(name)
}

impl<S: Send + Sync, V: FromStr> FromRequestParts<S> for IfMatch<V> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        const NAME: &str = "If-Match";
        let Some(value) = only(parts, &header::IF_MATCH, NAME)? else {
            return Ok(Self(None));
        };
        let text = value.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(Self(None));
        }
        let strong = text.strip_prefix("W/").unwrap_or(text);
        let Some(tag) = strong.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
            return Err(refused(NAME, "If-Match takes the ETag of one answer, in its quotes"));
        };
        if tag.contains('"') {
            return Err(refused(NAME, "If-Match takes one ETag here"));
        }
        match tag.parse() {
            Ok(version) if strong.len() == text.len() => Ok(Self(Some(version))),
            _ => Err(STALE_VERSION.into()),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        const NAME: &str = "Idempotency-Key";
        let Some(value) = only(parts, &IDEMPOTENCY_KEY, NAME)? else {
            return Ok(Self(None));
        };
        let bytes = value.as_bytes();
        let key = Some(bytes)
            .filter(|bytes| (1..=200).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic))
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .ok_or_else(|| refused(NAME, "Idempotency-Key has 1 to 200 visible ASCII characters"))?;
        let place = parts.uri.path_and_query().map_or("", |place| place.as_str());
        let hash = Sha256::new()
            .chain_update(parts.method.as_str())
            .chain_update(b" ")
            .chain_update(place)
            .chain_update(b"\n")
            .finalize();
        Ok(Self(Some(Idempotency { key: key.to_owned(), request_hash: hash.into() })))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for MinPosition {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        const NAME: &str = "X-Min-Position";
        let Some(value) = only(parts, &X_MIN_POSITION, NAME)? else {
            return Ok(Self(None));
        };
        let position = value.to_str().ok().and_then(|text| text.parse().ok());
        position
            .map(|position| Self(Some(position)))
            .ok_or_else(|| refused(NAME, "X-Min-Position is an event position: a whole number"))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn parts(method: &str, path: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    async fn if_match(value: &str) -> Result<Option<Version>, &'static str> {
        IfMatch::<Version>::from_request_parts(&mut parts("PATCH", "/x", &[("if-match", value)]), &())
            .await
            .map(|one| one.0)
            .map_err(|problem| problem.code())
    }

    #[tokio::test]
    async fn if_match_takes_a_version_or_anything() {
        assert_eq!(if_match("\"17\"").await, Ok(Some(Version(17))));
        assert_eq!(if_match("*").await, Ok(None));
        for (value, code) in [
            ("17", "invalid_header"),
            ("\"1\", \"2\"", "invalid_header"),
            ("W/\"17\"", "stale_version"),
            ("\"abc\"", "stale_version"),
            ("\"99999999999999999999\"", "stale_version"),
            ("\"+1\"", "stale_version"),
        ] {
            assert_eq!(if_match(value).await, Err(code), "{value}");
        }
    }

    async fn key(path: &str, value: &str) -> Result<Idempotency, &'static str> {
        IdempotencyKey::from_request_parts(&mut parts("POST", path, &[("idempotency-key", value)]), &())
            .await
            .map(|one| one.0.unwrap())
            .map_err(|problem| problem.code())
    }

    #[tokio::test]
    async fn a_key_belongs_to_one_method_path_and_body() {
        let first = key("/a", "k").await.unwrap();
        assert_eq!(first, key("/a", "k").await.unwrap());
        assert_ne!(first.request_hash, key("/b", "k").await.unwrap().request_hash);
        assert_ne!(first.clone().with_body(b"1").request_hash, first.clone().with_body(b"2").request_hash);
        assert_eq!(key("/a", &"k".repeat(201)).await, Err("invalid_header"));
        assert_eq!(key("/a", "with blank").await, Err("invalid_header"));
        assert_eq!(key("/a", "").await, Err("invalid_header"));
    }

    #[tokio::test]
    async fn a_header_given_twice_is_refused() {
        let mut twice = parts("GET", "/x", &[("x-min-position", "1"), ("x-min-position", "2")]);
        let refused = MinPosition::from_request_parts(&mut twice, &()).await.unwrap_err();
        assert_eq!(refused.code(), "invalid_header");
    }

    #[tokio::test]
    async fn a_position_is_a_whole_number() {
        for (value, expected) in
            [("0", Some(Position(0))), ("42", Some(Position(42))), ("-1", None), ("1.5", None), ("", None)]
        {
            let mut parts = parts("GET", "/x", &[("x-min-position", value)]);
            let got = MinPosition::from_request_parts(&mut parts, &()).await.ok().and_then(|one| one.0);
            assert_eq!(got, expected, "{value}");
        }
    }
}
