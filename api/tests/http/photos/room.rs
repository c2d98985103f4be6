//! How many there may be: told before what is sent is looked at, and decided with what is there.

use domain::{
    commands::{AddDocument, AddFigurePhotos, AddPhotos, Many},
    ids::{FigureId, PieceId, UserId},
    picture::{
        BlobKey, BlurHash, DocumentType, ImageType, MOST_DOCUMENTS, MOST_PHOTOS_OF_A_FIGURE,
        MOST_PHOTOS_OF_A_FIGURE_BY_ONE, MOST_PHOTOS_OF_A_PIECE, Picture, StoredDocument,
    },
};
use reqwest::Method;
use serde_json::Value;

use super::{id, ids, jpeg, piece, place_of};
use crate::forms::form;
use crate::support::{TestApp, TestClient};

const NO_PICTURE: &[u8] = b"<svg/>";
const PDF: &[u8] = b"%PDF-1.7";

/// A picture as events have it; no file is behind it.
fn picture(n: usize) -> Picture {
    let key = BlobKey::of_digest([u8::try_from(n % 256).unwrap(); 32]);
    Picture {
        original: key,
        media_type: ImageType::Jpeg,
        bytes: 10,
        width: 4,
        height: 4,
        small: key,
        large: key,
        blurhash: BlurHash::new("LEHV6nWB2yk8pyo0adR*.7kCMdnj").unwrap(),
    }
}

async fn user(client: &TestClient) -> UserId {
    UserId(id(&client.get("/api/me").await.ok()).parse().unwrap())
}

/// So many photos on a piece.
async fn hang(app: &TestApp, client: &TestClient, piece: &Value, count: usize) {
    let (user_id, piece_id) = (user(client).await, PieceId(id(piece).parse().unwrap()));
    let pictures = (0..count).map(picture).collect();
    let add = AddPhotos { user_id, piece_id, pictures, shows_nsfw: true };
    app.folded(app.seed(Some(user_id)).run(&add).await).await;
}

/// So many photos of a figure that somebody uploaded who may not edit it.
async fn share(app: &TestApp, client: &TestClient, figure: &Value, count: usize) {
    let (user_id, figure_id) = (user(client).await, FigureId(id(figure).parse().unwrap()));
    for at_once in (0..count).collect::<Vec<_>>().chunks(20) {
        let pictures = at_once.iter().map(|n| picture(*n)).collect();
        let add = AddFigurePhotos { figure_id, pictures, shows_nsfw: true };
        app.folded(app.seed(Some(user_id)).run(&add).await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_room_nothing_that_is_sent_is_looked_at() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let (_, piece, place) = piece(&alice, "Harbour Pilot Mina").await;
    let send = async |key: &'static str, files: Vec<Vec<u8>>| {
        let form = form("file", files);
        alice.send(Method::POST, &place, |it| it.header("idempotency-key", key).multipart(form)).await
    };
    let first = send("first", vec![jpeg(8, 8, 1)]).await.made();
    hang(&app, &alice, &piece, MOST_PHOTOS_OF_A_PIECE - 2).await;
    let junk = vec![jpeg(8, 8, 2), NO_PICTURE.to_vec()];
    alice.upload(&place, junk).await.refused_field(422, "too_many", "file");
    assert_eq!(ids(&alice.get(&place).await.ok()).len(), MOST_PHOTOS_OF_A_PIECE - 1, "all or none");
    alice.upload(&place, vec![jpeg(8, 8, 2)]).await.made();
    alice.upload(&place, vec![NO_PICTURE.to_vec()]).await.refused_field(422, "too_many", "file");
    assert_eq!(ids(&send("first", vec![jpeg(8, 8, 1)]).await.made()), ids(&first), "answered as before");
    // One that says it is repeated and is not gets as far as the decision.
    send("another", vec![jpeg(8, 8, 3)]).await.refused_field(422, "too_many", "file");
    assert_eq!(ids(&alice.get(&place).await.ok()).len(), MOST_PHOTOS_OF_A_PIECE);
    let photo = first["items"][0]["url"].as_str().unwrap();
    alice.replace(photo, jpeg(8, 8, 4)).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_figure_has_room_for_a_hundred_photos_and_for_twenty_of_a_guest() {
    let app = TestApp::new().await;
    let (alice, ben) = (app.register("alice").await, app.register("ben").await);
    let (figure, ..) = piece(&alice, "Harbour Pilot Mina").await;
    let place = place_of(&figure);
    let junk = async |client: &TestClient| client.upload(&place, vec![NO_PICTURE.to_vec()]).await;
    share(&app, &ben, &figure, MOST_PHOTOS_OF_A_FIGURE_BY_ONE - 1).await;
    junk(&ben).await.refused_field(422, "not_a_picture", "file[0]");
    let two = vec![jpeg(8, 8, 1), jpeg(8, 8, 2)];
    ben.upload(&place, two).await.refused_field(422, "too_many", "file");
    ben.upload(&place, vec![jpeg(8, 8, 1)]).await.made();
    junk(&ben).await.refused_field(422, "too_many", "file");
    junk(&alice).await.refused_field(422, "not_a_picture", "file[0]");
    share(&app, &alice, &figure, MOST_PHOTOS_OF_A_FIGURE - MOST_PHOTOS_OF_A_FIGURE_BY_ONE).await;
    for client in [&alice, &app.register_admin("root").await] {
        junk(client).await.refused_field(422, "too_many", "file");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_uploads_for_the_last_place_one_is_refused() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let (_, piece, place) = piece(&alice, "Harbour Pilot Mina").await;
    hang(&app, &alice, &piece, MOST_PHOTOS_OF_A_PIECE - 1).await;
    let (one, other) =
        tokio::join!(alice.upload(&place, vec![jpeg(8, 8, 1)]), alice.upload(&place, vec![jpeg(8, 8, 2)]));
    let (made, refused) = if one.status.is_success() { (one, other) } else { (other, one) };
    refused.refused_field(422, "too_many", "file");
    made.made();
    assert_eq!(ids(&alice.get(&place).await.ok()).len(), MOST_PHOTOS_OF_A_PIECE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_piece_has_room_for_fifty_documents() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let (_, piece, _) = piece(&alice, "Harbour Pilot Mina").await;
    let (user_id, piece_id) = (user(&alice).await, PieceId(id(&piece).parse().unwrap()));
    let add = |n: usize| AddDocument {
        user_id,
        piece_id,
        document: StoredDocument {
            blob: picture(n).original,
            media_type: DocumentType::Pdf,
            bytes: 10,
            name: "receipt.pdf".parse().unwrap(),
        },
    };
    let all = Many((1..MOST_DOCUMENTS).map(add).collect());
    app.folded(app.seed(Some(user_id)).run(&all).await).await;
    let place = format!("/api/me/owned/{}/documents", id(&piece));
    let two = vec![PDF.to_vec(), b"MZ".to_vec()];
    alice.upload(&place, two).await.refused_field(422, "too_many", "file");
    alice.upload(&place, vec![PDF.to_vec()]).await.made();
    alice.upload(&place, vec![b"MZ".to_vec()]).await.refused_field(422, "too_many", "file");
    assert_eq!(ids(&alice.get(&place).await.ok()).len(), MOST_DOCUMENTS);
}
