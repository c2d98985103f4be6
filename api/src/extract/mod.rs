//! What handlers take from a request. Every extractor refuses with a [`Problem`](crate::problem::Problem).
//!
//! | extractor | gives |
//! |---|---|
//! | [`Body<T>`] | the JSON body, at most 64 KiB (`Body<T, LIMIT>` for another limit) |
//! | [`Command<T>`] | the same with the `Idempotency-Key` and the request's hash |
//! | [`Query<T>`] | the query string; unknown parameters are refused |
//! | [`Path<T>`] | path parameters; what cannot be read is 404 |
//! | [`CurrentUser`], [`AdminUser`], [`MaybeUser`] | who is asking |
//! | [`IfMatch`] | the version the caller last saw |
//! | [`IdempotencyKey`] | the key for writes without a body |
//! | [`MinPosition`] | the event position the answer must include |
//! | [`CorrelationId`](crate::guard::correlation::CorrelationId) | the id that ties log lines and events to the request |
//! | [`ClientAddress`](crate::guard::client_address::ClientAddress) | where the request came from |
//!
//! Order in a handler: state, who, path, query, headers, and the body last, so that nobody's body is read
//! before it is known who they are.

mod body;
mod headers;
mod path;
mod query;
mod user;

pub use body::{BODY_LIMIT, Body, Command, json, read_body};
pub use headers::{Idempotency, IdempotencyKey, IfMatch, MinPosition};
pub use path::Path;
pub use query::Query;
pub use user::{AdminUser, CurrentUser, MaybeUser};
