//! `/api/figures/import`: figures from pages of stores and from pasted pages, shown before they are saved.

mod views;

use axum::{
    extract::{Request, State},
    http::header,
};
use chrono::Utc;
use domain::{
    claim::Holder,
    commands::{AddFigurePhotos, ImportProduct},
    figure::FigureType,
    ids::FigureId,
    refusal::Code,
    stream::{Position, StreamId},
    text::HttpUrl,
    world::State as Stream,
};
use operational::{
    figure_types,
    users::{NsfwVisibility, User},
};
use projections::figures::queries;
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use workers::{
    imports::mfc::names::Difference,
    sources::{self, By, Candidate, Proposal, Unusable, mfc_page},
};

use self::views::{ExistingView, ImageView, ImportView, LeftOut, ProposalView};
use super::{
    entities::eyes,
    external::VersionView,
    figures::{self, JAN_TAKEN, MFC_ID_TAKEN, UNKNOWN_FIGURE_TYPE, known_type, views::Opened},
};
use crate::{
    answer::Written,
    extract::{Command, Idempotency, IdempotencyKey, Query, read_body},
    neighbours::TOO_MANY_LOOKUPS,
    outside,
    perform::Caller,
    problem::{self, BODY_TOO_LARGE, Kind, Problem, UNSUPPORTED_MEDIA_TYPE},
    problems,
    shown::hides_nsfw,
    state::AppState,
    uploads,
};

const PAGE_UNUSABLE: Kind = Kind::new(
    axum::http::StatusCode::UNPROCESSABLE_ENTITY,
    "page_unusable",
    "no figure can be made of this page; add it by hand at POST /api/figures",
);
const UNKNOWN_VERSION: Kind = Kind::new(
    axum::http::StatusCode::UNPROCESSABLE_ENTITY,
    "unknown_version",
    "the page has no such version; a preview lists those it has",
)
.on("version");
/// The catalogue has one that may be the same.
pub(super) const SIMILAR_FIGURE: Kind = Kind::refusal(
    Code::SimilarFigure,
    "the catalogue has a figure that may be this very one: use it, or send as_new if it is another",
);

problems!(
    ImportProblems = problem::SIGNED_IN,
    problem::BODY,
    problem::COMMAND,
    outside::PROBLEMS,
    &[UNKNOWN_FIGURE_TYPE, PAGE_UNUSABLE, UNKNOWN_VERSION, SIMILAR_FIGURE, JAN_TAKEN, MFC_ID_TAKEN],
);
problems!(
    PageProblems = problem::SIGNED_IN,
    problem::WRITE,
    problem::LISTING,
    problem::COMMAND,
    &[
        BODY_TOO_LARGE,
        UNSUPPORTED_MEDIA_TYPE,
        UNKNOWN_FIGURE_TYPE,
        PAGE_UNUSABLE,
        SIMILAR_FIGURE,
        JAN_TAKEN,
        MFC_ID_TAKEN,
        TOO_MANY_LOOKUPS,
    ],
);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(import)).routes(routes!(import_mfc_page))
}

/// A page to import.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"url": "https://harbour.example/item/4711", "preview": true}))]
pub struct ImportFigure {
    /// The page: on a host of a store that `GET /api/external/stores` lists.
    #[schema(value_type = String, format = "uri", max_length = 2000)]
    url: HttpUrl,
    /// The label of the version that is meant. Without it: the one that the title names, else the page itself where it has
    /// a price of its own, else the first version that has one.
    #[schema(max_length = 200)]
    version: Option<String>,
    /// A code of `GET /api/figure-types`; guessed from title and scale without.
    figure_type: Option<String>,
    /// Show what would be saved, and save nothing.
    #[serde(default)]
    #[schema(required = false)]
    preview: bool,
    /// Save it although the catalogue has one that may be the same.
    #[serde(default)]
    #[schema(required = false)]
    as_new: bool,
    /// True to see an NSFW figure in spite of hiding them.
    #[serde(default)]
    #[schema(required = false)]
    confirm_nsfw: bool,
}

/// How to import a pasted page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ImportPage {
    /// A code of `GET /api/figure-types`; guessed without.
    figure_type: Option<String>,
    /// Show what would be saved, and save nothing.
    #[serde(default)]
    #[param(required = false, default = false)]
    preview: bool,
    /// Save it although the catalogue has one that may be the same.
    #[serde(default)]
    #[param(required = false, default = false)]
    as_new: bool,
    /// True to see an NSFW figure in spite of hiding them.
    #[serde(default)]
    #[param(required = false, default = false)]
    confirm_nsfw: bool,
}

/// What whoever imports wants.
#[derive(Clone, Copy)]
struct Wanted {
    preview: bool,
    as_new: bool,
    confirm_nsfw: bool,
}

impl From<Unusable> for Problem {
    fn from(error: Unusable) -> Self {
        let detail = error.to_string();
        match error {
            Unusable::NoTitle => Self::from(PAGE_UNUSABLE).detail(detail),
            Unusable::NoSuchVersion { offered, .. } => {
                Self::from(UNKNOWN_VERSION).detail(detail).extra("versions", offered)
            }
        }
    }
}

/// Imports a figure from a page of a store.
///
/// For whoever is signed in. `preview` shows what would be saved. Saved, whoever imports is its creator and may correct
/// it. The same page and version again is the same figure: 200 with `existed`. One that the catalogue may have already,
/// by its barcode or a title that is nine tenths the same, is not doubled: 409 with `existing`, unless `as_new` says that
/// it is another. The store's price becomes the list price and the first market price. Honours `Idempotency-Key`.
#[utoipa::path(
    post,
    path = "/api/figures/import",
    tag = "catalogue",
    operation_id = "import_figure",
    security(("session" = [])),
    request_body = ImportFigure,
    responses(
        (status = 201, description = "The figure, which is new", body = ImportView),
        (status = 200, description = "The preview, or the figure that an earlier import had brought", body = ImportView),
        ImportProblems
    )
)]
async fn import(
    State(state): State<AppState>,
    caller: Caller,
    Command { body, idempotency }: Command<ImportFigure>,
) -> Result<Written<ImportView>, Problem> {
    let (figure_type, types) = typed(&state, body.figure_type.as_deref()).await?;
    state.outside.lookups.take(&caller.user.id)?;
    let sources = &state.outside.sources;
    let page = sources.page(&body.url, Utc::now()).await?;
    let rates = state.fx.today();
    let version = body.version.as_deref();
    let name = sources.name()?;
    let proposal = sources::of_page(&page, name, version, figure_type, &types, rates.as_ref())?;
    let how = Wanted { preview: body.preview, as_new: body.as_new, confirm_nsfw: body.confirm_nsfw };
    brought(&state, &caller, idempotency, proposal, how).await
}

/// Imports a figure from a pasted page of MyFigureCollection.
///
/// For whoever is signed in. The body is the HTML of an item's page, at most 2 MiB, as `text/html`. It is read here; the
/// site is never asked. Shown and saved as `POST /api/figures/import` does; an item whose id the catalogue has is the
/// figure that has it. It counts as a question to the stores; 503 `busy` when too many pages are read at once.
#[utoipa::path(
    post,
    path = "/api/figures/import/mfc-page",
    tag = "catalogue",
    operation_id = "import_mfc_page",
    security(("session" = [])),
    params(ImportPage),
    request_body(content = String, content_type = "text/html", description = "The page"),
    responses(
        (status = 201, description = "The figure, which is new", body = ImportView),
        (status = 200, description = "The preview, or the figure that was there", body = ImportView),
        PageProblems
    )
)]
async fn import_mfc_page(
    State(state): State<AppState>,
    caller: Caller,
    Query(how): Query<ImportPage>,
    IdempotencyKey(key): IdempotencyKey,
    request: Request,
) -> Result<Written<ImportView>, Problem> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !matches!(kind.as_str(), "text/html" | "text/plain" | "application/xhtml+xml") {
        return Err(Problem::from(UNSUPPORTED_MEDIA_TYPE)
            .detail("send the page's HTML, with Content-Type: text/html"));
    }
    if let Err(too_often) = state.outside.lookups.take(&caller.user.id) {
        return Err(uploads::turned_away(request, too_often).await);
    }
    let (figure_type, types) = typed(&state, how.figure_type.as_deref()).await?;
    let bytes = read_body(request, mfc_page::LIMIT).await?;
    let idempotency = key.map(|key| key.with_body(&bytes));
    let rates = state.fx.today();
    let read = move || {
        let text = String::from_utf8_lossy(&bytes);
        mfc_page::of_html(&text, figure_type, &types, rates.as_ref())
    };
    // A page may keep a processor busy for seconds; two at a time leave room for others.
    let permit = state.outside.reading_page().await?;
    let proposal = tokio::task::spawn_blocking(read).await.map_err(Problem::internal)?;
    drop(permit);
    let proposal = proposal.map_err(|error| Problem::from(PAGE_UNUSABLE).detail(error.to_string()))?;
    let how = Wanted { preview: how.preview, as_new: how.as_new, confirm_nsfw: how.confirm_nsfw };
    brought(&state, &caller, idempotency, proposal, how).await
}

/// The type that was asked for, and the codes of all there are.
async fn typed(state: &AppState, code: Option<&str>) -> Result<(Option<FigureType>, Vec<String>), Problem> {
    let wanted = match code {
        Some(code) => Some(known_type(state, code, None).await?),
        None => None,
    };
    Ok((wanted, type_codes(state).await?))
}

/// The codes of the list of figure types.
pub(super) async fn type_codes(state: &AppState) -> Result<Vec<String>, Problem> {
    Ok(figure_types::list(&state.pool).await?.into_iter().map(|one| one.code.to_string()).collect())
}

/// The figure that an earlier import of the same thing brought.
pub(super) async fn imported_before(
    state: &AppState,
    product: &ImportProduct,
) -> Result<Option<FigureId>, Problem> {
    for (code, _) in product.codes() {
        if let (Stream::Claim(claim), _) = state.store.state_at(&StreamId::Claim(code), None).await?
            && let Some(Holder::Figure(id)) = claim.holder
        {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// Those of the candidates that stand in the way of a new figure.
pub(super) fn in_the_way(candidates: &[Candidate]) -> Option<&Candidate> {
    candidates.iter().find(|one| one.by == By::Title && one.difference != Difference::Edition)
}

async fn existing(
    state: &AppState,
    viewer: &User,
    candidates: &[Candidate],
    confirmed: bool,
) -> Result<Vec<ExistingView>, Problem> {
    let mut shown = Vec::with_capacity(candidates.len());
    for one in candidates {
        let found = queries::find(&state.pool, &one.figure_id.to_string(), eyes(viewer)).await?;
        let Some(figure) = found else { continue };
        shown.push(ExistingView {
            figure: Opened::of(figure, viewer, confirmed),
            by: one.by.as_str(),
            percent: one.percent,
            judged: match one.difference {
                Difference::Spelling => "same",
                Difference::Unsure => "unsure",
                Difference::Edition => "another",
            },
        });
    }
    Ok(shown)
}

async fn brought(
    state: &AppState,
    caller: &Caller,
    idempotency: Option<Idempotency>,
    proposal: Proposal,
    how: Wanted,
) -> Result<Written<ImportView>, Problem> {
    let viewer = &caller.user;
    let before = imported_before(state, &proposal.product).await?;
    let alike = match before {
        Some(_) => Vec::new(),
        None => sources::candidates(&state.pool, &proposal.product.figure).await?,
    };
    let gated = proposal.product.figure.is_nsfw && hides_nsfw(viewer) && !how.confirm_nsfw;
    let mut view = ImportView {
        preview: how.preview,
        existed: before.is_some(),
        id: before.map(FigureId::uuid),
        figure: None,
        proposal: (!gated).then(|| ProposalView::of(&proposal, viewer)),
        nsfw_gate: gated,
        version: proposal.version.as_ref().map(|label| label.as_str().to_owned()),
        versions: proposal
            .versions
            .iter()
            .map(|version| VersionView::of(version.label.as_str(), version.price.clone()))
            .collect(),
        existing: existing(state, viewer, &alike, how.confirm_nsfw).await?,
        left_out: proposal
            .remarks
            .iter()
            .map(|remark| LeftOut { field: remark.field, code: remark.code, detail: remark.detail.clone() })
            .collect(),
        image: None,
    };
    if how.preview {
        if let Some(id) = before {
            view.figure = opened(state, viewer, id, how.confirm_nsfw).await?;
        }
        return Ok(Written::done(view));
    }
    let resembles = if how.as_new { None } else { in_the_way(&alike).map(|one| one.figure_id) };
    let command = ImportProduct { resembles, ..proposal.product };
    let image = command.figure.details.official_image_url.clone();
    // A blank is in no key that a request can have.
    let photo = idempotency.clone().map(|said| Idempotency { key: format!("{} photo", said.key), ..said });
    let done = state.perform(caller, idempotency, &command).await.map_err(|problem| {
        let offers = matches!(problem.code(), "similar_figure" | "jan_taken" | "mfc_id_taken");
        let existing = serde_json::to_value(&view.existing).unwrap_or(Value::Null);
        if offers { problem.extra("existing", existing) } else { problem }
    })?;
    let (id, mut position) = (done.answer.figure_id, done.position);
    if let (false, Some(image)) = (done.answer.existed, image) {
        let took = with_photo(state, caller, photo, id, &image).await;
        view.image = Some(match took {
            Ok(at) => {
                position = position.max(at);
                ImageView { taken: true, detail: None }
            }
            Err(detail) => ImageView { taken: false, detail: Some(detail) },
        });
    }
    let place = format!("/api/figures/{id}");
    state.readable(position, figures::READS, &place).await?;
    view.existed = done.answer.existed;
    view.id = Some(id.uuid());
    // Whoever adds a figure sees what they added.
    let own = how.confirm_nsfw || !done.answer.existed;
    view.figure = opened(state, viewer, id, own).await?;
    let existed = view.existed;
    let written = if existed { Written::done(view) } else { Written::created(view, place) };
    Ok(written.at(position))
}

/// Takes the picture that a page names as the figure's first photo, once however often the request is repeated. The
/// import stands without it.
async fn with_photo(
    state: &AppState,
    caller: &Caller,
    idempotency: Option<Idempotency>,
    figure_id: FigureId,
    address: &HttpUrl,
) -> Result<Position, String> {
    // A large picture is in memory as long as one that is uploaded.
    let _place = state.pictures.admit().ok_or("too many pictures are on their way at once")?;
    let image = state.outside.image(address).await?;
    let picture = state.pictures.take(image.into()).await.map_err(|refused| refused.to_string())?;
    // Whoever is shown pictures blurred uploads none of NSFW figures, and brings none in so.
    let shows_nsfw = caller.user.nsfw_visibility == NsfwVisibility::Show;
    let add = AddFigurePhotos { figure_id, pictures: vec![picture], shows_nsfw };
    let done = state.perform(caller, idempotency, &add).await.map_err(|problem| problem.says().to_owned())?;
    Ok(done.position)
}

async fn opened(
    state: &AppState,
    viewer: &User,
    id: FigureId,
    confirmed: bool,
) -> Result<Option<Opened>, Problem> {
    let figure = queries::find(&state.pool, &id.to_string(), eyes(viewer)).await?;
    Ok(figure.map(|figure| Opened::of(figure, viewer, confirmed)))
}
