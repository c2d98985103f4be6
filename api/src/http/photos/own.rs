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
    picture::BlobKey,
    stream::Position,
};
use operational::users::{self, User};
use projections::{
    collection::{self, Piece},
    pictures::{self, OwnedPhoto},
};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    super::owned::{Deleted, PIECE_NOT_FOUND},
    ActOwnProblems, AddOwnProblems, ListOwnProblems, ListPhotos, NSFW_NOT_SHOWN, OrderOwnProblems,
    PHOTO_NOT_FOUND, PhotoOrder, READS, ReplaceOwnProblems, ServePicture, ServeProblems, ShareProblems,
    UploadForm, file_of, gate, picture, pictures as pictures_of, shows_nsfw,
    views::{PhotoView, Photos, PhotosOpened},
};
use crate::{
    answer::Written,
    extract::{Command, CurrentUser, Idempotency, IdempotencyKey, IfMatch, MaybeUser, Path, Query},
    perform::Caller,
    problem::{Kind, Problem},
    served::{self, Privacy},
    shown::PublicNsfw,
    state::AppState,
    uploads,
};

/// Whether others see a picture.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Sharing {
    /// True: whoever is shown the piece is shown this picture, where it is the cover.
    shared: bool,
}

fn place_of(piece: PieceId) -> String {
    format!("/api/me/owned/{piece}/photos")
}

/// A piece of one's own.
async fn piece(state: &AppState, user: UserId, id: Uuid) -> Result<Piece, Problem> {
    Ok(collection::piece(&state.pool, user, PieceId(id)).await?.ok_or(PIECE_NOT_FOUND)?)
}

fn is_nsfw(piece: &Piece) -> bool {
    piece.figure.as_ref().is_some_and(|figure| figure.is_nsfw)
}

/// A photo of one's own.
async fn photo(state: &AppState, user: UserId, id: Uuid) -> Result<OwnedPhoto, Problem> {
    let photo = pictures::photo(&state.pool, PhotoId(id)).await?;
    Ok(photo.filter(|photo| photo.user_id == user.uuid()).ok_or(PHOTO_NOT_FOUND)?)
}

async fn all(state: &AppState, user: UserId, piece: PieceId) -> Result<Vec<PhotoView>, Problem> {
    let photos = pictures::photos(&state.pool, user, piece).await?;
    Ok(photos.into_iter().map(PhotoView::from).collect())
}

/// The photo that a write left, once it can be read.
async fn written(
    state: &AppState,
    caller: &Caller,
    id: Uuid,
    position: Position,
) -> Result<Written<PhotoView>, Problem> {
    state.readable(position, READS, &format!("/api/photos/{id}")).await?;
    let photo = photo(state, caller.user.id, id).await?;
    let version = photo.thumb.picture.original;
    Ok(Written::done(photo.into()).version(version).at(position))
}

async fn tell(
    state: &AppState,
    caller: &Caller,
    idempotency: Option<Idempotency>,
    piece: Uuid,
    change: PictureCommand,
) -> Result<Position, Problem> {
    let shows_nsfw = shows_nsfw(&caller.user);
    let command = ChangePictures { user_id: caller.user.id, piece_id: PieceId(piece), change, shows_nsfw };
    Ok(state.perform(caller, idempotency, &command).await?.position)
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
    let piece = piece(&state, user.id, id).await?;
    let photos = all(&state, user.id, PieceId(id)).await?;
    Ok(Json(PhotosOpened::of(photos, is_nsfw(&piece), Some(&user), query.confirm_nsfw)))
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
    let refused = match piece(&state, caller.user.id, id).await {
        Ok(piece) if is_nsfw(&piece) && !shows_nsfw(&caller.user) => Some(NSFW_NOT_SHOWN.into()),
        Ok(_) => None,
        Err(problem) => Some(problem),
    };
    if let Some(problem) = refused {
        return Err(uploads::turned_away(request, problem).await);
    }
    let pictures = pictures_of(&state, request).await?;
    let idempotency = uploads::recognised(key, &pictures);
    let (user_id, piece_id) = (caller.user.id, PieceId(id));
    let command = AddPhotos { user_id, piece_id, pictures, shows_nsfw: shows_nsfw(&caller.user) };
    let done = state.perform(&caller, idempotency, &command).await?;
    state.readable(done.position, READS, &place_of(piece_id)).await?;
    let mut all = pictures::photos(&state.pool, user_id, piece_id).await?;
    all.retain(|photo| done.answer.contains(&PhotoId(photo.thumb.id)));
    let items = all.into_iter().map(PhotoView::from).collect();
    Ok(Written::created(Photos { items }, place_of(piece_id)).at(done.position))
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
    let change = PictureCommand::OrderPhotos(body.ids.into_iter().map(PhotoId).collect());
    let position = tell(&state, &caller, idempotency, id, change).await?;
    state.readable(position, READS, &place_of(PieceId(id))).await?;
    let items = all(&state, caller.user.id, PieceId(id)).await?;
    Ok(Written::done(Photos { items }).at(position))
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
    let found = match photo(&state, caller.user.id, id).await {
        Ok(photo) if photo.is_nsfw && !shows_nsfw(&caller.user) => Err(NSFW_NOT_SHOWN.into()),
        found => found,
    };
    let found = match found {
        Ok(photo) => photo,
        Err(problem) => return Err(uploads::turned_away(request, problem).await),
    };
    let picture = picture(&state, request).await?;
    let idempotency = uploads::recognised(key, std::slice::from_ref(&picture));
    let change = PictureCommand::ReplacePhoto { photo_id: PhotoId(id), expected, picture };
    let position = tell(&state, &caller, idempotency, found.piece_id, change).await?;
    written(&state, &caller, id, position).await
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
    let found = photo(&state, caller.user.id, id).await?;
    let change = PictureCommand::RemovePhoto { photo_id: PhotoId(id), expected };
    let position = tell(&state, &caller, idempotency, found.piece_id, change).await?;
    state.readable(position, READS, &place_of(PieceId(found.piece_id))).await?;
    Ok(Written::done(Deleted { id, deleted: true }).at(position))
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
    let found = photo(&state, caller.user.id, id).await?;
    let change = PictureCommand::SharePhoto { photo_id: PhotoId(id), shared: body.shared };
    let position = tell(&state, &caller, idempotency, found.piece_id, change).await?;
    written(&state, &caller, id, position).await
}
