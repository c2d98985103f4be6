//! `/api/me/wishlist/import`: wishes from pasted links, or from what a store finds.

use std::{collections::BTreeMap, time::Duration};

use axum::extract::State;
use chrono::Utc;
use domain::{
    commands::{FigureFound, ImportWish, WishImported},
    ids::FigureId,
    text::{HttpUrl, Line},
};
use futures::{StreamExt, stream};
use projections::figures::queries;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;
use workers::{
    imports::mfc::names::Difference,
    sources::{self, By, Candidate, Page, links_in, mfc_id_of},
};

use super::{
    entities::eyes,
    external,
    figure_import::{SIMILAR_FIGURE, imported_before, in_the_way, type_codes},
    figures::TOO_MANY,
    wishlist,
};
use crate::{
    answer::Written,
    extract::Command,
    outside,
    perform::Caller,
    problem::{self, INVALID_FIELD, MISSING_FIELD, Problem},
    problems,
    shown::hides_nsfw,
    state::AppState,
};

/// Most rows of one request.
pub const MOST: usize = 25;
/// How long all pages together are waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many pages are asked for at once.
const AT_ONCE: usize = 4;
/// Most characters of an address.
const LONGEST_ADDRESS: usize = 2_000;
/// Most characters of a pasted text.
const LONGEST_TEXT: usize = 50_000;
/// How long the catalogue may take to show a figure that a row before made.
const SHOWN_WITHIN: Duration = Duration::from_secs(2);

problems!(
    ImportProblems = problem::SIGNED_IN,
    problem::BODY,
    problem::COMMAND,
    outside::PROBLEMS,
    &[TOO_MANY],
);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(import))
}

/// What a store is searched for.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = WishesFromStore)]
pub struct FromStore {
    /// The id of a store, of `GET /api/external/stores`.
    store: String,
    /// Words; 25 results are taken.
    #[schema(min_length = 1, max_length = 200)]
    q: String,
    /// How many results to pass over: `next_skip` of the request before.
    #[serde(default)]
    #[schema(value_type = u16, required = false, minimum = 0, maximum = 1_000, default = 0)]
    skip: u16,
}

/// Wishes to bring in: one of the three.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"urls": ["https://harbour.example/item/4711", "https://myfigurecollection.net/item/287"]}))]
pub struct ImportWishes {
    /// Addresses of pages, at most 25.
    #[schema(max_items = 25)]
    urls: Option<Vec<String>>,
    /// A text with at most 25 addresses in it.
    #[schema(max_length = 50_000)]
    text: Option<String>,
    /// A list of the provider's: what one store has under some words.
    search: Option<FromStore>,
    /// True to bring NSFW figures in, too, in spite of hiding them.
    #[serde(default)]
    #[schema(required = false)]
    confirm_nsfw: bool,
}

/// What became of one row.
#[derive(Debug, Serialize, ToSchema)]
pub struct WishRow {
    /// The address as it was sent, its first 2,000 characters.
    url: String,
    /// What the page calls it; null behind the gate.
    title: Option<String>,
    /// `wished`: it is on the wishlist now, for a figure that an earlier import brought. `linked`: it is, for a figure that
    /// the catalogue had. `created`: it is, and the figure was added to the catalogue. `already_wished`, `owned`,
    /// `preordered`: nothing was done. `not_found`: there is no such page, or figure. `refused`: `code` and `detail` say
    /// why; `nsfw_gate`: it is NSFW, and whoever asks hides such figures.
    #[schema(pattern = "^(wished|linked|created|already_wished|owned|preordered|not_found|refused)$")]
    fate: &'static str,
    /// A word for why not; null otherwise.
    code: Option<String>,
    /// A sentence for it, or what else there is to say.
    detail: Option<String>,
    figure_id: Option<Uuid>,
    /// How the figure was found: `before`, `jan`, `mfc_id`, `name`, `likeness` or `created`.
    found: Option<&'static str>,
    /// Figures that may be meant, where it was refused for that.
    candidates: Vec<Uuid>,
}

/// What became of them all.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WishesImported)]
pub struct WishRows {
    /// How many rows had each fate.
    counts: BTreeMap<&'static str, usize>,
    /// Of a `search`: the `skip` for the next results; null when there are no more.
    next_skip: Option<usize>,
    /// One for each address, in the order in which they were sent.
    items: Vec<WishRow>,
}

impl WishRow {
    fn new(url: &str) -> Self {
        Self {
            url: url.chars().take(LONGEST_ADDRESS).collect(),
            title: None,
            fate: "refused",
            code: None,
            detail: None,
            figure_id: None,
            found: None,
            candidates: Vec::new(),
        }
    }

    fn refused(mut self, problem: &Problem) -> Self {
        self.fate = if problem.code() == "product_not_found" { "not_found" } else { "refused" };
        self.code = Some(problem.code().to_owned());
        self.detail = Some(problem.says().to_owned());
        self
    }

    fn gated(mut self) -> Self {
        self.code = Some("nsfw_gate".to_owned());
        self.detail =
            Some("this is NSFW, and you hide such figures; send it with confirm_nsfw to wish it".to_owned());
        self
    }

    fn is(mut self, imported: WishImported) -> Self {
        self.fate = imported.fate.as_str();
        self.figure_id = Some(imported.figure_id.uuid());
        self.found = Some(imported.found.as_str());
        self
    }
}

/// What an address leads to.
enum Leads {
    ToPage(HttpUrl),
    ToItem(i64),
    Nowhere,
}

fn leads(url: &str) -> Leads {
    let Ok(link) = HttpUrl::new(url) else { return Leads::Nowhere };
    match link.as_str().parse().ok().as_ref().and_then(mfc_id_of) {
        Some(id) => Leads::ToItem(id),
        None => Leads::ToPage(link),
    }
}

/// Brings wishes in.
///
/// For whoever is signed in. From addresses of store pages or MyFigureCollection items, at most 25, as `urls`, inside a
/// `text`, or from what a store finds (`search`). Each row is done wholly or not at all, and its fate is told; sent again,
/// nothing is doubled. A figure that the catalogue has, by its barcode or a title that differs in nothing but spelling, is
/// taken for it; one that may be another is refused with `candidates`. Items of MyFigureCollection are found by their id
/// only: the site is never asked. No target prices are set. For those who hide NSFW figures, results of a `search` that
/// are NSFW are left out and other rows refused as `nsfw_gate`, until `confirm_nsfw`.
#[utoipa::path(
    post,
    path = "/api/me/wishlist/import",
    tag = "wishlist",
    operation_id = "import_wishes",
    security(("session" = [])),
    request_body = ImportWishes,
    responses((status = 200, description = "What became of each row", body = WishRows), ImportProblems)
)]
async fn import(
    State(state): State<AppState>,
    caller: Caller,
    Command { body, .. }: Command<ImportWishes>,
) -> Result<Written<WishRows>, Problem> {
    let gate = hides_nsfw(&caller.user) && !body.confirm_nsfw;
    let (urls, next_skip) = addresses(&state, &caller, body, gate).await?;
    let questions = urls.iter().filter(|url| matches!(leads(url), Leads::ToPage(_))).count();
    state.outside.lookups.take_many(&caller.user.id, questions)?;
    if questions > 0 {
        // Without a provider, or one that is down, the request says so and not each row.
        let _known = state.outside.sources.stores(Utc::now()).await?;
    }
    let until = Instant::now() + PATIENCE;
    let asked: Vec<_> = urls.iter().map(|url| looked_up(state.clone(), leads(url), until)).collect();
    let pages: Vec<Option<Result<Page, Problem>>> = stream::iter(asked).buffered(AT_ONCE).collect().await;
    let types = type_codes(&state).await?;
    let (mut rows, mut last) = (Vec::with_capacity(urls.len()), None);
    for (url, page) in urls.iter().zip(pages) {
        let row = WishRow::new(url);
        let row = match (leads(url), page) {
            (Leads::ToItem(id), _) => item(&state, &caller, row, id, gate, &mut last).await?,
            (_, Some(Ok(page))) if gate && page.product.is_nsfw => row.gated(),
            (_, Some(Ok(page))) => wish(&state, &caller, row, &page, &types, &mut last).await?,
            (_, Some(Err(problem))) => row.refused(&problem),
            (_, None) => {
                let detail = "this is no http or https address of at most 2,000 characters";
                row.refused(&Problem::from(INVALID_FIELD).detail(detail))
            }
        };
        rows.push(row);
    }
    let mut counts = BTreeMap::new();
    for row in &rows {
        *counts.entry(row.fate).or_insert(0) += 1;
    }
    let written = Written::done(WishRows { counts, next_skip, items: rows });
    let Some(position) = last else { return Ok(written) };
    state.readable(position, wishlist::READS, "/api/me/wishlist").await?;
    Ok(written.at(position))
}

/// The addresses that a body names, and where a search goes on.
async fn addresses(
    state: &AppState,
    caller: &Caller,
    body: ImportWishes,
    gate: bool,
) -> Result<(Vec<String>, Option<usize>), Problem> {
    let too_many =
        |field| Problem::from(TOO_MANY).detail(format!("at most {MOST} in one request")).field(field);
    match (body.urls, body.text, body.search) {
        (Some(urls), None, None) if urls.len() > MOST => Err(too_many("urls")),
        (Some(urls), None, None) => Ok((urls.into_iter().map(|url| url.trim().to_owned()).collect(), None)),
        (None, Some(text), None) => {
            if text.chars().count() > LONGEST_TEXT {
                let detail = format!("text has at most {LONGEST_TEXT} characters");
                return Err(Problem::from(INVALID_FIELD).detail(detail).field("text"));
            }
            let links = links_in(&text);
            if links.len() > MOST {
                return Err(too_many("text"));
            }
            Ok((links.into_iter().map(|link| link.as_str().to_owned()).collect(), None))
        }
        (None, None, Some(wanted)) => {
            let words = external::words(&wanted.q, "search.q")?;
            state.outside.lookups.take(&caller.user.id)?;
            let store = Some(wanted.store.as_str());
            let found = state.outside.sources.search(words, store, Utc::now()).await?;
            let shown = found.pages.into_iter().filter(|page| !(gate && page.product.is_nsfw));
            let mut left = shown.map(|page| String::from(page.url)).skip(wanted.skip.into());
            let batch: Vec<String> = left.by_ref().take(MOST).collect();
            let next = left.next().map(|_more| usize::from(wanted.skip).saturating_add(batch.len()));
            Ok((batch, next))
        }
        _ => Err(Problem::from(MISSING_FIELD).detail("send one of urls, text and search").field("urls")),
    }
}

/// The page that an address leads to, if it is one of a store.
async fn looked_up(state: AppState, to: Leads, until: Instant) -> Option<Result<Page, Problem>> {
    let Leads::ToPage(link) = to else { return None };
    Some(match timeout_at(until, state.outside.sources.page(&link, Utc::now())).await {
        Ok(page) => page.map_err(Problem::from),
        Err(_late) => {
            Err(Problem::from(outside::UNREACHABLE)
                .detail("there was no time left for this page; send it again"))
        }
    })
}

/// Wishes what a command finds or adds; a refusal is the row's, trouble of our own the request's.
async fn done(
    state: &AppState,
    caller: &Caller,
    row: WishRow,
    command: &ImportWish,
    last: &mut Option<domain::stream::Position>,
) -> Result<WishRow, Problem> {
    match state.perform(caller, None, command).await {
        Ok(done) => {
            *last = (*last).max(Some(done.position));
            if done.answer.found == FigureFound::Created {
                // The next row may be the same figure in another store.
                let shown = ["figures"];
                let _late = state.projections.wait_for(&shown, done.position, SHOWN_WITHIN).await;
            }
            Ok(row.is(done.answer))
        }
        Err(problem) if problem.status().is_server_error() => Err(problem),
        Err(problem) => Ok(row.refused(&problem)),
    }
}

/// An item of MyFigureCollection, which the catalogue has or not.
async fn item(
    state: &AppState,
    caller: &Caller,
    mut row: WishRow,
    id: i64,
    gate: bool,
    last: &mut Option<domain::stream::Position>,
) -> Result<WishRow, Problem> {
    let found = queries::find_by_mfc_id(&state.pool, id, eyes(&caller.user)).await?;
    let (Some(figure), Ok(source)) = (found, Line::new(&format!("mfc:{id}"))) else {
        row.fate = "not_found";
        row.code = Some("figure_not_found".to_owned());
        let detail = "the catalogue has no figure with this id; send the item's page to POST /api/figures/import/mfc-page";
        row.detail = Some(detail.to_owned());
        return Ok(row);
    };
    let likely = Some((FigureId(figure.card.id), FigureFound::MfcId));
    if gate && figure.card.is_nsfw {
        return Ok(row.gated());
    }
    let command = ImportWish { user_id: caller.user.id, source, product: None, likely };
    done(state, caller, row, &command, last).await
}

/// The one figure that a title is taken for without asking; or all that might be meant.
fn taken_for(candidates: &[Candidate]) -> Result<Option<(FigureId, FigureFound)>, Vec<Uuid>> {
    // Codes are for the command to follow.
    if candidates.iter().any(|one| one.by != By::Title) {
        return Ok(None);
    }
    let same: Vec<&Candidate> =
        candidates.iter().filter(|one| one.difference == Difference::Spelling).collect();
    match same.as_slice() {
        [one] => {
            let how = if one.percent == 100 { FigureFound::Name } else { FigureFound::Likeness };
            Ok(Some((one.figure_id, how)))
        }
        [] if in_the_way(candidates).is_none() => Ok(None),
        _ => {
            let unsure = candidates.iter().filter(|one| one.difference != Difference::Edition);
            Err(unsure.map(|one| one.figure_id.uuid()).collect())
        }
    }
}

async fn wish(
    state: &AppState,
    caller: &Caller,
    mut row: WishRow,
    page: &Page,
    types: &[String],
    last: &mut Option<domain::stream::Position>,
) -> Result<WishRow, Problem> {
    row.title = page.product.title.as_ref().map(|title| title.chars().take(300).collect());
    let rates = state.fx.today();
    let name = state.outside.sources.name()?;
    let proposal = match sources::of_page(page, name, None, None, types, rates.as_ref()) {
        Ok(proposal) => proposal,
        Err(unusable) => return Ok(row.refused(&unusable.into())),
    };
    let mut likely = None;
    if imported_before(state, &proposal.product).await?.is_none() {
        let candidates = sources::candidates(&state.pool, &proposal.product.figure).await?;
        match taken_for(&candidates) {
            Ok(found) => likely = found,
            Err(unsure) => {
                row.candidates = unsure;
                let problem = Problem::from(SIMILAR_FIGURE).detail(
                    "the catalogue has figures that may be meant: wish one of the candidates, or add this one at POST \
                     /api/figures/import with as_new, and send it again",
                );
                return Ok(row.refused(&problem));
            }
        }
    }
    let command = ImportWish {
        user_id: caller.user.id,
        source: proposal.source,
        product: Some(proposal.product),
        likely,
    };
    done(state, caller, row, &command, last).await
}
