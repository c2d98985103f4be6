//! Refusals in the OpenAPI document.

use std::collections::BTreeMap;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ContentBuilder, RefOr, ResponseBuilder,
        example::{Example, ExampleBuilder},
    },
};

use super::{DATABASE_UNAVAILABLE, INTERNAL, Kind, MEDIA_TYPE, Problem, READ_MODEL_UPGRADING};

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
