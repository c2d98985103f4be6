//! Documents of one's own pieces: receipts, certificates and the like, stored exactly as they came.

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::from_fn_with_state,
    response::Response,
};
use chrono::{DateTime, Utc};
use domain::{
    collection::PictureCommand,
    commands::{AddDocument, ChangePictures, Many},
    ids::{DocumentId, PieceId, UserId},
    picture::{DocumentType, MOST_DOCUMENT_BYTES, MOST_DOCUMENTS, StoredDocument},
    refusal::Code,
    text::Line,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use projections::{
    collection,
    pictures::{self, Document},
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    owned::{Deleted, PIECE_NOT_FOUND},
    photos::again,
};
use crate::{
    answer::Written,
    extract::{CurrentUser, Idempotency, IdempotencyKey, Path},
    guard::fresh,
    perform::{Caller, gone_since},
    problem::{self, Kind, Problem},
    problems,
    served::{self, Privacy},
    state::AppState,
    uploads::{self, Files, Taken},
};

/// The read models that documents are answered from.
const READS: &[&str] = &["pictures", "collection"];
/// The field of a form that documents stand in.
const FIELD: &str = "file";
/// How many documents one request brings at most.
const MOST_AT_ONCE: usize = 10;
/// Most characters of a name.
const LONGEST_NAME: usize = 120;
/// What stands in a header as it is: letters and digits, and what no system reads anything into.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_');

/// There is no such document.
const DOCUMENT_NOT_FOUND: Kind = Kind::refusal(Code::DocumentNotFound, "there is no such document");
/// A file of another kind.
const NOT_A_DOCUMENT: Kind = Kind::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "not_a_document",
    "the file is neither a PDF nor a JPEG, PNG or WebP picture",
);
const TOO_MANY: Kind =
    Kind::refusal(Code::TooMany, "a piece has at most 50 documents; remove one first").on(FIELD);

problems!(
    AddProblems = problem::SIGNED_IN,
    problem::WRITE,
    problem::COMMAND,
    uploads::FILES,
    &[PIECE_NOT_FOUND, NOT_A_DOCUMENT, TOO_MANY,]
);
problems!(ListProblems = problem::SIGNED_IN, &[PIECE_NOT_FOUND]);
problems!(
    ServeProblems = problem::SIGNED_IN,
    &[DOCUMENT_NOT_FOUND, served::RANGE_NOT_SATISFIABLE, uploads::STORAGE_UNAVAILABLE,]
);
problems!(RemoveProblems = problem::SIGNED_IN, problem::WRITE, problem::COMMAND, &[DOCUMENT_NOT_FOUND]);

/// The routes of this resource.
pub fn routes(state: &AppState) -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(serve, remove))
        .layer(from_fn_with_state(fresh::reads(state, READS), fresh::wait))
}

/// Documents in a form.
#[derive(ToSchema)]
#[allow(dead_code, reason = "tells the OpenAPI document what a form holds")]
pub struct DocumentUpload {
    /// PDF, JPEG, PNG or WebP, at most 10 MB each.
    #[schema(value_type = Vec<String>, format = Binary, content_media_type = "application/octet-stream")]
    file: Vec<Vec<u8>>,
}

/// A document.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Document, example = json!({
    "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b61",
    "owned_item_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b10",
    "name": "receipt 2026-10.pdf",
    "media_type": "application/pdf",
    "bytes": 48213,
    "url": "/api/documents/0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b61",
    "created_at": "2026-10-17T09:30:00Z"
}))]
pub struct DocumentView {
    id: Uuid,
    owned_item_id: Uuid,
    /// What the file was called, without anything that a system could trip over.
    name: String,
    /// `application/pdf`, `image/jpeg`, `image/png` or `image/webp`, told by its bytes.
    media_type: &'static str,
    bytes: i32,
    /// Where it is.
    url: String,
    created_at: DateTime<Utc>,
}

impl From<Document> for DocumentView {
    fn from(document: Document) -> Self {
        Self {
            id: document.id,
            owned_item_id: document.piece_id,
            name: document.name,
            media_type: document.media_type.as_str(),
            bytes: document.bytes,
            url: format!("/api/documents/{}", document.id),
            created_at: document.created_at,
        }
    }
}

/// Documents, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Documents {
    items: Vec<DocumentView>,
}

/// What a document is, told by its bytes.
fn type_of(content: &[u8]) -> Option<DocumentType> {
    match content {
        [b'%', b'P', b'D', b'F', b'-', ..] => Some(DocumentType::Pdf),
        [0xff, 0xd8, 0xff, ..] => Some(DocumentType::Jpeg),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(DocumentType::Png),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(DocumentType::WebP),
        _ => None,
    }
}

/// What a file is called from here on: no folder before it, nothing unprintable or with a meaning to some system in
/// it, and the ending of what it is behind it.
fn safe_name(given: Option<&str>, kind: DocumentType) -> String {
    let last = given.unwrap_or_default().rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last
        .chars()
        .filter(|c| !c.is_control() && !is_invisible(*c))
        .map(|c| if "\"*:<>?|".contains(c) { '_' } else { c })
        .take(LONGEST_NAME)
        .collect();
    let clean = clean.trim().trim_matches('.').trim();
    let ending = kind.ending();
    let stem_and_ending = clean.rsplit_once('.');
    let fits = stem_and_ending.is_some_and(|(_, said)| {
        said.eq_ignore_ascii_case(ending) || (ending == "jpg" && said.eq_ignore_ascii_case("jpeg"))
    });
    match (clean.is_empty(), fits) {
        (true, _) => format!("document.{ending}"),
        (false, true) => clean.to_owned(),
        (false, false) => format!("{clean}.{ending}"),
    }
}

/// Marks that turn text round or hide it, so that `exe.pdf` could read as something else.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// `Content-Disposition` with a name that any client can read.
fn attachment(name: &str) -> HeaderValue {
    let ascii: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || " .-_()".contains(c) { c } else { '_' })
        .collect();
    let encoded = utf8_percent_encode(name, PLAIN);
    HeaderValue::try_from(format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{encoded}"))
        .unwrap_or_else(|_never| HeaderValue::from_static("attachment"))
}

async fn check_piece(state: &AppState, user: UserId, id: Uuid) -> Result<(), Problem> {
    collection::piece(&state.pool, user, PieceId(id)).await?.map(drop).ok_or_else(|| PIECE_NOT_FOUND.into())
}

/// How many documents are taken in for a piece; refused before any is looked at where that is none.
async fn room(state: &AppState, user: UserId, id: Uuid, may_be_repeated: bool) -> Result<usize, Problem> {
    check_piece(state, user, id).await?;
    // A repeated request is answered as the first was, although there may be no room any more.
    if may_be_repeated {
        return Ok(MOST_AT_ONCE);
    }
    let kept = pictures::documents(&state.pool, user, PieceId(id)).await?.len();
    match MOST_DOCUMENTS.saturating_sub(kept) {
        0 => Err(TOO_MANY.into()),
        room => Ok(room),
    }
}

/// A document of one's own.
async fn document(state: &AppState, user: UserId, id: Uuid) -> Result<Document, Problem> {
    let found = pictures::document(&state.pool, user, DocumentId(id)).await?;
    found.ok_or_else(|| DOCUMENT_NOT_FOUND.into())
}

fn place_of(piece: PieceId) -> String {
    format!("/api/me/owned/{piece}/documents")
}

/// The documents of a piece.
///
/// For whoever is signed in; other people's pieces are not found. The oldest first.
#[utoipa::path(
    get,
    path = "/api/me/owned/{id}/documents",
    tag = "pictures",
    operation_id = "list_documents",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The piece")),
    responses((status = 200, description = "The documents", body = Documents), ListProblems)
)]
async fn list(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(id): Path<Uuid>,
) -> Result<Json<Documents>, Problem> {
    check_piece(&state, user.id, id).await?;
    let found = pictures::documents(&state.pool, user.id, PieceId(id)).await?;
    Ok(Json(Documents { items: found.into_iter().map(DocumentView::from).collect() }))
}

/// Keeps documents with a piece.
///
/// For whoever is signed in; other people's pieces are not found, and nobody else ever sees a document. PDF, JPEG, PNG
/// or WebP by their bytes, at most 10 MB each, stored as they are. One that is refused refuses all. A piece has at most
/// 50. Honours `Idempotency-Key`.
#[utoipa::path(
    post,
    path = "/api/me/owned/{id}/documents",
    tag = "pictures",
    operation_id = "add_documents",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The piece")),
    request_body(content = DocumentUpload, content_type = "multipart/form-data"),
    responses((status = 201, description = "The new documents, in the order of the form", body = Documents), AddProblems)
)]
async fn add(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    IdempotencyKey(key): IdempotencyKey,
    request: Request,
) -> Result<Written<Documents>, Problem> {
    let (user_id, piece_id) = (caller.user.id, PieceId(id));
    let room = match room(&state, user_id, id, key.is_some()).await {
        Ok(room) => room,
        Err(problem) => {
            let recognise = async |request, key| {
                let kept = keep(&state, request, MOST_AT_ONCE).await?;
                Ok(recognised(key, &kept))
            };
            return Err(again::gone_upload::<Many<AddDocument>>(
                &state, &caller, key, request, problem, recognise,
            )
            .await);
        }
    };
    let kept = keep(&state, request, room).await?;
    let idempotency = recognised(key, &kept);
    let add = |document| AddDocument { user_id, piece_id, document };
    let command = Many(kept.into_iter().map(add).collect());
    let done = state.perform(&caller, idempotency, &command).await?;
    state.readable(done.position, READS, &place_of(piece_id)).await?;
    let mut all = pictures::documents(&state.pool, user_id, piece_id).await?;
    all.retain(|document| done.answer.contains(&DocumentId(document.id)));
    // Those that are left are told; none is left only where all were removed since.
    if all.is_empty() {
        return Err(gone_since(DOCUMENT_NOT_FOUND.into(), done.position));
    }
    let items = all.into_iter().map(DocumentView::from).collect();
    Ok(Written::created(Documents { items }, place_of(piece_id)).at(done.position))
}

/// Stores the documents of a form.
async fn keep(state: &AppState, request: Request, room: usize) -> Result<Vec<StoredDocument>, Problem> {
    let taken = Taken { field: FIELD, most: MOST_AT_ONCE, most_bytes: MOST_DOCUMENT_BYTES, full: None };
    let mut files = Files::begin(state, request, taken.room_for(room, TOO_MANY)).await?;
    let mut kept = Vec::new();
    while let Some(file) = files.next().await? {
        let Some(media_type) = type_of(&file.content) else {
            let place = format!("{FIELD}[{}]", kept.len());
            return Err(files.refuse(Problem::from(NOT_A_DOCUMENT).field(place)).await);
        };
        let name = Line::new(&safe_name(file.name.as_deref(), media_type)).map_err(Problem::internal)?;
        let bytes = u32::try_from(file.content.len()).map_err(Problem::internal)?;
        let blob = state.blobs.put(file.content, media_type.as_str()).await?;
        kept.push(StoredDocument { blob, media_type, bytes, name });
    }
    Ok(kept)
}

/// What makes documents recognisable when they come again: their key, with what they are and are called.
fn recognised(key: Option<Idempotency>, kept: &[StoredDocument]) -> Option<Idempotency> {
    let mut hash = Sha256::new();
    for document in kept {
        hash.update(document.blob.digest());
        hash.update(document.name.as_str());
        hash.update(b"\n");
    }
    key.map(|key| key.with_body(&hash.finalize()))
}

/// A document.
///
/// For whoever is signed in; other people's documents are not found. As it came, to be saved and not shown:
/// `Content-Disposition` is `attachment`. `Range` and `If-None-Match` are understood.
#[utoipa::path(
    get,
    path = "/api/documents/{id}",
    tag = "pictures",
    operation_id = "read_document",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The document")),
    responses(
        (status = 200, description = "The document", content_type = "application/octet-stream", body = Vec<u8>),
        (status = 206, description = "A part of it", content_type = "application/octet-stream", body = Vec<u8>),
        (status = 304, description = "The caller has it"),
        ServeProblems
    )
)]
async fn serve(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let document = document(&state, user.id, id).await?;
    let media_type = document.media_type.as_str();
    let mut response = served::blob(&state, &headers, &document.blob, media_type, Privacy::Private).await?;
    response.headers_mut().insert(header::CONTENT_DISPOSITION, attachment(&document.name));
    Ok(response)
}

/// Removes a document.
///
/// For whoever is signed in; other people's documents are not found. Honours `Idempotency-Key`.
#[utoipa::path(
    delete,
    path = "/api/documents/{id}",
    tag = "pictures",
    operation_id = "remove_document",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The document")),
    responses((status = 200, description = "It is gone", body = Deleted), RemoveProblems)
)]
async fn remove(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    IdempotencyKey(idempotency): IdempotencyKey,
) -> Result<Written<Deleted>, Problem> {
    let Some(found) = pictures::document(&state.pool, caller.user.id, DocumentId(id)).await? else {
        let before = state.performed_before::<ChangePictures>(&caller, idempotency).await?;
        let position = before.ok_or(DOCUMENT_NOT_FOUND)?.position;
        return Ok(Written::done(Deleted { id, deleted: true }).at(position));
    };
    let piece_id = PieceId(found.piece_id);
    let change = PictureCommand::RemoveDocument(DocumentId(id));
    let command = ChangePictures { user_id: caller.user.id, piece_id, change, shows_nsfw: true };
    let done = state.perform(&caller, idempotency, &command).await?;
    state.readable(done.position, READS, &place_of(piece_id)).await?;
    Ok(Written::done(Deleted { id, deleted: true }).at(done.position))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_what_is_harmless_and_ends_as_the_file_is() {
        for (given, kind, name) in [
            (Some("receipt.pdf"), DocumentType::Pdf, "receipt.pdf"),
            (Some("領収書 3月.PDF"), DocumentType::Pdf, "領収書 3月.PDF"),
            (Some("photo.jpeg"), DocumentType::Jpeg, "photo.jpeg"),
            (Some("invoice.exe"), DocumentType::Pdf, "invoice.exe.pdf"),
            (Some("../../etc/passwd"), DocumentType::Png, "passwd.png"),
            (Some("C:\\Users\\me\\a.webp"), DocumentType::WebP, "a.webp"),
            (Some("fdp.\u{202e}exe"), DocumentType::Pdf, "fdp.exe.pdf"),
            (Some("a\"; x=\"b\r\nc.pdf"), DocumentType::Pdf, "a_; x=_bc.pdf"),
            (Some(" . "), DocumentType::Pdf, "document.pdf"),
            (None, DocumentType::Jpeg, "document.jpg"),
        ] {
            assert_eq!(safe_name(given, kind), name);
        }
        assert!(safe_name(Some(&"é".repeat(5_000)), DocumentType::Pdf).chars().count() <= 124);
    }

    #[test]
    fn a_header_holds_a_plain_name_and_the_whole_one() {
        assert_eq!(
            attachment("領収書 (3).pdf"),
            "attachment; filename=\"___ (3).pdf\"; filename*=UTF-8''%E9%A0%98%E5%8F%8E%E6%9B%B8%20%283%29.pdf"
        );
        assert_eq!(
            attachment("a\";x.pdf"),
            "attachment; filename=\"a__x.pdf\"; filename*=UTF-8''a%22%3Bx.pdf"
        );
    }
}
