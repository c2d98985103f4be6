//! Photos of one's own pieces.

use axum::{
    Json,
    extract::{Request, State},
    http::HeaderMap,
    response::Response,
};
use domain::{
    collection::PictureCommand,
    commands::{AddPhotos, ChangePictures},
    ids::{PhotoId, PieceId, UserId},
    picture::{BlobKey, MOST_PHOTOS_OF_A_PIECE, Picture},
    stream::Position,
};
use operational::users::{self, User};
use projections::{
    collection,
    pictures::{self, OwnedPhoto, Thumb},
};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    super::owned::{Deleted, PIECE_NOT_FOUND},
    ActOwnProblems, AddOwnProblems, ListOwnProblems, ListPhotos, OrderOwnProblems, PHOTO_NOT_FOUND,
    PhotoOrder, ReplaceOwnProblems, ServePicture, ServeProblems, ShareProblems, UploadForm, file_of, gallery,
    gallery::Gallery,
    gate, shows_nsfw,
    views::{PhotoView, Photos, PhotosOpened},
};
use crate::{
    answer::Written,
    extract::{Command, CurrentUser, Idempotency, IdempotencyKey, IfMatch, MaybeUser, Path, Query},
    perform::{Caller, Performed},
    problem::{Kind, Problem},
    served::{self, Privacy},
    shown::PublicNsfw,
    state::AppState,
};

/// Whether others see a picture.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Sharing {
    /// True: whoever is shown the piece is shown this picture, where it is the cover.
    shared: bool,
}

/// A piece of somebody's own.
struct OfPiece {
    id: PieceId,
    owner: UserId,
    is_nsfw: bool,
}

async fn piece(state: &AppState, user: &User, id: Uuid) -> Result<OfPiece, Problem> {
    let piece = collection::piece(&state.pool, user.id, PieceId(id)).await?.ok_or(PIECE_NOT_FOUND)?;
    let is_nsfw = piece.figure.is_some_and(|figure| figure.is_nsfw);
    Ok(OfPiece { id: PieceId(id), owner: user.id, is_nsfw })
}

impl Gallery for OfPiece {
    type Photo = OwnedPhoto;
    type View = PhotoView;
    type Adding = AddPhotos;
    type Change = PictureCommand;
    type Command = ChangePictures;

    const PHOTOS: &'static str = "/api/photos";

    async fn find(state: &AppState, user: &User, id: Uuid) -> Result<(OwnedPhoto, Self), Problem> {
        let photo = pictures::photo(&state.pool, PhotoId(id)).await?;
        let photo = photo.filter(|photo| photo.user_id == user.id.uuid()).ok_or(PHOTO_NOT_FOUND)?;
        let gallery = Self { id: PieceId(photo.piece_id), owner: user.id, is_nsfw: photo.is_nsfw };
        Ok((photo, gallery))
    }

    fn place(&self) -> String {
        format!("/api/me/owned/{}/photos", self.id)
    }

    fn is_nsfw(&self) -> bool {
        self.is_nsfw
    }

    async fn photos(&self, state: &AppState) -> sqlx::Result<Vec<OwnedPhoto>> {
        pictures::photos(&state.pool, self.owner, self.id).await
    }

    fn room(&self, photos: &[OwnedPhoto], _user: &User) -> usize {
        MOST_PHOTOS_OF_A_PIECE.saturating_sub(photos.len())
    }

    async fn add(
        &self,
        state: &AppState,
        caller: &Caller,
        idempotency: Option<Idempotency>,
        pictures: Vec<Picture>,
    ) -> Result<Performed<Vec<PhotoId>>, Problem> {
        let shows_nsfw = shows_nsfw(&caller.user);
        let command = AddPhotos { user_id: self.owner, piece_id: self.id, pictures, shows_nsfw };
        state.perform(caller, idempotency, &command).await
    }

    async fn change(
        &self,
        state: &AppState,
        caller: &Caller,
        idempotency: Option<Idempotency>,
        change: PictureCommand,
    ) -> Result<Position, Problem> {
        let shows_nsfw = shows_nsfw(&caller.user);
        let command = ChangePictures { user_id: self.owner, piece_id: self.id, change, shows_nsfw };
        Ok(state.perform(caller, idempotency, &command).await?.position)
    }

    fn ordered(ids: Vec<PhotoId>) -> PictureCommand {
        PictureCommand::OrderPhotos(ids)
    }

    fn replaced(photo_id: PhotoId, expected: Option<BlobKey>, picture: Picture) -> PictureCommand {
        PictureCommand::ReplacePhoto { photo_id, expected, picture }
    }

    fn removed(photo_id: PhotoId, expected: Option<BlobKey>) -> PictureCommand {
        PictureCommand::RemovePhoto { photo_id, expected }
    }

    fn thumb(photo: &OwnedPhoto) -> &Thumb {
        &photo.thumb
    }

    fn view(photo: OwnedPhoto, _viewer: Option<&User>) -> PhotoView {
        photo.into()
    }
}

/// The photos of a piece.
///
/// For whoever is signed in; other people's pieces are not found. In their order. Who hides NSFW figures gets no more
/// of such a piece than `nsfw_gate` until they ask with `confirm_nsfw=true`.
#[utoipa::path(
    get,
    path = "/api/me/owned/{id}/photos",
    tag = "pictures",
    operation_id = "list_photos",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The piece"), ListPhotos),
    responses((status = 200, description = "The photos", body = PhotosOpened<PhotoView>), ListOwnProblems)
)]
pub(super) async fn list(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(id): Path<Uuid>,
    Query(query): Query<ListPhotos>,
) -> Result<Json<PhotosOpened<PhotoView>>, Problem> {
    let piece = piece(&state, &user, id).await?;
    let photos = gallery::all(&state, &piece, Some(&user)).await?;
    Ok(Json(PhotosOpened::of(photos, piece.is_nsfw, Some(&user), query.confirm_nsfw)))
}

/// Adds photos to a piece.
///
/// For whoever is signed in; other people's pieces are not found. Nobody else sees them until they are shared. They
/// come after those that are there, in the order of the form; one that is refused refuses all. A piece has at most 200.
/// Whoever is not shown NSFW figures as they are adds none to pieces of such. Honours `Idempotency-Key`.
#[utoipa::path(
    post,
    path = "/api/me/owned/{id}/photos",
    tag = "pictures",
    operation_id = "add_photos",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The piece")),
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses((status = 201, description = "The new photos, in the order of the form", body = Photos<PhotoView>), AddOwnProblems)
)]
pub(super) async fn add(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    IdempotencyKey(key): IdempotencyKey,
    request: Request,
) -> Result<Written<Photos<PhotoView>>, Problem> {
    let piece = piece(&state, &caller.user, id).await;
    gallery::add(&state, &caller, piece, key, request).await
}

/// Puts the photos of a piece into an order.
///
/// For whoever is signed in; other people's pieces are not found. Honours `Idempotency-Key`.
#[utoipa::path(
    put,
    path = "/api/me/owned/{id}/photos/order",
    tag = "pictures",
    operation_id = "order_photos",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The piece")),
    request_body = PhotoOrder,
    responses((status = 200, description = "All photos, in their order", body = Photos<PhotoView>), OrderOwnProblems)
)]
pub(super) async fn order(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Command { body, idempotency }: Command<PhotoOrder>,
) -> Result<Written<Photos<PhotoView>>, Problem> {
    let piece = piece(&state, &caller.user, id).await;
    gallery::order(&state, &caller, piece, idempotency, body.ids).await
}

/// Who may see the bytes of a picture of a piece: its owner, who is asked first where they hide such; and where it
/// is shared and on the card, whoever its owner's things are shown to. Nobody sees an NSFW one without an account.
pub(in crate::http) async fn may_see(
    state: &AppState,
    owner: UserId,
    shared: bool,
    is_nsfw: bool,
    viewer: Option<&User>,
    confirmed: bool,
    not_found: Kind,
) -> Result<(), Problem> {
    if let Some(viewer) = viewer.filter(|viewer| viewer.id == owner) {
        return gate(is_nsfw, viewer, confirmed);
    }
    if !shared {
        return Err(not_found.into());
    }
    if !is_nsfw {
        return Ok(());
    }
    let Some(viewer) = viewer else { return Err(not_found.into()) };
    let owner = users::by_id(&state.pool, owner).await?.ok_or(not_found)?;
    match PublicNsfw::of(&owner, Some(viewer)).leaves_out() {
        true => Err(not_found.into()),
        false => Ok(()),
    }
}

/// A photo of a piece.
///
/// Anybody may see one that is shared and pinned as the cover of its piece, as far as its figure is SFW, or its owner
/// and the viewer, who needs an account then, want NSFW figures shown. Every other one is its owner's alone, and not
/// found for everybody else. At its full size or as WebP at a smaller one. `ETag` is of these very bytes; `Range` and
/// `If-None-Match` are understood.
#[utoipa::path(
    get,
    path = "/api/photos/{id}",
    tag = "pictures",
    operation_id = "read_photo",
    params(("id" = Uuid, Path, description = "The photo"), ServePicture),
    responses(
        (status = 200, description = "The picture", content_type = "image/*", body = Vec<u8>),
        (status = 206, description = "A part of it", content_type = "image/*", body = Vec<u8>),
        (status = 304, description = "The caller has it"),
        ServeProblems
    )
)]
pub(super) async fn serve(
    State(state): State<AppState>,
    MaybeUser(viewer): MaybeUser,
    Path(id): Path<Uuid>,
    Query(query): Query<ServePicture>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let photo = pictures::photo(&state.pool, PhotoId(id)).await?.ok_or(PHOTO_NOT_FOUND)?;
    let (owner, viewer) = (UserId(photo.user_id), viewer.as_ref());
    let (shared, confirmed) = (photo.shared && photo.is_cover, query.confirm_nsfw);
    may_see(&state, owner, shared, photo.is_nsfw, viewer, confirmed, PHOTO_NOT_FOUND).await?;
    let (key, media_type) = file_of(&photo.thumb.picture, query.size);
    served::blob(&state, &headers, &key, media_type, Privacy::Private).await
}

/// Puts another picture in a photo's place.
///
/// For whoever is signed in; other people's photos are not found. Its place stays, and so does whether it is shared and
/// the cover. `If-Match` takes the `ETag` of the picture at its full size. Honours `Idempotency-Key`.
#[utoipa::path(
    put,
    path = "/api/photos/{id}",
    tag = "pictures",
    operation_id = "replace_photo",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The photo")),
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses((status = 200, description = "The photo as it now is", body = PhotoView), ReplaceOwnProblems)
)]
pub(super) async fn replace(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    IfMatch(expected): IfMatch<BlobKey>,
    IdempotencyKey(key): IdempotencyKey,
    request: Request,
) -> Result<Written<PhotoView>, Problem> {
    gallery::replace::<OfPiece>(&state, &caller, id, expected, key, request).await
}

/// Removes a photo of a piece.
///
/// For whoever is signed in; other people's photos are not found. A cover pinned to it is unpinned. `If-Match` takes
/// the `ETag` of the picture at its full size. Honours `Idempotency-Key`.
#[utoipa::path(
    delete,
    path = "/api/photos/{id}",
    tag = "pictures",
    operation_id = "remove_photo",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The photo")),
    responses((status = 200, description = "It is gone", body = Deleted), ActOwnProblems)
)]
pub(super) async fn remove(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    IfMatch(expected): IfMatch<BlobKey>,
    IdempotencyKey(idempotency): IdempotencyKey,
) -> Result<Written<Deleted>, Problem> {
    gallery::remove::<OfPiece>(&state, &caller, id, expected, idempotency).await
}

/// Says whether others see a photo as the cover of its piece.
///
/// For whoever is signed in; other people's photos are not found. What is not shared nobody else sees. Honours
/// `Idempotency-Key`.
#[utoipa::path(
    put,
    path = "/api/photos/{id}/shared",
    tag = "pictures",
    operation_id = "share_photo",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The photo")),
    request_body = Sharing,
    responses((status = 200, description = "The photo as it now is", body = PhotoView), ShareProblems)
)]
pub(super) async fn share(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Command { body, idempotency }: Command<Sharing>,
) -> Result<Written<PhotoView>, Problem> {
    let sharing = PictureCommand::SharePhoto { photo_id: PhotoId(id), shared: body.shared };
    gallery::change::<OfPiece>(&state, &caller, id, idempotency, sharing).await
}
