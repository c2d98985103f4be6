//! What is shown of servers, links and shelves.

use chrono::{DateTime, Utc};
use operational::{
    external_lookups::Lookup,
    manga_servers::{Counted, Server},
    users::User,
};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;
use workers::manga::{Entry, Failure};

/// A MangaCollector server.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MangaServer, example = example_server)]
pub struct ServerView {
    id: Uuid,
    /// Its origin, in the one way in which origins are written.
    base_url: String,
    name: String,
    /// `pending`, `approved` or `revoked`. Only an approved one is asked for anything.
    #[schema(pattern = "^(pending|approved|revoked)$")]
    status: &'static str,
    /// Why it was revoked.
    note: Option<String>,
    /// Whether whoever asks proposed it.
    is_mine: bool,
    created_at: DateTime<Utc>,
    reviewed_at: Option<DateTime<Utc>>,
}

/// The server in the examples.
pub(super) fn example_server() -> Value {
    json!({
        "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4c01",
        "base_url": "https://manga.example",
        "name": "manga.example",
        "status": "approved",
        "note": null,
        "is_mine": false,
        "created_at": "2026-10-30T09:30:00Z",
        "reviewed_at": "2026-10-30T12:00:00Z"
    })
}

impl ServerView {
    pub(super) fn of(server: Server, viewer: &User) -> Self {
        Self {
            id: server.id,
            base_url: server.base_url,
            name: server.name,
            status: server.status.as_str(),
            note: server.note,
            is_mine: server.submitted_by == Some(viewer.id.uuid()),
            created_at: server.created_at,
            reviewed_at: server.reviewed_at,
        }
    }
}

/// A MangaCollector server, as admins see it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MangaServerForAdmins, example = example_for_admins)]
pub struct AdminServerView {
    id: Uuid,
    base_url: String,
    name: String,
    /// `pending`, `approved` or `revoked`.
    #[schema(pattern = "^(pending|approved|revoked)$")]
    status: &'static str,
    /// Why it was revoked.
    note: Option<String>,
    /// Who proposed it; null when they are gone.
    submitted_by: Option<Uuid>,
    /// Their name.
    submitted_by_name: Option<String>,
    /// Who reviewed it last.
    reviewed_by: Option<Uuid>,
    reviewed_at: Option<DateTime<Utc>>,
    /// How many people have linked it.
    linked: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

fn example_for_admins() -> Value {
    json!({
        "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4c01",
        "base_url": "https://manga.example",
        "name": "manga.example",
        "status": "pending",
        "note": null,
        "submitted_by": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4a01",
        "submitted_by_name": "mina",
        "reviewed_by": null,
        "reviewed_at": null,
        "linked": 3,
        "created_at": "2026-10-30T09:30:00Z",
        "updated_at": "2026-10-30T09:30:00Z"
    })
}

impl From<Counted> for AdminServerView {
    fn from(counted: Counted) -> Self {
        let Counted { server, submitted_by_name, linked } = counted;
        Self {
            id: server.id,
            base_url: server.base_url,
            name: server.name,
            status: server.status.as_str(),
            note: server.note,
            submitted_by: server.submitted_by,
            submitted_by_name,
            reviewed_by: server.reviewed_by,
            reviewed_at: server.reviewed_at,
            linked,
            created_at: server.created_at,
            updated_at: server.updated_at,
        }
    }
}

/// What is left of a server or a link.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MangaRemoved, example = json!({"removed": true}))]
pub struct RemovedView {
    /// Always true.
    pub removed: bool,
}

/// Why a shelf could not be read.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MangaFailure, example = json!({"code": "timed_out", "detail": "the server cannot be asked: no answer in 10 s", "at": "2026-10-30T12:00:00Z"}))]
pub struct FailureView {
    /// A word for it: `no_page`, `unexpected_status`, `not_a_profile`, `too_large`, `timed_out`, `redirected`,
    /// `unreachable`, `not_allowed`, `broken_off`, `resting`, `busy`, `too_many_lookups`.
    pub code: String,
    pub detail: String,
    /// When it was tried.
    pub at: DateTime<Utc>,
}

impl From<Lookup<Failure>> for FailureView {
    fn from(failure: Lookup<Failure>) -> Self {
        let Failure { code, detail } = failure.payload;
        Self { code, detail, at: failure.fetched_at }
    }
}

/// How far somebody is with a series. What the server did not say is null.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MangaReading, example = example_reading)]
pub struct ReadingView {
    /// Its name on the shelf.
    name: Option<String>,
    /// How many volumes there are.
    volumes: Option<u32>,
    /// How many of them are owned.
    volumes_owned: Option<u32>,
    /// How much was read, in whole per cent.
    #[schema(minimum = 0, maximum = 100)]
    read_percent: Option<u8>,
    /// Whether all of it was read.
    fully_read: bool,
    is_adult: bool,
    /// A picture on the server or anywhere else.
    image_url: Option<String>,
}

/// The progress in the examples.
pub(super) fn example_reading() -> Value {
    json!({
        "name": "Tides of Cobalt",
        "volumes": 12,
        "volumes_owned": 7,
        "read_percent": 58,
        "fully_read": false,
        "is_adult": false,
        "image_url": null
    })
}

impl From<Entry> for ReadingView {
    fn from(entry: Entry) -> Self {
        Self {
            name: entry.name,
            volumes: entry.volumes,
            volumes_owned: entry.volumes_owned,
            read_percent: entry.read_percent,
            fully_read: entry.fully_read,
            is_adult: entry.is_adult,
            image_url: entry.image_url,
        }
    }
}
