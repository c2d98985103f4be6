//! MangaCollector: the servers there are, one's own shelf, and where it meets the collection.
//!
//! | file | routes |
//! |---|---|
//! | `servers.rs` | `/api/manga/servers` |
//! | `link.rs` | `/api/me/manga-link` |
//! | `crossings.rs` | `/api/me/crossings` |
//! | `by_mal.rs` | `/api/public/figures/by-mal/{mal_id}` |
//! | `badge.rs` | what `GET /api/figures/{id}` says of the shelf |
//! | `views.rs` | what is shown of all that |
//!
//! Admins review servers in `http/admin/manga_servers.rs`.

pub(super) mod badge;
mod by_mal;
mod crossings;
mod link;
mod servers;
pub(super) mod views;

use axum::{http::StatusCode, middleware::from_fn_with_state};
use operational::manga_servers::{Origin, Refused};
use utoipa_axum::router::OpenApiRouter;

use super::notification_channels::ADDRESS_NOT_ALLOWED;
use crate::{
    guard::{fresh, open_reads},
    problem::{Kind, NOT_FOUND, Problem},
    state::AppState,
};

/// The read models that crossings and the mirror are answered from.
const READS: &[&str] = &["figures", "entities", "collection", "preorders"];

/// Another server has this origin.
pub(super) const MANGA_SERVER_EXISTS: Kind = Kind::new(
    StatusCode::CONFLICT,
    "manga_server_exists",
    "this server is on the list already; link it by the id in other_id",
)
.on("base_url");
/// Too many proposals wait.
pub(super) const TOO_MANY_PROPOSALS: Kind = Kind::new(
    StatusCode::CONFLICT,
    "too_many_proposals",
    "ten servers that you proposed wait for an admin already; wait until they are reviewed",
);
/// Somebody linked it.
pub(super) const MANGA_SERVER_LINKED: Kind = Kind::new(
    StatusCode::CONFLICT,
    "manga_server_linked",
    "people have linked this server; revoke it instead",
);

/// The routes of this resource.
pub fn routes(state: &AppState) -> OpenApiRouter<AppState> {
    let from_read_models = OpenApiRouter::new()
        .merge(crossings::routes())
        .merge(by_mal::routes().layer(from_fn_with_state(state.clone(), open_reads::limit)))
        .layer(from_fn_with_state(fresh::reads(state, READS), fresh::wait));
    OpenApiRouter::new().merge(servers::routes()).merge(link::routes()).merge(from_read_models)
}

/// Refuses an origin that the guard would not ask.
pub(super) fn allowed(state: &AppState, origin: &Origin) -> Result<(), Problem> {
    let checked = state.neighbours.manga.check(origin.url());
    checked.map_err(|error| Problem::from(ADDRESS_NOT_ALLOWED).detail(error.to_string()).field("base_url"))
}

/// Why a server was not added or changed.
pub(super) fn refused(refused: Refused) -> Problem {
    match refused {
        Refused::Known(server) => {
            let detail = format!(
                "{} is on the list already, as {}; link it by the id in other_id",
                server.base_url,
                server.status.as_str()
            );
            Problem::from(MANGA_SERVER_EXISTS)
                .detail(detail)
                .extra("other_id", server.id.to_string())
                .extra("server_status", server.status.as_str())
        }
        Refused::TooMany => TOO_MANY_PROPOSALS.into(),
        Refused::Linked(count) => {
            let people =
                if count == 1 { "one person has".to_owned() } else { format!("{count} people have") };
            let detail = format!("{people} linked this server; revoke it instead, or wait until nobody does");
            Problem::from(MANGA_SERVER_LINKED).detail(detail).extra("linked", count)
        }
        Refused::NotFound => NOT_FOUND.into(),
        Refused::Database(error) => error.into(),
    }
}
