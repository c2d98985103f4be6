use super::*;
use crate::preorders::testing::{Log, id, picture};
use domain::collection::PictureCommand as C;
use domain::commands::{
    AddDocument, AddFigurePhotos, AddPhotos, AddPiece, ChangeFigurePhotos, ChangePictures, DeletePieces,
    MakeScan, MergeFigures, PieceFields,
};
use domain::figure::PhotoCommand;
use domain::ids::{FigureId, PhotoId, PieceId, UserId};
use domain::picture::{DocumentType, Picture, StoredDocument};
use domain::text::Line;

fn alice() -> UserId {
    id(1)
}

fn piece(log: &mut Log, piece: u128, figure: FigureId) {
    let fields = PieceFields::default();
    log.run(alice(), &AddPiece { user_id: alice(), piece_id: id(piece), figure_id: figure, fields });
}

fn photos_of(log: &mut Log, piece: u128, pictures: Vec<Picture>) -> Vec<PhotoId> {
    let before: Vec<uuid::Uuid> = order(log, piece);
    log.run(alice(), &AddPhotos { user_id: alice(), piece_id: id(piece), pictures, shows_nsfw: true });
    order(log, piece).into_iter().filter(|id| !before.contains(id)).map(PhotoId).collect()
}

fn change(log: &mut Log, piece: u128, change: C) {
    log.run(alice(), &ChangePictures { user_id: alice(), piece_id: id(piece), change, shows_nsfw: true });
}

/// The photos of a piece, in their order.
fn order(log: &Log, piece: u128) -> Vec<uuid::Uuid> {
    let rows = log.fold::<Pictures>();
    let mut photos = rows.photos.rows_where(PhotoRow::owned_item_id, id::<PieceId>(piece).uuid());
    photos.sort_by_key(|row| row.position);
    photos.iter().map(|row| row.id).collect()
}

#[test]
fn photos_keep_the_order_that_was_given_and_new_ones_come_last() {
    let mut log = Log::new();
    let figure = log.figure(alice(), "Mina", None, &[], false);
    piece(&mut log, 10, figure);
    let first = photos_of(&mut log, 10, vec![picture(1), picture(2), picture(3)]);
    change(&mut log, 10, C::OrderPhotos(vec![first[2], first[0], first[1]]));
    change(&mut log, 10, C::RemovePhoto { photo_id: first[0], expected: None });
    let last = photos_of(&mut log, 10, vec![picture(4)]);
    let expected: Vec<uuid::Uuid> = [first[2], first[1], last[0]].map(PhotoId::uuid).to_vec();
    assert_eq!(order(&log, 10), expected);
}

#[test]
fn a_replaced_photo_names_its_new_files_and_no_longer_the_old_ones() {
    let mut log = Log::new();
    let figure = log.figure(alice(), "Mina", None, &[], false);
    piece(&mut log, 10, figure);
    let photo = photos_of(&mut log, 10, vec![picture(1)])[0];
    change(&mut log, 10, C::SharePhoto { photo_id: photo, shared: true });
    change(&mut log, 10, C::ReplacePhoto { photo_id: photo, expected: None, picture: picture(2) });
    let rows = log.fold::<Pictures>();
    let row = rows.photos.get(&photo.uuid()).unwrap();
    assert_eq!(row.storage_key, picture(2).original.to_string());
    assert_eq!(row.blob_keys, picture(2).blobs().map(|key| key.to_string()));
    assert!(row.shared);
}

#[test]
fn a_scan_names_the_files_of_every_frame_each_once() {
    let mut log = Log::new();
    let figure = log.figure(alice(), "Mina", None, &[], false);
    piece(&mut log, 10, figure);
    let frames = vec![picture(1), picture(2), picture(1)];
    log.run(alice(), &MakeScan { user_id: alice(), piece_id: id(10), frames, shows_nsfw: true });
    let rows = log.fold::<Pictures>();
    let row = rows.scans.rows().next().unwrap();
    assert_eq!(row.storage_keys, [1, 2, 1].map(|n| picture(n).original.to_string()));
    assert_eq!(row.blob_keys.len(), 6);
}

#[test]
fn deleting_a_piece_takes_its_pictures_and_documents_along_and_no_others() {
    let mut log = Log::new();
    let figure = log.figure(alice(), "Mina", None, &[], false);
    let document = StoredDocument {
        blob: picture(9).original,
        media_type: DocumentType::Pdf,
        bytes: 10,
        name: Line::new("receipt.pdf").unwrap(),
    };
    for n in [10, 11] {
        piece(&mut log, n, figure);
        photos_of(&mut log, n, vec![picture(1)]);
        let (user_id, piece_id, frames) = (alice(), id(n), vec![picture(2)]);
        log.run(alice(), &MakeScan { user_id, piece_id, frames, shows_nsfw: true });
        log.run(alice(), &AddDocument { user_id, piece_id, document: document.clone() });
    }
    let delete = DeletePieces { user_id: alice(), piece_ids: vec![id(10)], expected: None, refund: None };
    log.run(alice(), &delete);
    let rows = log.fold::<Pictures>();
    let left: Vec<uuid::Uuid> = (rows.photos.rows().map(|row| row.owned_item_id))
        .chain(rows.scans.rows().map(|row| row.owned_item_id))
        .chain(rows.documents.rows().map(|row| row.owned_item_id))
        .collect();
    assert_eq!(left, vec![id::<PieceId>(11).uuid(); 3]);
}

#[test]
fn a_merged_figure_hands_its_photos_to_the_one_it_continues_as() {
    let mut log = Log::new();
    let (loser, winner) =
        (log.figure(alice(), "Mina", None, &[], false), log.figure(alice(), "Mina again", None, &[], false));
    let add = |figure_id, n| AddFigurePhotos { figure_id, pictures: vec![picture(n)], shows_nsfw: true };
    log.run(alice(), &add(winner, 1));
    log.run(alice(), &add(loser, 1));
    log.run(alice(), &add(loser, 2));
    let moved = log
        .fold::<Pictures>()
        .figure_photos
        .rows()
        .find(|row| row.storage_key == picture(2).original.to_string())
        .unwrap()
        .id;
    log.run(alice(), &MergeFigures { loser_id: loser, winner_id: winner });
    let primary = ChangeFigurePhotos {
        figure_id: loser,
        change: PhotoCommand::MakePrimary(PhotoId(moved)),
        shows_nsfw: true,
    };
    log.run(alice(), &primary);
    let rows = log.fold::<Pictures>();
    let mut all: Vec<(uuid::Uuid, i32, bool)> =
        rows.figure_photos.rows().map(|row| (row.figure_id, row.position, row.is_primary)).collect();
    all.sort_unstable();
    assert_eq!(all, [(winner.uuid(), 0, false), (winner.uuid(), 1, true)]);
}

#[test]
fn what_is_pinned_counts_for_its_owner_and_for_others_when_it_is_shared() {
    let thumb = |n: u8| Thumb { id: uuid::Uuid::from_u128(n.into()), picture: picture(n) };
    let pinned = |shared| -> Pinned {
        let value =
            serde_json::json!({"photo": {"id": thumb(1).id, "picture": picture(1)}, "shared": shared});
        serde_json::from_value(value).unwrap()
    };
    let url = "https://example.com/mina.jpg";
    let official = Some(url);
    let mine = Some(Cover::Photo(thumb(1)));
    assert_eq!(Cover::of_piece(Some(&pinned(false)), None, Eyes::Owner), mine);
    assert_eq!(Cover::of_piece(Some(&pinned(true)), None, Eyes::Other), mine);
    assert_eq!(Cover::of_piece(Some(&pinned(false)), None, Eyes::Other), None);
    assert_eq!(Cover::of_figure(Some(&thumb(2)), official), Some(Cover::Catalogue(thumb(2))));
    assert_eq!(Cover::of_figure(None, official), Some(Cover::Official(url.to_owned())));
    assert_eq!(Cover::of_figure(None, None), None);
}
