//! How scans and what is made of them are shown.

use chrono::{DateTime, Utc};
use operational::renders::Render;
use projections::pictures::OwnedScan;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

/// A scan.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Scan, example = example)]
pub struct ScanView {
    id: Uuid,
    /// Its piece.
    owned_item_id: Uuid,
    /// In the order in which the piece turns.
    frames: Vec<FrameView>,
    /// Whether others see its first frame where it is the cover.
    shared: bool,
    /// Whether it is pinned as the cover of its piece.
    is_cover: bool,
    /// What was or is made of it, the newest first.
    renders: Vec<RenderView>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// One frame.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ScanFrame)]
pub struct FrameView {
    /// Where it is; `?size=320` and `?size=960` are smaller.
    url: String,
    media_type: &'static str,
    bytes: u32,
    /// In pixels.
    width: u32,
    /// In pixels.
    height: u32,
    /// For the first paint: see blurha.sh.
    blurhash: String,
}

/// Something that is made of a scan.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Render, example = example_render)]
pub struct RenderView {
    id: Uuid,
    scan_id: Uuid,
    /// `turntable`, a film, or `gsplat`, a 3D model.
    kind: String,
    /// `queued`, `running`, `done`, or `dead`: tried in vain, for an admin to look into.
    state: String,
    /// Percent.
    progress: i32,
    /// How often it was tried.
    attempts: i32,
    /// Why the last try came to nothing.
    outcome: Option<String>,
    /// Where the result is, when it is done.
    url: Option<String>,
    /// What the result is.
    media_type: Option<String>,
    /// How many bytes the result has.
    bytes: Option<i64>,
    created_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
}

/// The frames of a scan, as a form.
#[derive(Debug, ToSchema)]
#[schema(as = ScanFrames)]
#[allow(dead_code, reason = "for the OpenAPI document")]
pub struct Frames {
    /// 1 to 96 pictures.
    #[schema(value_type = Vec<String>, format = Binary)]
    frame: Vec<Vec<u8>>,
}

/// One frame, as a form.
#[derive(Debug, ToSchema)]
#[schema(as = ScanFrameFile)]
#[allow(dead_code, reason = "for the OpenAPI document")]
pub struct Frame {
    /// The picture.
    #[schema(value_type = String, format = Binary)]
    frame: Vec<u8>,
}

fn example() -> Value {
    json!({
        "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4c10",
        "owned_item_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b7a",
        "frames": [{
            "url": "/api/scans/0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4c10/frames/0",
            "media_type": "image/jpeg",
            "bytes": 481_220,
            "width": 2400,
            "height": 1600,
            "blurhash": "LEHV6nWB2yk8pyo0adR*.7kCMdnj"
        }],
        "shared": false,
        "is_cover": false,
        "renders": [],
        "created_at": "2026-11-02T10:15:00Z",
        "updated_at": "2026-11-02T10:15:00Z"
    })
}

fn example_render() -> Value {
    json!({
        "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4d01",
        "scan_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4c10",
        "kind": "turntable",
        "state": "queued",
        "progress": 0,
        "attempts": 0,
        "outcome": null,
        "url": null,
        "media_type": null,
        "bytes": null,
        "created_at": "2026-11-02T10:16:00Z",
        "finished_at": null
    })
}

impl ScanView {
    pub(super) fn of(scan: OwnedScan, renders: Vec<Render>) -> Self {
        let id = scan.id;
        let frames = scan.frames.into_iter().enumerate().map(|(n, frame)| FrameView {
            url: format!("/api/scans/{id}/frames/{n}"),
            media_type: frame.media_type.as_str(),
            bytes: frame.bytes,
            width: frame.width,
            height: frame.height,
            blurhash: frame.blurhash.as_str().to_owned(),
        });
        Self {
            id,
            owned_item_id: scan.piece_id,
            frames: frames.collect(),
            shared: scan.shared,
            is_cover: scan.is_cover,
            renders: renders.into_iter().map(RenderView::from).collect(),
            created_at: scan.created_at,
            updated_at: scan.updated_at,
        }
    }
}

impl From<Render> for RenderView {
    fn from(render: Render) -> Self {
        let url = format!("/api/scans/{}/renders/{}", render.scan_id, render.id);
        Self {
            url: render.blob_key.map(|_| url),
            id: render.id,
            scan_id: render.scan_id,
            kind: render.kind,
            state: render.state,
            progress: render.progress,
            attempts: render.attempts,
            outcome: render.outcome,
            media_type: render.media_type,
            bytes: render.bytes,
            created_at: render.created_at,
            finished_at: render.finished_at,
        }
    }
}
