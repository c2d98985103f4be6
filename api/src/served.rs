//! Stored files as answers: whole or in part, told apart by their content, and never run by a browser.

use std::ops::Range;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::picture::BlobKey;
use http_range_header::ParsedRanges;

use crate::{
    problem::{Kind, Problem},
    state::AppState,
};

/// Even opened by itself, nothing in a file runs, loads or sends anything.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox; frame-ancestors 'none'");

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The range begins behind the end.
pub const RANGE_NOT_SATISFIABLE: Kind = Kind::new(
    StatusCode::RANGE_NOT_SATISFIABLE,
    "range_not_satisfiable",
    "the file has no such part; Content-Range says how long it is",
);

/// Who may keep a file on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privacy {
    /// Only the browser of whoever asked.
    Private,
    /// Anybody. They ask whether it still stands before they use it.
    Public,
}

/// Answers with a stored file: 200, 206 for a part of it, 304 when the caller has it.
///
/// # Errors
/// 416 for a part that is not there, 503 when it cannot be reached.
pub async fn blob(
    state: &AppState,
    headers: &HeaderMap,
    key: &BlobKey,
    media_type: &str,
    privacy: Privacy,
) -> Result<Response, Problem> {
    let tag = format!("\"{key}\"");
    let mut response = if holds(headers, header::IF_NONE_MATCH, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        content(state, headers, key, media_type, &tag).await?
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, value(&tag));
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static(match privacy {
            Privacy::Private => "private, no-cache",
            Privacy::Public => "public, no-cache",
        }),
    );
    if privacy == Privacy::Public {
        // Pages of manga shelves elsewhere show them, too.
        headers.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("inline"));
    Ok(response)
}

async fn content(
    state: &AppState,
    headers: &HeaderMap,
    key: &BlobKey,
    media_type: &str,
    tag: &str,
) -> Result<Response, Problem> {
    let range = match asked(headers, tag) {
        None => None,
        Some(asked) => {
            let size = state.blobs.size(key).await?;
            Some(part(&asked, size).ok_or_else(|| {
                Problem::from(RANGE_NOT_SATISFIABLE)
                    .header(header::CONTENT_RANGE, value(&format!("bytes */{size}")))
            })?)
        }
    };
    let opened = state.blobs.open(key, range.clone()).await?;
    let length = opened.range.end.saturating_sub(opened.range.start);
    let mut response = Body::from_stream(opened.stream).into_response();
    let answer = response.headers_mut();
    answer.insert(header::CONTENT_TYPE, value(media_type));
    answer.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    answer.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if range.is_some() {
        let last = opened.range.end.saturating_sub(1);
        let place = format!("bytes {}-{last}/{}", opened.range.start, opened.size);
        answer.insert(header::CONTENT_RANGE, value(&place));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

fn value(text: &str) -> HeaderValue {
    // Tags, media types and numbers are always valid.
    HeaderValue::try_from(text).unwrap_or_else(|_never| HeaderValue::from_static(""))
}

fn holds(headers: &HeaderMap, name: header::HeaderName, tag: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|one| {
        let one = one.trim();
        one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag
    })
}

/// The range that is asked for. Several at once are answered with the whole file, as anybody may.
fn asked(headers: &HeaderMap, tag: &str) -> Option<ParsedRanges> {
    let text = headers.get(header::RANGE)?.to_str().ok()?;
    // It is asked for only as long as the file is the one that the caller has the other parts of.
    if headers.contains_key(header::IF_RANGE) && !holds(headers, header::IF_RANGE, tag) {
        return None;
    }
    http_range_header::parse_range_header(text).ok().filter(|ranges| ranges.len() == 1)
}

fn part(asked: &ParsedRanges, size: u64) -> Option<Range<u64>> {
    let range = asked.validate(size).ok()?.into_iter().next()?;
    Some(*range.start()..range.end().saturating_add(1).min(size))
}
