//! What photos of the catalogue and photos of one's own pieces have in common: how they are added, put into an order,
//! replaced, removed and told of. What differs is a [`Gallery`].

use axum::extract::Request;
use domain::{
    ids::PhotoId,
    picture::{BlobKey, Picture},
    stream::Position,
    world::Command,
};
use operational::users::User;
use projections::pictures::Thumb;
use serde::Serialize;
use uuid::Uuid;

use super::{
    super::owned::Deleted, FIELD, MOST_AT_ONCE, NSFW_NOT_SHOWN, PHOTO_NOT_FOUND, READS, TOO_MANY, again,
    shows_nsfw, views::Photos,
};
use crate::{
    answer::Written,
    extract::Idempotency,
    perform::{Caller, Performed, gone_since},
    problem::{self, Problem},
    state::AppState,
    uploads::{self, Taken},
};

/// What photos hang in: a figure of the catalogue, or a piece of one's own.
pub(super) trait Gallery: Sized {
    /// One of its photos, as it is read.
    type Photo;
    /// One of its photos, as it is shown.
    type View: Serialize;
    /// The command that adds some.
    type Adding: Command<Answer = Vec<PhotoId>>;
    /// What can be done to its photos.
    type Change;
    /// The command that does it.
    type Command: Command;

    /// Where a photo is, but for its id.
    const PHOTOS: &'static str;

    /// A photo that somebody may know of, and what it hangs in.
    ///
    /// # Errors
    /// 404 when there is none.
    async fn find(state: &AppState, user: &User, id: Uuid) -> Result<(Self::Photo, Self), Problem>;

    /// Where its photos are listed.
    fn place(&self) -> String;

    /// Whether its figure is NSFW.
    fn is_nsfw(&self) -> bool;

    /// All of them, in their order.
    async fn photos(&self, state: &AppState) -> sqlx::Result<Vec<Self::Photo>>;

    /// How many more somebody may add to these.
    fn room(&self, photos: &[Self::Photo], user: &User) -> usize;

    /// Adds some behind those that are there.
    async fn add(
        &self,
        state: &AppState,
        caller: &Caller,
        idempotency: Option<Idempotency>,
        pictures: Vec<Picture>,
    ) -> Result<Performed<Vec<PhotoId>>, Problem>;

    /// Does something to one of them or their order.
    async fn change(
        &self,
        state: &AppState,
        caller: &Caller,
        idempotency: Option<Idempotency>,
        change: Self::Change,
    ) -> Result<Position, Problem>;

    /// Puts them into this order.
    fn ordered(ids: Vec<PhotoId>) -> Self::Change;

    /// Puts another picture in the place of one.
    fn replaced(photo_id: PhotoId, expected: Option<BlobKey>, picture: Picture) -> Self::Change;

    /// Removes one.
    fn removed(photo_id: PhotoId, expected: Option<BlobKey>) -> Self::Change;

    /// Its id and picture.
    fn thumb(photo: &Self::Photo) -> &Thumb;

    /// One as it is shown; to nobody in particular without a viewer.
    fn view(photo: Self::Photo, viewer: Option<&User>) -> Self::View;
}

/// All of them as they are shown, in their order.
pub(super) async fn all<G: Gallery>(
    state: &AppState,
    gallery: &G,
    viewer: Option<&User>,
) -> Result<Vec<G::View>, Problem> {
    let photos = gallery.photos(state).await?;
    Ok(photos.into_iter().map(|photo| G::view(photo, viewer)).collect())
}

/// Whoever is not shown NSFW figures as they are uploads no pictures of them.
fn may_upload<G: Gallery>(gallery: &G, user: &User) -> Result<(), Problem> {
    match gallery.is_nsfw() && !shows_nsfw(user) {
        true => Err(NSFW_NOT_SHOWN.into()),
        false => Ok(()),
    }
}

/// How many pictures are taken in for it; refused before any is looked at where that is none.
async fn room<G: Gallery>(
    state: &AppState,
    gallery: &G,
    user: &User,
    may_be_repeated: bool,
) -> Result<usize, Problem> {
    may_upload(gallery, user)?;
    // A repeated request is answered as the first was, although there may be no room any more.
    if may_be_repeated {
        return Ok(MOST_AT_ONCE);
    }
    match gallery.room(&gallery.photos(state).await?, user) {
        0 => Err(TOO_MANY.into()),
        room => Ok(room),
    }
}

/// Adds the pictures of a form to what was found for the caller.
pub(super) async fn add<G: Gallery>(
    state: &AppState,
    caller: &Caller,
    found: Result<G, Problem>,
    key: Option<Idempotency>,
    request: Request,
) -> Result<Written<Photos<G::View>>, Problem> {
    let ready = async {
        let gallery = found?;
        let room = room(state, &gallery, &caller.user, key.is_some()).await?;
        Ok::<_, Problem>((gallery, room))
    };
    let taken = Taken::pictures(FIELD, MOST_AT_ONCE);
    let (gallery, room) = match ready.await {
        Ok(ready) => ready,
        Err(problem) => {
            return Err(again::gone_pictures::<G::Adding>(state, caller, key, request, taken, problem).await);
        }
    };
    let pictures = uploads::pictures(state, request, taken.room_for(room, TOO_MANY)).await?;
    let idempotency = uploads::recognised(key, &pictures);
    let done = gallery.add(state, caller, idempotency, pictures).await?;
    let place = gallery.place();
    state.readable(done.position, READS, &place).await?;
    let mut added = gallery.photos(state).await?;
    added.retain(|photo| done.answer.contains(&PhotoId(G::thumb(photo).id)));
    // Those that are left are told; none is left only where all were removed since.
    if added.is_empty() {
        return Err(gone_since(PHOTO_NOT_FOUND.into(), done.position));
    }
    let items = added.into_iter().map(|photo| G::view(photo, Some(&caller.user))).collect();
    Ok(Written::created(Photos { items }, place).at(done.position))
}

/// Puts the photos of what was found for the caller into an order.
pub(super) async fn order<G: Gallery>(
    state: &AppState,
    caller: &Caller,
    found: Result<G, Problem>,
    idempotency: Option<Idempotency>,
    ids: Vec<Uuid>,
) -> Result<Written<Photos<G::View>>, Problem> {
    let gallery = match found {
        Ok(gallery) => gallery,
        Err(problem) => return Err(again::gone::<G::Command>(state, caller, idempotency, problem).await),
    };
    let change = G::ordered(ids.into_iter().map(PhotoId).collect());
    let position = gallery.change(state, caller, idempotency, change).await?;
    state.readable(position, READS, &gallery.place()).await?;
    let items = all(state, &gallery, Some(&caller.user)).await?;
    Ok(Written::done(Photos { items }).at(position))
}

/// Puts the picture of a form in a photo's place.
pub(super) async fn replace<G: Gallery>(
    state: &AppState,
    caller: &Caller,
    id: Uuid,
    expected: Option<BlobKey>,
    key: Option<Idempotency>,
    request: Request,
) -> Result<Written<G::View>, Problem> {
    let found = G::find(state, &caller.user, id).await;
    let found = found.and_then(|(_, gallery)| may_upload(&gallery, &caller.user).map(|()| gallery));
    let taken = Taken::pictures(FIELD, 1);
    let gallery = match found {
        Ok(gallery) => gallery,
        Err(problem) => {
            return Err(again::gone_pictures::<G::Command>(state, caller, key, request, taken, problem).await);
        }
    };
    let pictures = uploads::pictures(state, request, taken).await?;
    let idempotency = uploads::recognised(key, &pictures);
    let picture = pictures.into_iter().next().ok_or(problem::MISSING_FIELD)?;
    let change = G::replaced(PhotoId(id), expected, picture);
    let position = gallery.change(state, caller, idempotency, change).await?;
    written::<G>(state, caller, id, position).await
}

/// Removes a photo.
pub(super) async fn remove<G: Gallery>(
    state: &AppState,
    caller: &Caller,
    id: Uuid,
    expected: Option<BlobKey>,
    idempotency: Option<Idempotency>,
) -> Result<Written<Deleted>, Problem> {
    let gallery = match G::find(state, &caller.user, id).await {
        Err(problem) if problem.code() == PHOTO_NOT_FOUND.code() => {
            let before = state.performed_before::<G::Command>(caller, idempotency).await?;
            let position = before.ok_or(problem)?.position;
            return Ok(Written::done(Deleted { id, deleted: true }).at(position));
        }
        found => found?.1,
    };
    let change = G::removed(PhotoId(id), expected);
    let position = gallery.change(state, caller, idempotency, change).await?;
    state.readable(position, READS, &gallery.place()).await?;
    Ok(Written::done(Deleted { id, deleted: true }).at(position))
}

/// Does something else to a photo.
pub(super) async fn change<G: Gallery>(
    state: &AppState,
    caller: &Caller,
    id: Uuid,
    idempotency: Option<Idempotency>,
    change: G::Change,
) -> Result<Written<G::View>, Problem> {
    let gallery = match G::find(state, &caller.user, id).await {
        Ok((_, gallery)) => gallery,
        Err(problem) => return Err(again::gone::<G::Command>(state, caller, idempotency, problem).await),
    };
    let position = gallery.change(state, caller, idempotency, change).await?;
    written::<G>(state, caller, id, position).await
}

/// The photo that a write left, once it can be read.
async fn written<G: Gallery>(
    state: &AppState,
    caller: &Caller,
    id: Uuid,
    position: Position,
) -> Result<Written<G::View>, Problem> {
    state.readable(position, READS, &format!("{}/{id}", G::PHOTOS)).await?;
    let found = G::find(state, &caller.user, id).await;
    let (photo, _) = found.map_err(|problem| gone_since(problem, position))?;
    let version = G::thumb(&photo).picture.original;
    Ok(Written::done(G::view(photo, Some(&caller.user))).version(version).at(position))
}
