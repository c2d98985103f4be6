//! Photos: those of the catalogue, which everyone shares, and those of one's own pieces, which nobody else sees unless
//! their owner shares them; and the cover of a piece. `docs/pictures.md` tells the rules.

pub(super) mod again;
mod catalogue;
mod cover;
mod gallery;
mod own;
mod views;

pub(super) use self::{own::may_see, views::PhotosOpened};

use axum::middleware::from_fn_with_state;
use domain::{
    picture::{BlobKey, ImageType, Picture},
    refusal::Code,
};
use operational::users::{NsfwVisibility, User};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    guard::fresh,
    problem::{self, Kind, Problem},
    problems,
    shown::hides_nsfw,
    state::AppState,
    uploads,
};
use axum::http::StatusCode;

/// The read models that photos are answered from.
const READS: &[&str] = &["pictures", "figures", "collection"];
/// How many photos one request brings at most.
const MOST_AT_ONCE: usize = 50;
/// The field of a form that photos stand in.
const FIELD: &str = "file";

/// There is no such photo.
pub(super) const PHOTO_NOT_FOUND: Kind = Kind::refusal(Code::PhotoNotFound, "there is no such photo");
/// There is no such scan.
const SCAN_NOT_FOUND: Kind = Kind::refusal(Code::ScanNotFound, "there is no such scan").on("scan_id");
/// There is no such figure.
const FIGURE_NOT_FOUND: Kind =
    Kind::refusal(Code::FigureNotFound, "there is no such figure in the catalogue");
/// Somebody else's to decide.
const NOT_ALLOWED: Kind = Kind::refusal(
    Code::NotAllowed,
    "only the person who added this figure and admins can do this; a photo can be replaced and removed by who \
     uploaded it, too",
);
/// Whoever is not shown NSFW figures uploads no pictures of them.
pub(super) const NSFW_NOT_SHOWN: Kind = Kind::refusal(
    Code::NsfwNotShown,
    "this figure is NSFW; choose to be shown such figures before you upload pictures of it",
);
/// No room for more.
const TOO_MANY: Kind =
    Kind::refusal(Code::TooMany, "there are as many photos as there may be; remove some first").on(FIELD);
/// Opening an NSFW picture asks first.
pub(super) const NSFW_GATE: Kind = Kind::new(
    StatusCode::FORBIDDEN,
    "nsfw_gate",
    "this is of an NSFW figure, and you hide such; ask with confirm_nsfw=true to see it all the same",
);

problems!(
    AddProblems = problem::SIGNED_IN,
    problem::WRITE,
    problem::COMMAND,
    uploads::FILES,
    uploads::PICTURES,
    &[FIGURE_NOT_FOUND, NSFW_NOT_SHOWN, TOO_MANY,]
);
problems!(
    AddOwnProblems = problem::SIGNED_IN,
    problem::WRITE,
    problem::COMMAND,
    uploads::FILES,
    uploads::PICTURES,
    &[super::owned::PIECE_NOT_FOUND, NSFW_NOT_SHOWN, TOO_MANY,]
);
problems!(
    ReplaceProblems = problem::SIGNED_IN,
    problem::WRITE,
    problem::COMMAND,
    uploads::FILES,
    uploads::PICTURES,
    &[PHOTO_NOT_FOUND, NOT_ALLOWED, NSFW_NOT_SHOWN,]
);
problems!(
    ReplaceOwnProblems = problem::SIGNED_IN,
    problem::WRITE,
    problem::COMMAND,
    uploads::FILES,
    uploads::PICTURES,
    &[PHOTO_NOT_FOUND, NSFW_NOT_SHOWN,]
);
problems!(
    ActProblems = problem::SIGNED_IN,
    problem::WRITE,
    problem::COMMAND,
    &[PHOTO_NOT_FOUND, NOT_ALLOWED]
);
problems!(ActOwnProblems = problem::SIGNED_IN, problem::WRITE, problem::COMMAND, &[PHOTO_NOT_FOUND]);
problems!(ShareProblems = problem::SIGNED_IN, problem::BODY, problem::COMMAND, &[PHOTO_NOT_FOUND]);
problems!(
    OrderProblems = problem::SIGNED_IN,
    problem::BODY,
    problem::COMMAND,
    &[FIGURE_NOT_FOUND, NOT_ALLOWED]
);
problems!(
    OrderOwnProblems = problem::SIGNED_IN,
    problem::BODY,
    problem::COMMAND,
    &[super::owned::PIECE_NOT_FOUND]
);
problems!(ListProblems = problem::LISTING, &[problem::NOT_SIGNED_IN, FIGURE_NOT_FOUND]);
problems!(ListOwnProblems = problem::SIGNED_IN, problem::LISTING, &[super::owned::PIECE_NOT_FOUND]);
problems!(
    ServeProblems = problem::LISTING,
    &[
        problem::NOT_SIGNED_IN,
        PHOTO_NOT_FOUND,
        NSFW_GATE,
        crate::served::RANGE_NOT_SATISFIABLE,
        uploads::STORAGE_UNAVAILABLE,
    ]
);
problems!(
    CoverProblems = problem::SIGNED_IN,
    problem::BODY,
    problem::COMMAND,
    &[super::owned::PIECE_NOT_FOUND, PHOTO_NOT_FOUND, SCAN_NOT_FOUND,]
);

/// The routes of this resource.
pub fn routes(state: &AppState) -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(catalogue::list, catalogue::add))
        .routes(routes!(catalogue::order))
        .routes(routes!(catalogue::serve, catalogue::replace, catalogue::remove))
        .routes(routes!(catalogue::make_primary))
        .routes(routes!(own::list, own::add))
        .routes(routes!(own::order))
        .routes(routes!(own::serve, own::replace, own::remove))
        .routes(routes!(own::share))
        .routes(routes!(cover::pin))
        .layer(from_fn_with_state(fresh::reads(state, READS), fresh::wait))
}

/// How to serve a picture.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ServePicture {
    /// At most so many pixels a side, as WebP: 320 or 960. Without it the picture comes at its full size.
    #[param(value_type = Option<u16>, example = 320)]
    pub(super) size: Option<Size>,
    /// True to see an NSFW picture in spite of hiding such.
    #[serde(default)]
    #[param(required = false, default = false)]
    pub(super) confirm_nsfw: bool,
}

/// A size that pictures are kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Size {
    /// 320 pixels.
    #[serde(rename = "320")]
    Small,
    /// 960 pixels.
    #[serde(rename = "960")]
    Large,
}

/// The file of a picture at some size, and what that is.
pub(super) fn file_of(picture: &Picture, size: Option<Size>) -> (BlobKey, &'static str) {
    match size {
        None => (picture.original, picture.media_type.as_str()),
        Some(Size::Small) => (picture.small, ImageType::WebP.as_str()),
        Some(Size::Large) => (picture.large, ImageType::WebP.as_str()),
    }
}

/// How to list photos.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListPhotos {
    /// True to see the photos of an NSFW figure in spite of hiding such.
    #[serde(default)]
    #[param(required = false, default = false)]
    confirm_nsfw: bool,
}

/// An order of photos.
#[derive(Debug, Deserialize, ToSchema)]
pub struct PhotoOrder {
    /// Every photo that is there exactly once, in the order you want.
    ids: Vec<Uuid>,
}

/// Photos in a form.
#[derive(ToSchema)]
#[schema(as = PhotoUpload)]
#[allow(dead_code, reason = "tells the OpenAPI document what a form holds")]
pub struct UploadForm {
    /// JPEG, PNG or WebP, at most 16 MiB and 12,000 pixels a side each.
    #[schema(value_type = Vec<String>, format = Binary, content_media_type = "application/octet-stream")]
    file: Vec<Vec<u8>>,
}

/// Whether somebody is shown NSFW figures as they are.
pub(super) fn shows_nsfw(user: &User) -> bool {
    user.nsfw_visibility == NsfwVisibility::Show
}

/// Asks first before it shows a picture of an NSFW figure to somebody who hides such.
pub(super) fn gate(is_nsfw: bool, viewer: &User, confirmed: bool) -> Result<(), Problem> {
    match is_nsfw && !confirmed && hides_nsfw(viewer) {
        true => Err(NSFW_GATE.into()),
        false => Ok(()),
    }
}
