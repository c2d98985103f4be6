//! Photos of the catalogue.

use crate::harness::*;
use domain::commands::{AddFigurePhotos, ChangeFigurePhotos, MergeFigures};
use domain::figure::{CataloguePhoto, FigureEvent as F, PhotoCommand as C};
use domain::ids::{FigureId, PhotoId, UserId};
use domain::picture::Picture;
use domain::refusal::Code;
use uuid::Uuid;

const STUDIO: PhotoId = PhotoId(Uuid::from_u128(0x1001));
const SHELF: PhotoId = PhotoId(Uuid::from_u128(0x1002));
const BOX: PhotoId = PhotoId(Uuid::from_u128(0x1003));

fn photo(photo_id: PhotoId, of: &str, by: UserId) -> CataloguePhoto {
    CataloguePhoto { photo_id, picture: picture(of), added_by: Some(by) }
}
fn photos_of(figure: FigureId, photos: Vec<CataloguePhoto>) -> Vec<Fact> {
    vec![fig(figure, F::PhotosAdded { photos })]
}
/// Anna's lantern, with a photo of her own and one of Ben's.
fn world() -> Given {
    given([
        figure(LANTERN),
        figure(TEAPOT),
        photos_of(LANTERN, vec![photo(STUDIO, "studio", ANNA), photo(SHELF, "shelf", BEN)]),
    ])
}
fn upload(pictures: Vec<Picture>) -> AddFigurePhotos {
    AddFigurePhotos { figure_id: LANTERN, pictures, shows_nsfw: true }
}
fn change(change: C) -> ChangeFigurePhotos {
    ChangeFigurePhotos { figure_id: LANTERN, change, shows_nsfw: true }
}
fn remove(photo_id: PhotoId) -> ChangeFigurePhotos {
    change(C::Remove { photo_id, expected: None })
}
fn replace(photo_id: PhotoId, of: &str) -> ChangeFigurePhotos {
    change(C::Replace { photo_id, expected: None, picture: picture(of) })
}
fn many(count: usize) -> Vec<Picture> {
    (0..count).map(|n| picture(&format!("one of many {n}"))).collect()
}

pub fn refusals() -> Vec<Case> {
    let world = world();
    let ben = world.clone().by(BEN);
    let adult = world.clone().and(vec![fig(LANTERN, F::NsfwMarked { is_nsfw: true })]);
    let no_photo = PhotoId(Uuid::from_u128(9));
    vec![
        world.when(AddFigurePhotos { figure_id: NOWHERE, ..upload(many(1)) }).refuses(
            Code::FigureNotFound,
            "figure_id",
            "a photo of an unknown figure",
        ),
        world.when(upload(vec![])).refuses(Code::NothingToDo, "file", "an upload of nothing"),
        world.when(upload(many(99))).refuses(Code::TooMany, "file", "the 101st photo of a figure"),
        ben.when(upload(many(20))).refuses(
            Code::TooMany,
            "file",
            "somebody's 21st photo of a figure that somebody else added",
        ),
        adult.when(AddFigurePhotos { shows_nsfw: false, ..upload(many(1)) }).refuses(
            Code::NsfwNotShown,
            None,
            "a photo of an NSFW figure by somebody who is not shown such",
        ),
        adult.when(ChangeFigurePhotos { shows_nsfw: false, ..replace(STUDIO, "new") }).refuses(
            Code::NsfwNotShown,
            None,
            "replacing one likewise",
        ),
        ben.when(remove(STUDIO)).refuses(Code::NotAllowed, None, "removing somebody else's photo"),
        ben.when(replace(STUDIO, "new")).refuses(Code::NotAllowed, None, "replacing somebody else's photo"),
        ben.when(change(C::MakePrimary(SHELF))).refuses(
            Code::NotAllowed,
            None,
            "letting one's own photo stand for somebody else's figure",
        ),
        ben.when(change(C::Order(vec![SHELF, STUDIO]))).refuses(
            Code::NotAllowed,
            None,
            "ordering the photos of somebody else's figure",
        ),
        world.when(change(C::Order(vec![SHELF]))).refuses(
            Code::InvalidField,
            "ids",
            "an order that leaves a photo out",
        ),
        world.when(change(C::Order(vec![SHELF, STUDIO, no_photo]))).refuses(
            Code::InvalidField,
            "ids",
            "an order that names an unknown photo",
        ),
        world.when(change(C::MakePrimary(no_photo))).refuses(
            Code::PhotoNotFound,
            None,
            "letting an unknown photo stand for it",
        ),
        world.when(remove(no_photo)).refuses(Code::PhotoNotFound, None, "removing an unknown photo"),
        world
            .when(change(C::Replace {
                photo_id: STUDIO,
                expected: Some(picture("shelf").original),
                picture: picture("new"),
            }))
            .refuses(Code::Stale, None, "replacing a picture that is not there any more"),
        world
            .when(change(C::Remove { photo_id: STUDIO, expected: Some(picture("shelf").original) }))
            .refuses(Code::Stale, None, "removing a picture that is not there any more"),
    ]
}

#[test]
fn refusals_are_as_told() {
    check(&refusals());
}

#[test]
fn anyone_adds_photos_and_they_are_on_record_as_theirs() {
    let world = world().by(BEN);
    let new = PhotoId(world.new_id(1));
    let after = world
        .when(upload(vec![picture("new")]))
        .then([fig(LANTERN, F::PhotosAdded { photos: vec![photo(new, "new", BEN)] })]);
    after.when(remove(new)).then([fig(LANTERN, F::PhotoRemoved { photo_id: new })]);
}

#[test]
fn who_may_edit_the_figure_may_change_every_photo_of_it() {
    for world in [world(), world().by_admin(), world().by_operator()] {
        world.when(replace(SHELF, "tidier")).done();
        world.when(change(C::Order(vec![SHELF, STUDIO]))).done();
        world.when(change(C::MakePrimary(SHELF))).done().when(change(C::MakePrimary(SHELF))).then_nothing();
        world.when(remove(SHELF)).done();
    }
}

#[test]
fn photos_are_no_change_of_the_entry() {
    let before = world().figure(LANTERN).version;
    let after = world().done(upload(many(1))).done(change(C::MakePrimary(SHELF))).done(remove(STUDIO));
    assert_eq!(after.figure(LANTERN).version, before);
}

#[test]
fn without_its_primary_photo_a_figure_has_none() {
    let after = world().done(change(C::MakePrimary(SHELF))).done(remove(SHELF));
    assert_eq!(after.figure(LANTERN).photos.primary, None);
}

#[test]
fn a_merge_brings_the_photos_along_but_not_twice() {
    let photos = vec![photo(BOX, "box", ANNA), photo(PhotoId(Uuid::from_u128(0x1004)), "studio", BEN)];
    let world =
        world().and(photos_of(TEAPOT, photos)).and(vec![fig(TEAPOT, F::PrimaryPhotoSet { photo_id: BOX })]);
    let merge = MergeFigures { loser_id: TEAPOT, winner_id: LANTERN };
    let after = world.by_admin().done(merge);
    let winner = after.figure(LANTERN);
    let ids: Vec<PhotoId> = winner.photos.all.iter().map(|p| p.photo_id).collect();
    assert_eq!(ids, [STUDIO, SHELF, BOX], "what both have comes once");
    assert_eq!(winner.photos.primary, None, "the winner goes on showing what it showed");
    let edit = ChangeFigurePhotos { figure_id: TEAPOT, ..change(C::MakePrimary(BOX)) };
    after.when(edit).then([fig(LANTERN, F::PrimaryPhotoSet { photo_id: BOX })]);
}

#[test]
fn a_figure_without_photos_takes_on_the_primary_one_of_what_it_took_in() {
    let world = world().and(vec![fig(LANTERN, F::PrimaryPhotoSet { photo_id: SHELF })]);
    let after = world.by_admin().done(MergeFigures { loser_id: LANTERN, winner_id: TEAPOT });
    assert_eq!(after.figure(TEAPOT).photos.primary, Some(SHELF));
    assert_eq!(after.figure(TEAPOT).photos.all.len(), 2);
}
