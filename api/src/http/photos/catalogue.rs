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
    picture::{BlobKey, MOST_PHOTOS_OF_A_FIGURE, MOST_PHOTOS_OF_A_FIGURE_BY_ONE, Picture},
    stream::Position,
};
use operational::users::User;
use projections::{
    figures::queries,
    pictures::{self, CataloguePhoto, Thumb},
};
use uuid::Uuid;

use super::{
    super::{entities::eyes, owned::Deleted},
    ActProblems, AddProblems, FIGURE_NOT_FOUND, ListPhotos, ListProblems, OrderProblems, PHOTO_NOT_FOUND,
    PhotoOrder, ReplaceProblems, ServePicture, ServeProblems, UploadForm, file_of, gallery,
    gallery::Gallery,
    gate, shows_nsfw,
    views::{FigurePhotoView, Photos, PhotosOpened},
};
use crate::{
    answer::Written,
    extract::{Command, Idempotency, IdempotencyKey, IfMatch, MaybeUser, Path, Query},
    perform::{Caller, Performed},
    problem::{NOT_SIGNED_IN, Problem},
    served::{self, Privacy},
    state::AppState,
};

/// A figure, by the id that it has now.
struct OfFigure {
    id: FigureId,
    is_nsfw: bool,
    created_by: Option<Uuid>,
}

async fn figure(state: &AppState, id: &str, viewer: Option<&User>) -> Result<OfFigure, Problem> {
    let eyes = viewer.map(eyes).unwrap_or_default();
    let found = queries::find(&state.pool, id, eyes).await?.ok_or(FIGURE_NOT_FOUND)?;
    let (id, is_nsfw) = (FigureId(found.card.id), found.card.is_nsfw);
    Ok(OfFigure { id, is_nsfw, created_by: found.created_by })
}

async fn photo(state: &AppState, id: Uuid) -> Result<CataloguePhoto, Problem> {
    Ok(pictures::catalogue_photo(&state.pool, PhotoId(id)).await?.ok_or(PHOTO_NOT_FOUND)?)
}

impl Gallery for OfFigure {
    type Photo = CataloguePhoto;
    type View = FigurePhotoView;
    type Adding = AddFigurePhotos;
    type Change = PhotoCommand;
    type Command = ChangeFigurePhotos;

    const PHOTOS: &'static str = "/api/figure-photos";

    async fn find(state: &AppState, _user: &User, id: Uuid) -> Result<(CataloguePhoto, Self), Problem> {
        let photo = photo(state, id).await?;
        let (id, is_nsfw) = (FigureId(photo.figure_id), photo.is_nsfw);
        let gallery = Self { id, is_nsfw, created_by: photo.figure_by };
        Ok((photo, gallery))
    }

    fn place(&self) -> String {
        format!("/api/figures/{}/photos", self.id)
    }

    fn is_nsfw(&self) -> bool {
        self.is_nsfw
    }

    async fn photos(&self, state: &AppState) -> sqlx::Result<Vec<CataloguePhoto>> {
        pictures::figure_photos(&state.pool, self.id).await
    }

    fn room(&self, photos: &[CataloguePhoto], user: &User) -> usize {
        let me = Some(user.id.uuid());
        let left = MOST_PHOTOS_OF_A_FIGURE.saturating_sub(photos.len());
        if user.is_admin || self.created_by == me {
            return left;
        }
        let mine = photos.iter().filter(|photo| photo.added_by == me).count();
        left.min(MOST_PHOTOS_OF_A_FIGURE_BY_ONE.saturating_sub(mine))
    }

    async fn add(
        &self,
        state: &AppState,
        caller: &Caller,
        idempotency: Option<Idempotency>,
        pictures: Vec<Picture>,
    ) -> Result<Performed<Vec<PhotoId>>, Problem> {
        let shows_nsfw = shows_nsfw(&caller.user);
        let command = AddFigurePhotos { figure_id: self.id, pictures, shows_nsfw };
        state.perform(caller, idempotency, &command).await
    }

    async fn change(
        &self,
        state: &AppState,
        caller: &Caller,
        idempotency: Option<Idempotency>,
        change: PhotoCommand,
    ) -> Result<Position, Problem> {
        let shows_nsfw = shows_nsfw(&caller.user);
        let command = ChangeFigurePhotos { figure_id: self.id, change, shows_nsfw };
        Ok(state.perform(caller, idempotency, &command).await?.position)
    }

    fn ordered(ids: Vec<PhotoId>) -> PhotoCommand {
        PhotoCommand::Order(ids)
    }

    fn replaced(photo_id: PhotoId, expected: Option<BlobKey>, picture: Picture) -> PhotoCommand {
        PhotoCommand::Replace { photo_id, expected, picture }
    }

    fn removed(photo_id: PhotoId, expected: Option<BlobKey>) -> PhotoCommand {
        PhotoCommand::Remove { photo_id, expected }
    }

    fn thumb(photo: &CataloguePhoto) -> &Thumb {
        &photo.thumb
    }

    fn view(photo: CataloguePhoto, viewer: Option<&User>) -> FigurePhotoView {
        FigurePhotoView::of(photo, viewer)
    }
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
    let photos = gallery::all(&state, &figure, viewer.as_ref()).await?;
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
    let figure = figure(&state, &id, Some(&caller.user)).await;
    gallery::add(&state, &caller, figure, key, request).await
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
    let figure = figure(&state, &id, Some(&caller.user)).await;
    gallery::order(&state, &caller, figure, idempotency, body.ids).await
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
    gallery::replace::<OfFigure>(&state, &caller, id, expected, key, request).await
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
    gallery::remove::<OfFigure>(&state, &caller, id, expected, idempotency).await
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
    let primary = PhotoCommand::MakePrimary(PhotoId(id));
    gallery::change::<OfFigure>(&state, &caller, id, idempotency, primary).await
}
