//! `/api/me/owned/{id}/documents` and `/api/documents/{id}`.

use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use crate::figures::{add, id};
use crate::forms::{jpeg, png};
use crate::profiles::own;
use crate::support::{Answer, TestApp, TestClient};

const PDF: &[u8] = b"%PDF-1.7\n1 0 obj <</Type /Catalog>> endobj\n%%EOF\n";

async fn place(client: &TestClient) -> String {
    let figure = add(client, "Harbour Pilot Mina", json!({})).await;
    format!("/api/me/owned/{}/documents", id(&own(client, &figure, json!({})).await))
}

async fn send(client: &TestClient, place: &str, files: &[(&str, &[u8])]) -> Answer {
    let form = files.iter().fold(Form::new(), |form, (name, content)| {
        form.part("file", Part::bytes(content.to_vec()).file_name((*name).to_owned()))
    });
    client.send(Method::POST, place, |request| request.multipart(form)).await
}

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_kept_as_it_came_and_given_back_to_be_saved() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let place = place(&alice).await;
    let photo = jpeg(64, 48, 5);
    let made = send(&alice, &place, &[("receipt.pdf", PDF), ("領収書.jpg", &photo)]).await.made();
    assert_eq!(names(&made), ["receipt.pdf", "領収書.jpg"]);
    assert_eq!(alice.get(&place).await.ok(), made);
    let receipt = &made["items"][0];
    assert_eq!(
        (receipt["media_type"].as_str(), receipt["bytes"].as_u64()),
        (Some("application/pdf"), Some(PDF.len() as u64))
    );

    let got = alice.fetch(receipt["url"].as_str().unwrap()).await;
    assert_eq!((got.status, got.body.as_slice()), (200, PDF), "not a byte is changed");
    assert_eq!(got.header("content-type"), "application/pdf");
    assert_eq!(
        got.header("content-disposition"),
        "attachment; filename=\"receipt.pdf\"; filename*=UTF-8''receipt.pdf"
    );
    assert_eq!(got.header("cache-control"), "private, no-cache");
    assert!(got.header("content-security-policy").contains("sandbox"));
    assert_eq!(got.header("x-content-type-options"), "nosniff");
    let tag = got.header("etag").to_owned();
    let held = alice.fetch_with(receipt["url"].as_str().unwrap(), |r| r.header("if-none-match", tag)).await;
    assert_eq!(held.status, 304);
    let part = alice.fetch_with(receipt["url"].as_str().unwrap(), |r| r.header("range", "bytes=0-4")).await;
    assert_eq!((part.status, part.body.as_slice()), (206, &b"%PDF-"[..]));
    let named = alice.fetch(made["items"][1]["url"].as_str().unwrap()).await;
    assert_eq!(named.body, photo);
    assert!(
        named.header("content-disposition").ends_with("filename*=UTF-8''%E9%A0%98%E5%8F%8E%E6%9B%B8.jpg")
    );

    alice.delete(receipt["url"].as_str().unwrap()).await.ok();
    alice.get(receipt["url"].as_str().unwrap()).await.refused(404, "document_not_found");
    assert_eq!(names(&alice.get(&place).await.ok()), ["領収書.jpg"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_ever_sees_a_document() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let place = place(&alice).await;
    let made = send(&alice, &place, &[("receipt.pdf", PDF)]).await.made();
    let document = made["items"][0]["url"].as_str().unwrap();
    for other in [app.register("ben").await, app.register_admin("root").await] {
        other.get(document).await.refused(404, "document_not_found");
        other.delete(document).await.refused(404, "document_not_found");
        other.get(&place).await.refused(404, "piece_not_found");
        send(&other, &place, &[("receipt.pdf", PDF)]).await.refused(404, "piece_not_found");
    }
    let nobody = app.visitor();
    nobody.get(document).await.refused(401, "not_signed_in");
    nobody.get(&place).await.refused(401, "not_signed_in");
    send(&nobody, &place, &[("receipt.pdf", PDF)]).await.refused(401, "not_signed_in");
    nobody.delete(document).await.refused(401, "not_signed_in");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_told_by_its_bytes_and_bounded_and_its_name_made_harmless() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let place = place(&alice).await;
    for bad in [&b"MZ\x90\0"[..], b"<html>", b"", b"PK\x03\x04", b" %PDF-1.7", b"GIF89a"] {
        let refused = send(&alice, &place, &[("a.pdf", PDF), ("b.pdf", bad)]).await;
        refused.refused_field(422, "not_a_document", "file[1]");
    }
    let mut huge = PDF.to_vec();
    huge.resize(10_000_001, b' ');
    send(&alice, &place, &[("a.pdf", &huge)]).await.refused_field(413, "file_too_large", "file[0]");
    let eleven: Vec<(&str, &[u8])> = vec![("a.pdf", PDF); 11];
    send(&alice, &place, &eleven).await.refused(422, "too_many_files");
    assert_eq!(names(&alice.get(&place).await.ok()), Vec::<&str>::new(), "nothing is half kept");

    huge.truncate(10_000_000);
    let picture = png(8, 8, 1);
    let made = send(&alice, &place, &[("../../a.exe", &huge), ("b.pdf", &picture)]).await.made();
    assert_eq!(names(&made), ["a.exe.pdf", "b.pdf.png"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_sent_again_with_its_key_is_kept_once() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let place = place(&alice).await;
    let keep = async || {
        let form = Form::new().part("file", Part::bytes(PDF.to_vec()).file_name("receipt.pdf"));
        alice.send(Method::POST, &place, |r| r.header("idempotency-key", "k").multipart(form)).await.made()
    };
    assert_eq!(keep().await, keep().await);
    assert_eq!(names(&alice.get(&place).await.ok()).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_whose_answer_got_lost_is_answered_as_before_under_its_key_and_nobody_elses() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let documents = place(&alice).await;
    let piece = documents.trim_end_matches("/documents").to_owned();
    let photo = |n| Form::new().part("file", Part::bytes(jpeg(64, 48, n)).file_name("photo.jpg"));
    let document = send(&alice, &documents, &[("receipt.pdf", PDF)]).await.made();
    let document = document["items"][0]["url"].as_str().unwrap().to_owned();
    let shown = alice.send(Method::POST, &format!("{piece}/photos"), |r| r.multipart(photo(6))).await.made();
    let shown = format!("/api/photos/{}", shown["items"][0]["id"].as_str().unwrap());
    let frame = Form::new().part("frame", Part::bytes(jpeg(64, 48, 7)).file_name("frame.jpg"));
    let scan = alice.send(Method::POST, &format!("{piece}/scans"), |r| r.multipart(frame)).await.made();
    let scan = format!("/api/scans/{}", scan["id"].as_str().unwrap());
    let bob = app.register("bob").await;
    for (url, code) in
        [(document, "document_not_found"), (shown, "photo_not_found"), (scan, "scan_not_found")]
    {
        let remove = async |client: &TestClient, key: &'static str| {
            client.send(Method::DELETE, &url, |request| request.header("idempotency-key", key)).await
        };
        let key: &'static str = code;
        let first = remove(&alice, key).await;
        let again = remove(&alice, key).await;
        assert_eq!(again.header("x-event-position"), first.header("x-event-position"), "{url}");
        assert_eq!(again.ok(), first.ok());
        remove(&alice, "another").await.refused(404, code);
        remove(&bob, key).await.refused(404, code);
        alice.delete(&url).await.refused(404, code);
    }
}
