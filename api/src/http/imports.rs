//! `/api/me/import`: bringing a collection in from somewhere else.

use std::collections::BTreeMap;

use axum::{
    extract::{DefaultBodyLimit, FromRequest, Multipart, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use domain::{money::Currency, refusal::Code};
use operational::figure_types;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;
use workers::imports::{
    ImportError, Mode,
    mfc::{self, MfcError, RowReport},
};

use super::{owned, preorders, wishlist};
use crate::{
    answer::Written,
    extract::{Query, read_body},
    perform::Caller,
    problem::{self, BODY_TOO_LARGE, Kind, Problem},
    problems,
    server_sent::ServerSentEvent,
    state::AppState,
    underway::{self, Teller},
};

/// Most bytes of an export: some twenty thousand rows.
const EXPORT_LIMIT: usize = 8 * 1024 * 1024;

const NOT_AN_EXPORT: Kind = Kind::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "not_an_export",
    "this is not a CSV as MyFigureCollection's Manager exports it",
)
.on("file");
const FILE_MISSING: Kind = Kind::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "missing_field",
    "send the CSV as the body, or as multipart/form-data in the field file",
)
.on("file");
const UNKNOWN_CURRENCY: Kind =
    Kind::refusal(Code::UnknownCurrency, "the currency must be one of EUR, USD, JPY, GBP, CHF, CAD")
        .on("currency");

problems!(
    ImportProblems = problem::SIGNED_IN,
    problem::WRITE,
    &[BODY_TOO_LARGE, NOT_AN_EXPORT, FILE_MISSING, UNKNOWN_CURRENCY, problem::NOT_READABLE_YET],
);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(import_mfc))
}

/// How to import.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ImportMfc {
    /// Tell what would be done, and do nothing.
    #[serde(default)]
    #[param(value_type = bool, required = false)]
    dry_run: bool,
    /// The currency of paid prices that have none beside them; your display currency if not said.
    #[param(value_type = Option<String>, min_length = 3, max_length = 3)]
    currency: Option<String>,
}

/// What became of one row.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportedRow {
    /// The line of the file on which it begins; the header stands on line 1.
    line: u64,
    /// Its title.
    title: String,
    /// In a word; `counts` lists the words.
    fate: &'static str,
    /// How its figure was found.
    figure: Option<&'static str>,
    /// What else there is to say.
    detail: String,
    /// The figure. In a dry run it may be one that does not exist.
    figure_id: Option<Uuid>,
    /// Its pieces, by copy.
    piece_ids: Vec<Uuid>,
}

/// What became of a file.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = example_import)]
pub struct Imported {
    /// Whether nothing was changed.
    dry_run: bool,
    /// How many rows had each fate; their sum is the number of rows.
    counts: BTreeMap<&'static str, usize>,
    /// The rows, in the order of the file.
    items: Vec<ImportedRow>,
}

fn example_import() -> Value {
    json!({
        "dry_run": false,
        "counts": {"added": 1},
        "items": [{
            "line": 2,
            "title": "Aster Vale 1/7",
            "fate": "added",
            "figure": "jan",
            "detail": "",
            "figure_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b7a",
            "piece_ids": ["5f0c8a53-5b0e-5c29-8d0e-0d0b8f3f9b11"]
        }]
    })
}

impl From<RowReport> for ImportedRow {
    fn from(row: RowReport) -> Self {
        Self {
            line: row.line,
            title: row.title,
            fate: row.fate.as_str(),
            figure: row.figure.map(|found| found.as_str()),
            detail: row.detail,
            figure_id: row.figure_id.map(domain::ids::FigureId::uuid),
            piece_ids: row.piece_ids.into_iter().map(domain::ids::PieceId::uuid).collect(),
        }
    }
}

impl From<MfcError> for Problem {
    fn from(error: MfcError) -> Self {
        match error {
            MfcError::NotAnExport(why) => Self::from(NOT_AN_EXPORT).detail(why.to_string()),
            MfcError::Behind => Self::from(problem::NOT_READABLE_YET).header(header::RETRY_AFTER, 1_i64),
            MfcError::Stopped(ImportError::Execute(error)) => error.into(),
            MfcError::Stopped(ImportError::Store(error)) => error.into(),
            MfcError::Stopped(ImportError::Database(error)) => error.into(),
        }
    }
}

/// The export: the whole body, or the part `file` of a form.
async fn file_of(request: Request) -> Result<Vec<u8>, Problem> {
    let is_form = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("multipart/form-data"));
    if !is_form {
        return Ok(read_body(request, EXPORT_LIMIT).await?.into());
    }
    let (parts, body) = request.into_parts();
    let whole = Request::from_parts(parts.clone(), body);
    let bytes = read_body(whole, EXPORT_LIMIT).await?;
    let unreadable = |_| Problem::from(FILE_MISSING);
    let mut form = Request::from_parts(parts, bytes.into());
    // What is in memory already is not measured again, by a smaller limit.
    DefaultBodyLimit::disable().apply(&mut form);
    let mut form = Multipart::from_request(form, &()).await.map_err(|_| Problem::from(FILE_MISSING))?;
    while let Some(field) = form.next_field().await.map_err(unreadable)? {
        if field.name() == Some("file") {
            return Ok(field.bytes().await.map_err(unreadable)?.into());
        }
    }
    Err(FILE_MISSING.into())
}

/// Imports a MyFigureCollection export.
///
/// For whoever is signed in, into their own collection. The body is the CSV that MyFigureCollection's
/// Manager exports, at most 8 MiB, as it is or as the field `file` of a form. Every row's fate is told;
/// importing the same file again adds nothing twice. With `Accept: text/event-stream` the answer begins at once: events
/// `progress` with `{"done", "total"}` in rows, and at last `finished` with what became of each, or `problem`. Hanging up
/// stops it; importing again goes on from there.
#[utoipa::path(
    post,
    path = "/api/me/import/mfc",
    tag = "me",
    security(("session" = [])),
    params(ImportMfc),
    request_body(content = String, content_type = "text/csv", description = "The export"),
    responses(
        (status = 200, description = "What became of each row", content(
            (Imported = "application/json"),
            (ServerSentEvent = "text/event-stream"),
        )),
        ImportProblems
    )
)]
async fn import_mfc(
    State(state): State<AppState>,
    caller: Caller,
    Query(how): Query<ImportMfc>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    let currency = how
        .currency
        .map(|code| code.parse::<Currency>().map_err(|_unknown| UNKNOWN_CURRENCY))
        .transpose()?
        .or(caller.user.preferred_currency);
    let file = file_of(request).await?;
    Ok(underway::answer(&headers, |teller| brought_in(state, caller, how.dry_run, currency, file, teller))
        .await)
}

async fn brought_in(
    state: AppState,
    caller: Caller,
    dry_run: bool,
    currency: Option<Currency>,
    file: Vec<u8>,
    teller: Teller,
) -> Result<Written<Imported>, Problem> {
    let types: Vec<String> =
        figure_types::list(&state.pool).await?.into_iter().map(|one| one.code.to_string()).collect();
    let asked = mfc::Request {
        user: caller.user.id,
        file: &file,
        unmarked_currency: currency,
        mode: if dry_run { Mode::DryRun } else { Mode::Append },
    };
    let report = mfc::import(&state.store, &state.projections, &types, &asked, &|at| teller.tell(at)).await?;
    let counts = report.fates().into_iter().map(|(fate, count)| (fate.as_str(), count)).collect();
    let written = Written::done(Imported {
        dry_run: report.dry_run,
        counts,
        items: report.rows.into_iter().map(ImportedRow::from).collect(),
    });
    let Some(position) = report.position.filter(|_| !report.dry_run) else { return Ok(written) };
    state.own_writes.note(caller.user.id, position);
    for reads in [owned::READS, preorders::READS, wishlist::READS] {
        state.readable(position, reads, "/api/me/owned").await?;
    }
    Ok(written.at(position))
}
