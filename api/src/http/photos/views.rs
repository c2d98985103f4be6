//! What is shown of photos.

use chrono::{DateTime, Utc};
use operational::users::User;
use projections::pictures::{CataloguePhoto, OwnedPhoto, Thumb};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::shown::hides_nsfw;

/// A picture: where its bytes are, and what is known of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Picture)]
pub struct PictureView {
    id: Uuid,
    /// Where it is at its full size.
    url: String,
    /// At most 320 pixels a side, as WebP.
    small_url: String,
    /// At most 960 pixels a side, as WebP.
    large_url: String,
    /// `image/jpeg`, `image/png` or `image/webp`, at full size.
    media_type: &'static str,
    /// How many bytes it has at full size.
    bytes: u32,
    /// In pixels, at full size.
    width: u32,
    height: u32,
    /// What to paint until it is there: see <https://blurha.sh>.
    blurhash: String,
    /// What `If-Match` takes, in quotes, to replace or remove exactly this picture: the `ETag` at full size.
    version: String,
}

impl PictureView {
    fn of(thumb: Thumb, place: &str) -> Self {
        let Thumb { id, picture } = thumb;
        Self {
            id,
            url: format!("{place}/{id}"),
            small_url: format!("{place}/{id}?size=320"),
            large_url: format!("{place}/{id}?size=960"),
            media_type: picture.media_type.as_str(),
            bytes: picture.bytes,
            width: picture.width,
            height: picture.height,
            version: picture.original.to_string(),
            blurhash: picture.blurhash.into(),
        }
    }
}

/// A photo of the catalogue.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FigurePhoto, example = example_figure_photo)]
pub struct FigurePhotoView {
    #[serde(flatten)]
    picture: PictureView,
    figure_id: Uuid,
    /// Whether it was chosen to stand for the figure.
    is_primary: bool,
    /// Whether whoever asks may replace and remove it.
    can_edit: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl FigurePhotoView {
    pub(super) fn of(photo: CataloguePhoto, viewer: Option<&User>) -> Self {
        let can_edit = viewer.is_some_and(|viewer| {
            let me = Some(viewer.id.uuid());
            viewer.is_admin || photo.figure_by == me || photo.added_by == me
        });
        Self {
            picture: PictureView::of(photo.thumb, "/api/figure-photos"),
            figure_id: photo.figure_id,
            is_primary: photo.is_primary,
            can_edit,
            created_at: photo.created_at,
            updated_at: photo.updated_at,
        }
    }
}

/// A photo of a piece of one's own.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Photo, example = example_photo)]
pub struct PhotoView {
    #[serde(flatten)]
    picture: PictureView,
    owned_item_id: Uuid,
    /// Whether others see it, where it is the cover.
    shared: bool,
    /// Whether it is the pinned cover of its piece.
    is_cover: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<OwnedPhoto> for PhotoView {
    fn from(photo: OwnedPhoto) -> Self {
        Self {
            picture: PictureView::of(photo.thumb, "/api/photos"),
            owned_item_id: photo.piece_id,
            shared: photo.shared,
            is_cover: photo.is_cover,
            created_at: photo.created_at,
            updated_at: photo.updated_at,
        }
    }
}

/// Photos, in their order.
#[derive(Debug, Serialize, ToSchema)]
pub struct Photos<T> {
    pub(super) items: Vec<T>,
}

/// All that is told of the photos or scans of an NSFW figure to somebody who hides such, until they ask with
/// `confirm_nsfw=true`.
#[derive(Debug, Serialize, ToSchema)]
pub struct PhotosGate {
    is_nsfw: bool,
    /// Always true.
    nsfw_gate: bool,
}

/// Photos or scans that were asked for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum PhotosOpened<T> {
    /// All of them.
    Open(Photos<T>),
    /// NSFW, and whoever asks hides such figures.
    Gate(PhotosGate),
}

impl<T> PhotosOpened<T> {
    pub(in crate::http) fn of(items: Vec<T>, is_nsfw: bool, viewer: Option<&User>, confirmed: bool) -> Self {
        match is_nsfw && !confirmed && viewer.is_some_and(hides_nsfw) {
            true => Self::Gate(PhotosGate { is_nsfw: true, nsfw_gate: true }),
            false => Self::Open(Photos { items }),
        }
    }
}

fn example_picture(place: &str) -> Value {
    json!({
        "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b41",
        "url": format!("{place}/0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b41"),
        "small_url": format!("{place}/0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b41?size=320"),
        "large_url": format!("{place}/0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b41?size=960"),
        "media_type": "image/jpeg",
        "bytes": 1_834_211,
        "width": 2_400,
        "height": 3_200,
        "blurhash": "LEHV6nWB2yk8pyo0adR*.7kCMdnj",
        "version": "c0a1d2b3".repeat(8),
        "created_at": "2026-10-17T09:30:00Z",
        "updated_at": "2026-10-17T09:30:00Z"
    })
}

fn with(mut object: Value, more: &Value) -> Value {
    if let (Some(members), Some(more)) = (object.as_object_mut(), more.as_object()) {
        members.extend(more.clone());
    }
    object
}

fn example_figure_photo() -> Value {
    let more = json!({
        "figure_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b02", "is_primary": true, "can_edit": true
    });
    with(example_picture("/api/figure-photos"), &more)
}

fn example_photo() -> Value {
    let more = json!({
        "owned_item_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b10", "shared": false, "is_cover": true
    });
    with(example_picture("/api/photos"), &more)
}
