//! Photos of the catalogue.

use axum::{
    Json,
    extract::{Request, State},
    http::HeaderMap,
    response::Response,
};
use domain::{
    commands::{AddFigurePhotos, ChangeFigurePhotos},
    figure::PhotoCommand,
    ids::{FigureId, PhotoId},
    picture::BlobKey,
    stream::Position,
};
use operational::users::User;
use projections::{
    figures::queries::find_id,
    pictures::{self, CataloguePhoto},
};
use uuid::Uuid;

use super::{
    super::{entities::eyes, owned::Deleted},
    ActProblems, AddProblems, FIGURE_NOT_FOUND, ListPhotos, ListProblems, NSFW_NOT_SHOWN, OrderProblems,
    PHOTO_NOT_FOUND, PhotoOrder, READS, ReplaceProblems, ServePicture, ServeProblems, UploadForm, file_of,
    gate, picture, pictures as pictures_of, shows_nsfw,
    views::{FigurePhotoView, Photos, PhotosOpened},
};
use crate::{
    answer::Written,
    extract::{Command, IdempotencyKey, IfMatch, MaybeUser, Path, Query},
    perform::Caller,
    problem::{NOT_SIGNED_IN, Problem},
    served::{self, Privacy},
    state::AppState,
    uploads,
};

/// A figure, by the id that it has now.
struct Found {
    id: FigureId,
    is_nsfw: bool,
}

async fn figure(state: &AppState, id: &str, viewer: Option<&User>) -> Result<Found, Problem> {
    let eyes = viewer.map(eyes).unwrap_or_default();
    let found = projections::figures::queries::find(&state.pool, id, eyes).await?.ok_or(FIGURE_NOT_FOUND)?;
    Ok(Found { id: FigureId(found.card.id), is_nsfw: found.card.is_nsfw })
}

fn place_of(figure: FigureId) -> String {
    format!("/api/figures/{figure}/photos")
}

async fn all(
    state: &AppState,
    figure: FigureId,
    viewer: Option<&User>,
) -> Result<Vec<FigurePhotoView>, Problem> {
    let photos = pictures::figure_photos(&state.pool, figure).await?;
    Ok(photos.into_iter().map(|photo| FigurePhotoView::of(photo, viewer)).collect())
}

async fn photo(state: &AppState, id: Uuid) -> Result<CataloguePhoto, Problem> {
    Ok(pictures::catalogue_photo(&state.pool, PhotoId(id)).await?.ok_or(PHOTO_NOT_FOUND)?)
}

/// The photo that a write left, once it can be read.
async fn written(
    state: &AppState,
    caller: &Caller,
    id: Uuid,
    position: Position,
) -> Result<Written<FigurePhotoView>, Problem> {
    state.readable(position, READS, &format!("/api/figure-photos/{id}")).await?;
    let photo = photo(state, id).await?;
    let version = photo.thumb.picture.original;
    Ok(Written::done(FigurePhotoView::of(photo, Some(&caller.user))).version(version).at(position))
}

/// The photos of a figure.
///
/// Anybody may look where the figure is SFW; those of NSFW figures are for people with an account, and who hides such
/// figures gets no more than `nsfw_gate` until they ask with `confirm_nsfw=true`. In their order; the one that stands
/// for the figure is the primary one, else the first.
#[utoipa::path(
    get,
    path = "/api/figures/{id}/photos",
    tag = "pictures",
    params(("id" = String, Path, description = "The figure: its id or its slug"), ListPhotos),
    responses((status = 200, description = "The photos", body = PhotosOpened<FigurePhotoView>), ListProblems)
)]
pub(super) async fn list(
    State(state): State<AppState>,
    MaybeUser(viewer): MaybeUser,
    Path(id): Path<String>,
    Query(query): Query<ListPhotos>,
) -> Result<Json<PhotosOpened<FigurePhotoView>>, Problem> {
    let figure = figure(&state, &id, viewer.as_ref()).await?;
    if figure.is_nsfw && viewer.is_none() {
        return Err(NOT_SIGNED_IN.into());
    }
    let photos = all(&state, figure.id, viewer.as_ref()).await?;
    Ok(Json(PhotosOpened::of(photos, figure.is_nsfw, viewer.as_ref(), query.confirm_nsfw)))
}

/// Adds photos to a figure.
///
/// For whoever is signed in: everyone sees them. They come after those that are there, in the order of the form; one
/// that is refused refuses all. A figure has at most 100, of which 20 from somebody who may not edit it. Whoever is not
/// shown NSFW figures as they are adds none to such. Honours `Idempotency-Key`.
#[utoipa::path(
    post,
    path = "/api/figures/{id}/photos",
    tag = "pictures",
    operation_id = "add_figure_photos",
    security(("session" = [])),
    params(("id" = String, Path, description = "The figure: its id or its slug")),
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses((status = 201, description = "The new photos, in the order of the form", body = Photos<FigurePhotoView>), AddProblems)
)]
pub(super) async fn add(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    IdempotencyKey(key): IdempotencyKey,
    request: Request,
) -> Result<Written<Photos<FigurePhotoView>>, Problem> {
    let figure = match figure(&state, &id, Some(&caller.user)).await {
        Ok(figure) if figure.is_nsfw && !shows_nsfw(&caller.user) => Err(NSFW_NOT_SHOWN.into()),
        found => found,
    };
    let figure = match figure {
        Ok(figure) => figure,
        Err(problem) => return Err(uploads::turned_away(request, problem).await),
    };
    let pictures = pictures_of(&state, request).await?;
    let idempotency = uploads::recognised(key, &pictures);
    let shows_nsfw = shows_nsfw(&caller.user);
    let command = AddFigurePhotos { figure_id: figure.id, pictures, shows_nsfw };
    let done = state.perform(&caller, idempotency, &command).await?;
    let place = place_of(figure.id);
    state.readable(done.position, READS, &place).await?;
    let mut all = pictures::figure_photos(&state.pool, figure.id).await?;
    all.retain(|photo| done.answer.contains(&PhotoId(photo.thumb.id)));
    let items = all.into_iter().map(|photo| FigurePhotoView::of(photo, Some(&caller.user))).collect();
    Ok(Written::created(Photos { items }, place).at(done.position))
}

/// Puts the photos of a figure into an order.
///
/// For whoever is signed in: the person who added the figure, and admins. Honours `Idempotency-Key`.
#[utoipa::path(
    put,
    path = "/api/figures/{id}/photos/order",
    tag = "pictures",
    operation_id = "order_figure_photos",
    security(("session" = [])),
    params(("id" = String, Path, description = "The figure: its id or its slug")),
    request_body = PhotoOrder,
    responses((status = 200, description = "All photos, in their order", body = Photos<FigurePhotoView>), OrderProblems)
)]
pub(super) async fn order(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Command { body, idempotency }: Command<PhotoOrder>,
) -> Result<Written<Photos<FigurePhotoView>>, Problem> {
    let figure_id = find_id(&state.pool, &id).await?.map(FigureId).ok_or(FIGURE_NOT_FOUND)?;
    let change = PhotoCommand::Order(body.ids.into_iter().map(PhotoId).collect());
    let command = ChangeFigurePhotos { figure_id, change, shows_nsfw: shows_nsfw(&caller.user) };
    let done = state.perform(&caller, idempotency, &command).await?;
    state.readable(done.position, READS, &place_of(figure_id)).await?;
    let items = all(&state, done.answer, Some(&caller.user)).await?;
    Ok(Written::done(Photos { items }).at(done.position))
}

/// A photo of the catalogue.
///
/// Anybody may see it where its figure is SFW; else people with an account, and of them those who hide such figures
/// only with `confirm_nsfw=true`. At its full size or as WebP at a smaller one. `ETag` is of these very bytes; `Range`
/// and `If-None-Match` are understood.
#[utoipa::path(
    get,
    path = "/api/figure-photos/{id}",
    tag = "pictures",
    operation_id = "read_figure_photo",
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
    let photo = photo(&state, id).await?;
    if photo.is_nsfw {
        gate(true, viewer.as_ref().ok_or(NOT_SIGNED_IN)?, query.confirm_nsfw)?;
    }
    let privacy = if photo.is_nsfw { Privacy::Private } else { Privacy::Public };
    let (key, media_type) = file_of(&photo.thumb.picture, query.size);
    served::blob(&state, &headers, &key, media_type, privacy).await
}

/// Puts another picture in a photo's place.
///
/// For whoever is signed in: the person who uploaded it, the person who added the figure, and admins. Its place stays.
/// `If-Match` takes the `ETag` of the picture at its full size. Honours `Idempotency-Key`.
#[utoipa::path(
    put,
    path = "/api/figure-photos/{id}",
    tag = "pictures",
    operation_id = "replace_figure_photo",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The photo")),
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses((status = 200, description = "The photo as it now is", body = FigurePhotoView), ReplaceProblems)
)]
pub(super) async fn replace(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    IfMatch(expected): IfMatch<BlobKey>,
    IdempotencyKey(key): IdempotencyKey,
    request: Request,
) -> Result<Written<FigurePhotoView>, Problem> {
    let found = match photo(&state, id).await {
        Ok(photo) if photo.is_nsfw && !shows_nsfw(&caller.user) => Err(NSFW_NOT_SHOWN.into()),
        found => found,
    };
    let found = match found {
        Ok(photo) => photo,
        Err(problem) => return Err(uploads::turned_away(request, problem).await),
    };
    let picture = picture(&state, request).await?;
    let idempotency = uploads::recognised(key, std::slice::from_ref(&picture));
    let change = PhotoCommand::Replace { photo_id: PhotoId(id), expected, picture };
    let position = tell(&state, &caller, idempotency, &found, change).await?;
    written(&state, &caller, id, position).await
}

/// Removes a photo of the catalogue.
///
/// For whoever is signed in: the person who uploaded it, the person who added the figure, and admins. `If-Match` takes
/// the `ETag` of the picture at its full size. Honours `Idempotency-Key`.
#[utoipa::path(
    delete,
    path = "/api/figure-photos/{id}",
    tag = "pictures",
    operation_id = "remove_figure_photo",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The photo")),
    responses((status = 200, description = "It is gone", body = Deleted), ActProblems)
)]
pub(super) async fn remove(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    IfMatch(expected): IfMatch<BlobKey>,
    IdempotencyKey(idempotency): IdempotencyKey,
) -> Result<Written<Deleted>, Problem> {
    let found = photo(&state, id).await?;
    let change = PhotoCommand::Remove { photo_id: PhotoId(id), expected };
    let position = tell(&state, &caller, idempotency, &found, change).await?;
    state.readable(position, READS, &place_of(FigureId(found.figure_id))).await?;
    Ok(Written::done(Deleted { id, deleted: true }).at(position))
}

/// Lets a photo stand for its figure.
///
/// For whoever is signed in: the person who added the figure, and admins. Honours `Idempotency-Key`.
#[utoipa::path(
    post,
    path = "/api/figure-photos/{id}/primary",
    tag = "pictures",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The photo")),
    responses((status = 200, description = "The photo as it now is", body = FigurePhotoView), ActProblems)
)]
pub(super) async fn make_primary(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    IdempotencyKey(idempotency): IdempotencyKey,
) -> Result<Written<FigurePhotoView>, Problem> {
    let found = photo(&state, id).await?;
    let position = tell(&state, &caller, idempotency, &found, PhotoCommand::MakePrimary(PhotoId(id))).await?;
    written(&state, &caller, id, position).await
}

async fn tell(
    state: &AppState,
    caller: &Caller,
    idempotency: Option<crate::extract::Idempotency>,
    photo: &CataloguePhoto,
    change: PhotoCommand,
) -> Result<Position, Problem> {
    let figure_id = FigureId(photo.figure_id);
    let command = ChangeFigurePhotos { figure_id, change, shows_nsfw: shows_nsfw(&caller.user) };
    Ok(state.perform(caller, idempotency, &command).await?.position)
}
