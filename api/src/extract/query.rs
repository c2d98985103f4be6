//! Query strings.

use axum::{extract::FromRequestParts, http::request::Parts};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;

use super::body::{from_data_error, ignored_path};
use crate::problem::{INVALID_CURSOR, INVALID_FIELD, MALFORMED_QUERY, Problem, UNKNOWN_PARAMETER};

/// The query string. A `Vec` field takes a parameter given several times; an `Option` field is none when
/// its parameter is empty.
///
/// Refused: what is not UTF-8 (400), wrong values and unknown parameters (422 with the parameter as
/// `field`). `#[serde(flatten)]` does not work here: list `limit` and `cursor` in each listing's own type.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

impl<T, S> FromRequestParts<S> for Query<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parse(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn parse<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let decoded =
        percent_decode_str(query).decode_utf8().map_err(|_not_text| Problem::from(MALFORMED_QUERY))?;
    if decoded.contains('\0') {
        let problem = Problem::from(INVALID_FIELD).detail("text cannot hold a NUL character");
        return Err(match parameter_with_nul(query) {
            Some(name) => problem.field(name),
            None => problem,
        });
    }
    let mut unknown = None;
    let mut track = serde_path_to_error::Track::new();
    let parsed = serde_ignored::deserialize(
        serde_path_to_error::Deserializer::new(
            serde_html_form::Deserializer::from_bytes(query.as_bytes()),
            &mut track,
        ),
        |path| {
            unknown.get_or_insert_with(|| ignored_path(&path));
        },
    );
    match (parsed, unknown) {
        (_, Some(name)) => Err(Problem::from(UNKNOWN_PARAMETER)
            .detail(format!("the route knows no query parameter {name}"))
            .field(name)),
        (Ok(value), None) => Ok(value),
        (Err(error), None) => {
            let path = track.path().to_string();
            if path == "cursor" {
                return Err(INVALID_CURSOR.into());
            }
            Err(from_data_error(&error.to_string(), &path))
        }
    }
}

fn parameter_with_nul(query: &str) -> Option<String> {
    let (name, _) = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(_, value)| percent_decode_str(value).any(|byte| byte == 0))?;
    Some(name.to_owned()).filter(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::pages::{Cursor, Limit};

    #[derive(Debug, Deserialize)]
    struct Listing {
        #[serde(default)]
        limit: Limit,
        cursor: Option<Cursor<(i64, String)>>,
        #[serde(default)]
        condition: Vec<String>,
        archived: Option<bool>,
    }

    #[test]
    fn a_listing_reads_what_it_knows() {
        let cursor = Cursor((7, "x".to_owned())).to_string();
        let query = parse::<Listing>(&format!(
            "limit=20&condition=loose&condition=damaged&archived=&cursor={cursor}"
        ))
        .unwrap();
        assert_eq!(query.limit.get(), 20);
        assert_eq!(query.condition, ["loose", "damaged"]);
        assert_eq!(query.archived, None);
        assert_eq!(query.cursor.unwrap().0, (7, "x".to_owned()));
        assert_eq!(parse::<Listing>("").unwrap().limit.get(), 50);
    }

    #[test]
    fn the_parameter_with_a_nul_is_named() {
        assert_eq!(parameter_with_nul("limit=1&condition=a%00").as_deref(), Some("condition"));
        assert_eq!(parameter_with_nul("a%00=1"), None);
    }

    #[test]
    fn each_fault_has_its_code() {
        for (query, code) in [
            ("limit=0", "invalid_field"),
            ("limit=201", "invalid_field"),
            ("limit=many", "invalid_field"),
            ("limit=-1", "invalid_field"),
            ("archived=perhaps", "invalid_field"),
            ("limt=5", "unknown_parameter"),
            ("cursor=%20", "invalid_cursor"),
            ("cursor=bm90IGpzb24", "invalid_cursor"),
            ("condition=%00", "invalid_field"),
            ("condition=%ff", "malformed_query"),
        ] {
            assert_eq!(parse::<Listing>(query).unwrap_err().code(), code, "{query}");
        }
    }
}
