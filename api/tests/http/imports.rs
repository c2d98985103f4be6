//! `/api/me/import`.

use reqwest::{Method, multipart};

use super::support::TestApp;

pub const EXPORT: &str = "ID,Title,Root,Category,Release date,Price,Scale,Barcode,Status,Count,Score,Payment date,\
Shipping date,Collecting date,Price,Shop,Shipping method,Tracking number,Wishability,Note\r\n\
901,Lumen of the Tide,Figures,Prepainted,2024-05-00,¥12800,1/7,4580590123458,Owned,2,9/10,2024-03-01,,\
2024-06-02,EUR 99.90,Harbour Hobby,EMS,,,first one\r\n\
902,[NSFW] Night Bloom,Figures,Prepainted,2031-01-00,¥20000,1/6,,Ordered,1,,,,,,Harbour Hobby,,,,\r\n\
903,Paper Crane Girl,Figures,Prepainted,0000-00-00,,,,Wished,,,,,,,,,,5,\r\n";

async fn csv(client: &super::support::TestClient, path: &str, text: &str) -> super::support::Answer {
    let text = text.to_owned();
    client.send(Method::POST, path, |r| r.header("content-type", "text/csv").body(text)).await
}

#[tokio::test]
async fn an_export_becomes_pieces_preorders_and_wishes_and_again_nothing() {
    let app = TestApp::new().await;
    let anna = app.register("anna").await;
    let dry = csv(&anna, "/api/me/import/mfc?dry_run=true", EXPORT).await.ok();
    assert_eq!(dry["dry_run"], true);
    assert_eq!(anna.get("/api/me/owned").await.ok()["items"].as_array().unwrap().len(), 0);

    let first = csv(&anna, "/api/me/import/mfc", EXPORT).await.ok();
    assert_eq!(first["items"].as_array().unwrap().len(), 3, "{first}");
    let owned = anna.get("/api/me/owned?state=owned").await.ok();
    assert_eq!(owned["items"].as_array().unwrap().len(), 2, "two copies: {owned}");
    assert_eq!(owned["items"][0]["price_amount"], "99.90");
    assert_eq!(owned["items"][0]["figure"]["name"], "Lumen of the Tide");
    let preorders = anna.get("/api/me/preorders").await.ok();
    assert_eq!(preorders["items"].as_array().unwrap().len(), 1);
    assert_eq!(preorders["items"][0]["figure"]["is_nsfw"], true);
    assert_eq!(preorders["items"][0]["figure"]["name"], "Night Bloom");
    let wishes = anna.get("/api/me/wishlist").await.ok();
    assert_eq!(wishes["items"].as_array().unwrap().len(), 1);

    let again = csv(&anna, "/api/me/import/mfc", EXPORT).await.ok();
    assert_eq!(again["counts"]["unchanged"], 3, "{again}");
    assert_eq!(anna.get("/api/me/owned?state=owned").await.ok()["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_form_carries_the_export_too() {
    let app = TestApp::new().await;
    let anna = app.register("anna").await;
    let form = multipart::Form::new().text("file", EXPORT);
    let done = anna.send(Method::POST, "/api/me/import/mfc", |r| r.multipart(form)).await.ok();
    assert_eq!(done["items"].as_array().unwrap().len(), 3);
    // As large as a body may be, and not only as forms usually may.
    let long = format!("{EXPORT}{}", "\r\n".repeat(1_500_000));
    let form = multipart::Form::new().text("file", long);
    let done = anna.send(Method::POST, "/api/me/import/mfc", |r| r.multipart(form)).await.ok();
    assert_eq!(done["items"].as_array().unwrap().len(), 3);
    let empty = multipart::Form::new().text("other", "x");
    anna.send(Method::POST, "/api/me/import/mfc", |r| r.multipart(empty)).await.refused_field(
        422,
        "missing_field",
        "file",
    );
}

#[tokio::test]
async fn what_is_no_export_is_refused_whole() {
    let app = TestApp::new().await;
    let anna = app.register("anna").await;
    for text in ["", "just a sentence", "{\"a\":1}", "a,b\n1,2\n", "\0\0\0\0"] {
        csv(&anna, "/api/me/import/mfc", text).await.refused_field(422, "not_an_export", "file");
    }
    csv(&anna, "/api/me/import/mfc?currency=BTC", EXPORT).await.refused_field(
        422,
        "unknown_currency",
        "currency",
    );
    csv(&app.visitor(), "/api/me/import/mfc", EXPORT).await.refused(401, "not_signed_in");
}
