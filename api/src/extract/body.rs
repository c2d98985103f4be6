//! JSON bodies: bounded, strict, and told apart by what is wrong with them.

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, header},
};
use futures::StreamExt;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Idempotency, IdempotencyKey};
use crate::problem::{
    BODY_CUT_OFF, BODY_TOO_LARGE, BODY_TOO_SLOW, INVALID_FIELD, MALFORMED_JSON, MISSING_FIELD, Problem,
    UNKNOWN_FIELD, UNSUPPORTED_MEDIA_TYPE,
};

/// Most bytes of a plain JSON body.
pub const BODY_LIMIT: usize = 64 * 1024;
/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(60);
/// How much of a body that is too large is still taken in, so that the caller gets to read the refusal
/// instead of a broken connection.
const DRAINED: usize = 64 * 1024 * 1024;

/// A JSON body of at most `LIMIT` bytes. A request without body and content type says `{}`.
///
/// Refused: another media type (415), too large (413), not JSON (400), a field of the wrong type, missing
/// or unknown (422 with its path as `field`), NUL characters anywhere (422).
#[derive(Debug, Clone)]
pub struct Body<T, const LIMIT: usize = BODY_LIMIT>(pub T);

/// A JSON body for a command that may be sent again: the body and what makes a repeat recognisable.
#[derive(Debug, Clone)]
pub struct Command<T, const LIMIT: usize = BODY_LIMIT> {
    /// The body.
    pub body: T,
    /// The `Idempotency-Key`, with the hash of method, path and body; none when there is no such header.
    pub idempotency: Option<Idempotency>,
}

impl<T, S, const LIMIT: usize> FromRequest<S> for Body<T, LIMIT>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let unsaid = is_unsaid(request.headers())?;
        object(&said(read_body(request, LIMIT).await?, unsaid)?).map(Self)
    }
}

impl<T, S, const LIMIT: usize> FromRequest<S> for Command<T, LIMIT>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let unsaid = is_unsaid(&parts.headers)?;
        let IdempotencyKey(key) = IdempotencyKey::from_request_parts(&mut parts, state).await?;
        let bytes = said(read_body(Request::from_parts(parts, body), LIMIT).await?, unsaid)?;
        Ok(Self { body: object(&bytes)?, idempotency: key.map(|key| key.with_body(&bytes)) })
    }
}

/// Whether no type is announced, so that nothing may follow; any other type than JSON is refused.
fn is_unsaid(headers: &HeaderMap) -> Result<bool, Problem> {
    if !headers.contains_key(header::CONTENT_TYPE) {
        return Ok(true);
    }
    expect_json(headers).map(|()| false)
}

/// The body's bytes. No body at all is an empty object: whoever has nothing to add need not say so.
fn said(bytes: Bytes, unsaid: bool) -> Result<Bytes, Problem> {
    match (unsaid, bytes.is_empty()) {
        (false, _) => Ok(bytes),
        (true, true) => Ok(Bytes::from_static(b"{}")),
        (true, false) => Err(UNSUPPORTED_MEDIA_TYPE.into()),
    }
}

fn expect_json(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json =
        essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    if is_json { Ok(()) } else { Err(UNSUPPORTED_MEDIA_TYPE.into()) }
}

/// The whole body, if it has at most `limit` bytes. For routes that take something other than JSON.
///
/// # Errors
/// 413 over the limit, 408 when it dawdles, 400 when it breaks off.
pub async fn read_body(request: Request, limit: usize) -> Result<Bytes, Problem> {
    tokio::time::timeout(PATIENCE, collect(request, limit))
        .await
        .unwrap_or_else(|_late| Err(BODY_TOO_SLOW.into()))
}

async fn collect(request: Request, limit: usize) -> Result<Bytes, Problem> {
    let announced: Option<usize> = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse().ok());
    let mut stream = request.into_body().into_data_stream();
    if announced.is_some_and(|length| length > limit.saturating_add(DRAINED)) {
        return Err(too_large(limit));
    }
    let mut whole = Vec::with_capacity(announced.unwrap_or(0).min(limit));
    let mut surplus = 0_usize;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_broken| Problem::from(BODY_CUT_OFF))?;
        if surplus == 0 && whole.len().saturating_add(chunk.len()) <= limit {
            whole.extend_from_slice(&chunk);
        } else {
            surplus = surplus.saturating_add(chunk.len());
            if surplus > DRAINED {
                break;
            }
        }
    }
    if surplus == 0 { Ok(whole.into()) } else { Err(too_large(limit)) }
}

fn too_large(limit: usize) -> Problem {
    Problem::from(BODY_TOO_LARGE).detail(format!("this route takes at most {limit} bytes"))
}

/// serde would also read a struct from an array of its fields in order; a body is always an object.
fn object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first.is_some_and(|byte| *byte != b'{') {
        let well_formed = serde_json::from_slice::<Value>(bytes);
        return Err(match well_formed {
            Ok(_) => Problem::from(INVALID_FIELD).detail("the body is not a JSON object"),
            Err(error) => malformed(&error),
        });
    }
    json(bytes)
}

/// Reads JSON strictly: no unknown fields, no NUL characters, nothing after the value.
///
/// # Errors
/// 400 when it is not JSON, 422 with the path as `field` when it is not what the route takes.
pub fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if bytes.is_empty() {
        return Err(Problem::from(MALFORMED_JSON).detail("the body is empty; send a JSON value"));
    }
    // serde_json does not look into the values of fields that it passes over.
    if std::str::from_utf8(bytes).is_err() {
        return Err(Problem::from(MALFORMED_JSON).detail("the body is not UTF-8"));
    }
    refuse_nul(bytes)?;
    let mut unknown = None;
    let mut track = serde_path_to_error::Track::new();
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value =
        serde_ignored::deserialize(serde_path_to_error::Deserializer::new(&mut reader, &mut track), |path| {
            unknown.get_or_insert_with(|| ignored_path(&path));
        });
    let value = match value {
        Ok(value) => value,
        // serde_json calls it a syntax error, too, when a number or null stands for an enum.
        Err(error) if error.is_data() || serde_json::from_slice::<Value>(bytes).is_ok() => {
            // A misspelt field is also a missing one; the misspelling is the more useful thing to say.
            return Err(match unknown {
                Some(field) => unknown_field(field),
                None => from_data_error(&error.to_string(), &track.path().to_string()),
            });
        }
        Err(error) => return Err(malformed(&error)),
    };
    reader.end().map_err(|error| malformed(&error))?;
    match unknown {
        Some(field) => Err(unknown_field(field)),
        None => Ok(value),
    }
}

fn malformed(error: &serde_json::Error) -> Problem {
    Problem::from(MALFORMED_JSON).detail(format!("the body is not valid JSON: {error}"))
}

fn unknown_field(field: String) -> Problem {
    Problem::from(UNKNOWN_FIELD).detail(format!("the route knows no field {field}")).field(field)
}

/// Turns serde's words into a problem. serde gives missing and unknown fields no other shape than a
/// sentence that begins in a fixed way.
pub(super) fn from_data_error(message: &str, path: &str) -> Problem {
    let message = message.split(" at line ").next().unwrap_or_default();
    if let Some(name) = quoted_after(message, "missing field `") {
        let field = within(path, name);
        return Problem::from(MISSING_FIELD).detail(format!("{field} is needed")).field(field);
    }
    if let Some(name) = quoted_after(message, "unknown field `") {
        return unknown_field(if path.ends_with(name) { path.to_owned() } else { within(path, name) });
    }
    let problem = Problem::from(INVALID_FIELD).detail(message.to_owned());
    if path == "." { problem } else { problem.field(path.to_owned()) }
}

fn quoted_after<'a>(message: &'a str, start: &str) -> Option<&'a str> {
    message.strip_prefix(start)?.split('`').next()
}

fn within(path: &str, name: &str) -> String {
    if path == "." { name.to_owned() } else { format!("{path}.{name}") }
}

pub(super) fn ignored_path(path: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path;
    match path {
        Path::Root => ".".to_owned(),
        Path::Seq { parent, index } => {
            let parent = ignored_path(parent);
            format!("{}[{index}]", if parent == "." { "" } else { &parent })
        }
        Path::Map { parent, key } => within(&ignored_path(parent), key),
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => {
            ignored_path(parent)
        }
    }
}

/// PostgreSQL's text cannot hold NUL, so no text of a body may.
fn refuse_nul(bytes: &[u8]) -> Result<(), Problem> {
    const ESCAPE: &[u8] = br"\u0000";
    if !bytes.windows(ESCAPE.len()).any(|window| window == ESCAPE) {
        return Ok(());
    }
    // The six bytes may also be an escaped backslash followed by digits: only parsing tells.
    match serde_json::from_slice::<Value>(bytes).ok().and_then(|value| path_of_nul(&value, ".")) {
        Some(field) => {
            Err(Problem::from(INVALID_FIELD).detail("text cannot hold a NUL character").field(field))
        }
        None => Ok(()),
    }
}

pub(crate) fn path_of_nul(value: &Value, path: &str) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then(|| path.to_owned()),
        Value::Array(items) => items.iter().enumerate().find_map(|(index, item)| {
            path_of_nul(item, &format!("{}[{index}]", if path == "." { "" } else { path }))
        }),
        Value::Object(members) => members.iter().find_map(|(name, member)| {
            if name.contains('\0') { Some(path.to_owned()) } else { path_of_nul(member, &within(path, name)) }
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Outer {
        name: String,
        inner: Option<Inner>,
        #[serde(default)]
        list: Vec<Inner>,
        kind: Option<Kind>,
    }

    #[derive(Debug, Deserialize)]
    enum Kind {
        A,
    }

    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Inner {
        count: u8,
    }

    fn refused(body: &str) -> (String, Value) {
        let problem = object::<Outer>(body.as_bytes()).unwrap_err();
        let shown = serde_json::to_value(problem.code()).unwrap();
        (shown.as_str().unwrap().to_owned(), field_of(problem))
    }

    fn field_of(problem: Problem) -> Value {
        let response = axum::response::IntoResponse::into_response(problem);
        let bytes = futures::executor::block_on(axum::body::to_bytes(response.into_body(), 65_536)).unwrap();
        serde_json::from_slice::<Value>(&bytes).unwrap()["field"].clone()
    }

    #[test]
    fn each_fault_has_its_code_and_its_path() {
        for (body, code, field) in [
            ("", "malformed_json", Value::Null),
            ("{", "malformed_json", Value::Null),
            (r#"{"name":"a"} x"#, "malformed_json", Value::Null),
            (r#"{"name":"\ud800"}"#, "malformed_json", Value::Null),
            (r#"["a"]"#, "invalid_field", Value::Null),
            (r#""a""#, "invalid_field", Value::Null),
            (r#"["#, "malformed_json", Value::Null),
            (r#"{"name":"a","kind":1}"#, "invalid_field", json!("kind")),
            (r#"{"name":"a","kind":"B"}"#, "invalid_field", json!("kind")),
            (r#"{}"#, "missing_field", json!("name")),
            (r#"{"name":1}"#, "invalid_field", json!("name")),
            (r#"{"name":"a","name":"b"}"#, "invalid_field", Value::Null),
            (r#"{"nam":"a"}"#, "unknown_field", json!("nam")),
            (r#"{"name":"a","more":1}"#, "unknown_field", json!("more")),
            (r#"{"name":"a","inner":{}}"#, "missing_field", json!("inner.count")),
            (r#"{"name":"a","inner":{"count":1,"x":[]}}"#, "unknown_field", json!("inner.x")),
            (r#"{"name":"a","list":[{"count":1},{"count":300}]}"#, "invalid_field", json!("list[1].count")),
            (r#"{"name":"a","list":[{"count":1,"y":2}]}"#, "unknown_field", json!("list[0].y")),
            (r#"{"name":"a\u0000b"}"#, "invalid_field", json!("name")),
        ] {
            let (was, at) = refused(body);
            assert_eq!(was, code, "{body}");
            assert!(at == field || field.is_null(), "{body}: {at}");
        }
    }

    #[test]
    fn an_escaped_backslash_before_u0000_is_no_nul() {
        let outer = json::<Outer>(br#"{"name":"\\u0000"}"#).unwrap();
        assert_eq!(outer.name, r"\u0000");
    }

    #[test]
    fn text_that_is_not_utf8_is_malformed() {
        let problem = json::<Outer>(b"{\"name\":\"\xff\"}").unwrap_err();
        assert_eq!(problem.code(), "malformed_json");
    }
}
