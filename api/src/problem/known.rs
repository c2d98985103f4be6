//! The refusals that several routes share, and the groups in which they are documented.

use axum::http::StatusCode;
use domain::refusal::Code;

use super::Kind;

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
