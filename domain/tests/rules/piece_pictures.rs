//! Photos, scans and documents of pieces, and the cover.

use crate::harness::*;
use domain::collection::{ArchiveReason, CollectionEvent as E, PictureCommand as C};
use domain::commands::{
    AddDocument, AddPhotos, ArchivePieces, ChangePictures, DeletePieces, MakeScan, PieceVersion, PinCover,
    RestorePiece,
};
use domain::figure::FigureEvent as F;
use domain::ids::{DocumentId, PhotoId, PieceId, ScanId};
use domain::picture::{Cover, DocumentType, NewPhoto, Picture, StoredDocument, frames_digest};
use domain::refusal::Code;
use domain::stream::Version;
use uuid::Uuid;

const FRONT: PhotoId = PhotoId(Uuid::from_u128(0x1001));
const BACK: PhotoId = PhotoId(Uuid::from_u128(0x1002));
const ELSEWHERE: PhotoId = PhotoId(Uuid::from_u128(0x1003));
const TURN: ScanId = ScanId(Uuid::from_u128(0x2001));
const RECEIPT: DocumentId = DocumentId(Uuid::from_u128(0x3001));

fn upload(piece_id: PieceId, pictures: Vec<Picture>) -> AddPhotos {
    AddPhotos { user_id: ANNA, piece_id, pictures, shows_nsfw: true }
}
fn change(change: C) -> ChangePictures {
    ChangePictures { user_id: ANNA, piece_id: P1, change, shows_nsfw: true }
}
fn scan(frames: Vec<Picture>) -> MakeScan {
    MakeScan { user_id: ANNA, piece_id: P1, frames, shows_nsfw: true }
}
fn replace_frames(scan_id: ScanId, seen: Option<&[&str]>, frames: Vec<Picture>) -> C {
    let digest = |seen: &[&str]| frames_digest(&seen.iter().map(|of| picture(of)).collect::<Vec<_>>());
    C::ReplaceFrames { scan_id, expected: seen.map(digest), frames }
}
fn pin(cover: Option<Cover>) -> PinCover {
    PinCover { user_id: ANNA, piece_id: P1, expected: None, cover }
}
fn receipt() -> StoredDocument {
    StoredDocument {
        blob: picture("receipt").original,
        media_type: DocumentType::Pdf,
        bytes: 10,
        name: line("receipt.pdf"),
    }
}
fn photos_of(piece_id: PieceId, photos: &[(PhotoId, &str)]) -> Vec<Fact> {
    let photos =
        photos.iter().map(|(photo_id, of)| NewPhoto { photo_id: *photo_id, picture: picture(of) }).collect();
    vec![coll(E::PhotosAdded { piece_id, photos })]
}
fn scan_of(piece_id: PieceId) -> Vec<Fact> {
    vec![coll(E::ScanMade { piece_id, scan_id: TURN, frames: vec![picture("0"), picture("1")] })]
}
fn document_of(piece_id: PieceId) -> Vec<Fact> {
    vec![coll(E::DocumentAdded { piece_id, document_id: RECEIPT, document: receipt() })]
}
fn pinned(cover: Option<Cover>) -> Vec<Fact> {
    vec![coll(E::PieceCoverPinned { piece_id: P1, cover })]
}
/// Anna has two lanterns; the first has two photos, a scan and a receipt, the second one photo.
fn world() -> Given {
    given([
        figure(LANTERN),
        piece(P1, LANTERN),
        piece(P2, LANTERN),
        photos_of(P1, &[(FRONT, "front"), (BACK, "back")]),
        photos_of(P2, &[(ELSEWHERE, "elsewhere")]),
        scan_of(P1),
        document_of(P1),
    ])
}
fn adult() -> Given {
    world().and(vec![fig(LANTERN, F::NsfwMarked { is_nsfw: true })])
}
fn cover(given: &Given) -> Option<Cover> {
    given.collection().pieces[&P1].pictures().cover
}

pub fn refusals() -> Vec<Case> {
    let world = world();
    let (no_photo, no_scan) = (PhotoId(Uuid::from_u128(9)), ScanId(Uuid::from_u128(9)));
    let many = |n: usize| (0..n).map(|n| picture(&n.to_string())).collect::<Vec<_>>();
    let mut scanned = given([figure(LANTERN), piece(P1, LANTERN)]);
    for _ in 0..20 {
        scanned = scanned.done(scan(many(1)));
    }
    let mut filed = given([figure(LANTERN), piece(P1, LANTERN)]);
    let file = AddDocument { user_id: ANNA, piece_id: P1, document: receipt() };
    for _ in 0..50 {
        filed = filed.done(file.clone());
    }
    let seen = |of: &str| Some(picture(of).original);
    let replace = |photo_id, expected| C::ReplacePhoto { photo_id, expected, picture: picture("new") };
    let unshown = |command: C| ChangePictures { shows_nsfw: false, ..change(command) };
    vec![
        world.when(upload(P3, many(1))).refuses(Code::PieceNotFound, None, "a photo of an unknown piece"),
        world.when(AddPhotos { user_id: BEN, ..upload(P1, many(1)) }).refuses(
            Code::PieceNotFound,
            None,
            "a photo of somebody else's piece",
        ),
        world.when(upload(P1, vec![])).refuses(Code::NothingToDo, "file", "an upload of nothing"),
        world.when(upload(P1, many(199))).refuses(Code::TooMany, "file", "the 201st photo of a piece"),
        adult().when(AddPhotos { shows_nsfw: false, ..upload(P1, many(1)) }).refuses(
            Code::NsfwNotShown,
            None,
            "a photo of an NSFW piece by somebody who is not shown such figures",
        ),
        adult().when(unshown(replace(FRONT, None))).refuses(
            Code::NsfwNotShown,
            None,
            "replacing a photo of an NSFW piece likewise",
        ),
        adult().when(MakeScan { shows_nsfw: false, ..scan(many(1)) }).refuses(
            Code::NsfwNotShown,
            None,
            "a scan of an NSFW piece likewise",
        ),
        world.when(change(C::OrderPhotos(vec![FRONT]))).refuses(
            Code::InvalidField,
            "ids",
            "an order that leaves a photo out",
        ),
        world.when(change(C::OrderPhotos(vec![FRONT, BACK, BACK]))).refuses(
            Code::InvalidField,
            "ids",
            "an order that names a photo twice",
        ),
        world.when(change(C::OrderPhotos(vec![FRONT, ELSEWHERE]))).refuses(
            Code::InvalidField,
            "ids",
            "an order that names a photo of another piece",
        ),
        world.when(change(replace(no_photo, None))).refuses(
            Code::PhotoNotFound,
            None,
            "replacing an unknown photo",
        ),
        world.when(change(replace(FRONT, seen("back")))).refuses(
            Code::Stale,
            None,
            "replacing a picture that is not there any more",
        ),
        world.when(change(C::RemovePhoto { photo_id: FRONT, expected: seen("back") })).refuses(
            Code::Stale,
            None,
            "removing a picture that is not there any more",
        ),
        world.when(change(C::RemovePhoto { photo_id: ELSEWHERE, expected: None })).refuses(
            Code::PhotoNotFound,
            None,
            "removing a photo of another piece",
        ),
        world.when(change(C::SharePhoto { photo_id: no_photo, shared: true })).refuses(
            Code::PhotoNotFound,
            None,
            "sharing an unknown photo",
        ),
        world.when(pin(Some(Cover::PhotoId(ELSEWHERE)))).refuses(
            Code::PhotoNotFound,
            "photo_id",
            "a cover that belongs to another piece",
        ),
        world.when(pin(Some(Cover::ScanId(no_scan)))).refuses(
            Code::ScanNotFound,
            "scan_id",
            "an unknown scan as the cover",
        ),
        world
            .when(PinCover {
                expected: Some(PieceVersion { piece: Version(99), preorder: Version::NONE }),
                ..pin(None)
            })
            .refuses(Code::Stale, None, "a cover for a piece that was changed since"),
        world.when(scan(vec![])).refuses(Code::TooMany, "frame", "a scan without frames"),
        world.when(scan(many(97))).refuses(Code::TooMany, "frame", "a scan of 97 frames"),
        scanned.when(scan(many(1))).refuses(Code::TooMany, "frame", "the 21st scan of a piece"),
        world.when(change(replace_frames(TURN, None, many(97)))).refuses(
            Code::TooMany,
            "frame",
            "97 frames in place of two",
        ),
        world.when(change(replace_frames(no_scan, None, many(1)))).refuses(
            Code::ScanNotFound,
            None,
            "frames of an unknown scan",
        ),
        world.when(change(replace_frames(TURN, Some(&["1", "0"]), many(1)))).refuses(
            Code::Stale,
            None,
            "replacing frames that are not there any more",
        ),
        world.when(change(C::RemoveScan(no_scan))).refuses(
            Code::ScanNotFound,
            None,
            "removing an unknown scan",
        ),
        world.when(change(C::ShareScan { scan_id: no_scan, shared: true })).refuses(
            Code::ScanNotFound,
            None,
            "sharing an unknown scan",
        ),
        filed.when(file).refuses(Code::TooMany, "file", "the 51st document of a piece"),
        world.when(change(C::RemoveDocument(DocumentId(Uuid::from_u128(9))))).refuses(
            Code::DocumentNotFound,
            None,
            "removing an unknown document",
        ),
    ]
}

#[test]
fn refusals_are_as_told() {
    check(&refusals());
}

#[test]
fn photos_come_after_those_that_are_there_in_the_order_of_the_upload() {
    let world = world();
    let new = [PhotoId(world.new_id(1)), PhotoId(world.new_id(2))];
    let (ids, after) = world.when(upload(P1, vec![picture("a"), picture("b")])).answered();
    assert_eq!(ids, new);
    let order: Vec<PhotoId> =
        after.collection().pieces[&P1].pictures().photos.iter().map(|p| p.photo_id).collect();
    assert_eq!(order, [FRONT, BACK, new[0], new[1]]);
}

#[test]
fn a_new_order_names_every_photo_and_the_same_order_is_no_change() {
    let after = world()
        .when(change(C::OrderPhotos(vec![BACK, FRONT])))
        .then([coll(E::PhotosOrdered { piece_id: P1, photo_ids: vec![BACK, FRONT] })]);
    after.when(change(C::OrderPhotos(vec![BACK, FRONT]))).then_nothing();
}

#[test]
fn a_replaced_photo_keeps_its_place_its_sharing_and_the_pin() {
    let world = world().and(pinned(Some(Cover::PhotoId(FRONT)))).and(vec![coll(E::PhotoShared {
        piece_id: P1,
        photo_id: FRONT,
        shared: true,
    })]);
    let replace = |of: &str| {
        let expected = Some(picture("front").original);
        change(C::ReplacePhoto { photo_id: FRONT, expected, picture: picture(of) })
    };
    let after = world.when(replace("better")).done();
    let pictures = after.collection().pieces[&P1].pictures();
    assert_eq!(pictures.photos[0].original, picture("better").original);
    assert!(pictures.photos[0].shared);
    assert_eq!(pictures.cover, Some(Cover::PhotoId(FRONT)));
    world.when(replace("front")).then_nothing();
    after.when(replace("even better")).refused(Code::Stale, None);
}

#[test]
fn of_two_who_saw_the_same_frames_the_second_replaces_none_of_them() {
    let seen: Option<&[&str]> = Some(&["0", "1"]);
    let first = change(replace_frames(TURN, seen, vec![picture("a"), picture("1")]));
    let second = change(replace_frames(TURN, seen, vec![picture("0"), picture("b")]));
    let after = world().done(first);
    after.when(second).refused(Code::Stale, None);
    after.when(change(replace_frames(TURN, Some(&["a", "1"]), vec![picture("a"), picture("b")]))).done();
    after.when(change(replace_frames(TURN, None, vec![picture("c")]))).done();
}

#[test]
fn removing_what_is_pinned_unpins_it_and_nothing_else_does() {
    for (cover_is, remove) in [
        (Cover::PhotoId(FRONT), C::RemovePhoto { photo_id: FRONT, expected: None }),
        (Cover::ScanId(TURN), C::RemoveScan(TURN)),
    ] {
        let world = world().and(pinned(Some(cover_is)));
        let other = change(C::RemovePhoto { photo_id: BACK, expected: None });
        assert_eq!(cover(&world.clone().done(other)), Some(cover_is));
        assert_eq!(cover(&world.done(change(remove))), None);
    }
}

#[test]
fn pinning_what_is_pinned_is_no_change_and_a_cover_is_unpinned_by_naming_none() {
    let world = world().and(pinned(Some(Cover::ScanId(TURN))));
    world.when(pin(Some(Cover::ScanId(TURN)))).then_nothing();
    world
        .when(pin(None))
        .then([coll(E::PieceCoverPinned { piece_id: P1, cover: None })])
        .when(pin(None))
        .then_nothing();
}

#[test]
fn only_what_changes_the_pinned_cover_changes_the_version_of_the_piece() {
    let world = world().and(pinned(Some(Cover::PhotoId(FRONT))));
    let version = |given: &Given| given.collection().pieces[&P1].version;
    let replace =
        |photo_id| change(C::ReplacePhoto { photo_id, expected: None, picture: picture("something else") });
    let unchanged = [
        world.clone().done(upload(P1, vec![picture("another")])),
        world.clone().done(replace(BACK)),
        world.clone().done(change(C::OrderPhotos(vec![BACK, FRONT]))),
        world.clone().done(change(C::RemoveScan(TURN))),
        world.clone().done(change(C::RemoveDocument(RECEIPT))),
    ];
    assert!(unchanged.iter().all(|after| version(after) == version(&world)));
    let changed = [
        world.clone().done(replace(FRONT)),
        world.clone().done(pin(None)),
        world.clone().done(change(C::RemovePhoto { photo_id: FRONT, expected: None })),
    ];
    assert!(changed.iter().all(|after| version(after) > version(&world)));
}

#[test]
fn a_picture_is_shared_once_and_taken_back_once() {
    let shared = C::SharePhoto { photo_id: FRONT, shared: true };
    let after = world().when(change(shared.clone())).then([coll(E::PhotoShared {
        piece_id: P1,
        photo_id: FRONT,
        shared: true,
    })]);
    after.when(change(shared)).then_nothing();
    let scan = |shared| change(C::ShareScan { scan_id: TURN, shared });
    world().when(scan(false)).then_nothing();
    world().done(scan(true)).when(scan(false)).done();
}

#[test]
fn archiving_keeps_the_pictures_and_deleting_ends_them() {
    let archive = ArchivePieces {
        user_id: ANNA,
        piece_ids: vec![P1],
        expected: None,
        reason: ArchiveReason::Lost,
        sale: None,
        refund: None,
    };
    let restore = RestorePiece { user_id: ANNA, piece_id: P1, expected: None };
    let back = world().done(archive).done(restore);
    let pictures = back.collection().pieces[&P1].pictures();
    assert_eq!((pictures.photos.len(), pictures.scans.len(), pictures.documents.len()), (2, 1, 1));

    let delete = DeletePieces { user_id: ANNA, piece_ids: vec![P1], expected: None, refund: None };
    world()
        .done(delete)
        .when(change(C::RemovePhoto { photo_id: FRONT, expected: None }))
        .refused(Code::PieceNotFound, None);
}

#[test]
fn who_is_not_shown_nsfw_figures_may_still_upload_others_and_keep_receipts_of_them() {
    world().when(AddPhotos { shows_nsfw: false, ..upload(P1, vec![picture("a")]) }).done();
    let file = AddDocument { user_id: ANNA, piece_id: P1, document: receipt() };
    adult().when(file).done();
    let tidy = C::RemovePhoto { photo_id: FRONT, expected: None };
    adult().when(ChangePictures { shows_nsfw: false, ..change(tidy) }).done();
}
