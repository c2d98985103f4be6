//! `/api/external`: what stores sell, as the price provider tells it.

use axum::{Json, extract::State};
use chrono::{DateTime, NaiveDate, Utc};
use domain::{
    figure::Original,
    money::{Money, display_amount, rates::RateTable},
    text::HttpUrl,
};
use operational::users::{NsfwVisibility, User};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use workers::{
    provider::{Dropped, Store},
    sources::{Asked, Found, Page, priced},
};

use crate::{
    extract::{CurrentUser, Query},
    outside,
    problem::{self, INVALID_FIELD, MISSING_FIELD, Problem},
    problems,
    shown::hides_nsfw,
    state::AppState,
};

/// Most characters of what is searched for.
const LONGEST_WORDS: usize = 200;
/// Most characters of one text of a page that are shown.
const LONGEST_TEXT: usize = 2_000;

problems!(StoresProblems = problem::SIGNED_IN, outside::PROBLEMS);
problems!(AskProblems = problem::SIGNED_IN, problem::LISTING, outside::PROBLEMS, &[MISSING_FIELD]);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(stores)).routes(routes!(search)).routes(routes!(product))
}

/// What to search for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SearchStores {
    /// Words, or a barcode, for stores that know those; 1 to 200 characters.
    #[param(example = "storm lantern", min_length = 1, max_length = 200)]
    q: String,
    /// The id of one store; without it the first twelve are asked.
    store: Option<String>,
}

/// Which page to read.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReadProduct {
    /// The whole address of the page, on a host of one of the stores.
    #[param(value_type = String, format = "uri", max_length = 2000, example = "https://harbour.example/item/4711")]
    url: HttpUrl,
    /// True to see an NSFW product in spite of hiding them.
    #[serde(default)]
    #[param(required = false, default = false)]
    confirm_nsfw: bool,
}

/// A store that can be asked.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExternalStore, example = json!({
    "id": "harbour", "name": "Harbour Hobby", "url": "https://harbour.example/", "hosts": ["harbour.example"],
    "currency": "EUR"
}))]
pub struct StoreView {
    id: String,
    name: String,
    /// Where its pages begin.
    url: Option<String>,
    /// The hosts of its pages.
    hosts: Vec<String>,
    /// The currency of prices that name none.
    currency: Option<String>,
}

/// The stores that can be asked.
#[derive(Debug, Serialize, ToSchema)]
pub struct StoresView {
    items: Vec<StoreView>,
}

/// A store's price before it was converted.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExternalOriginal)]
pub struct OriginalView {
    /// A decimal string.
    #[schema(example = "1280")]
    amount: String,
    #[schema(example = "HKD")]
    currency: String,
    /// What one unit of it was worth in the currency of the price.
    #[schema(example = "0.128320871093346")]
    rate: String,
    rate_date: NaiveDate,
}

/// What a store asks: a supported currency as it is; another one that the ECB quotes in US dollars, with the original.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExternalPrice)]
pub struct PriceView {
    /// A decimal string; null when the price cannot be used.
    #[schema(example = "164.25")]
    amount: Option<String>,
    #[schema(example = "USD")]
    currency: Option<String>,
    original: Option<OriginalView>,
    /// Why it cannot be used.
    dropped: Option<String>,
}

/// A version of what a page sells.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExternalVersion)]
pub struct VersionView {
    /// Give it as `version` to import this one.
    #[schema(example = "Dusk Ver.")]
    label: String,
    price: Option<PriceView>,
}

/// The store of a page.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExternalStoreRef)]
pub struct StoreRef {
    id: String,
    name: String,
}

/// A page of a store, as the store says it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExternalProduct, example = example_product)]
pub struct ProductView {
    store: StoreRef,
    /// The page. Give it to `POST /api/figures/import`.
    url: String,
    title: Option<String>,
    manufacturer: Option<String>,
    character: Vec<String>,
    series: Vec<String>,
    scale: Option<String>,
    height_mm: Option<String>,
    materials: Option<String>,
    price: Option<PriceView>,
    release_date: Option<String>,
    jan: Option<String>,
    is_nsfw: bool,
    /// Whether its pictures are to be blurred for whoever asks.
    blurred: bool,
    primary_image_url: Option<String>,
    description: Option<String>,
    /// `in_stock`, `preorder`, `out_of_stock`; null when the store does not say.
    status: Option<&'static str>,
    versions: Vec<VersionView>,
    /// When the page was read.
    fetched_at: DateTime<Utc>,
}

/// All that is told of an NSFW product to somebody who hides them.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExternalProductBehindGate, example = json!({"url": "https://harbour.example/item/1", "is_nsfw": true, "nsfw_gate": true}))]
pub struct ProductGate {
    url: String,
    is_nsfw: bool,
    /// Always true.
    nsfw_gate: bool,
}

/// A product that was opened.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = ExternalProductOpened)]
pub enum ProductOpened {
    /// All of it.
    Whole(Box<ProductView>),
    /// NSFW, and whoever asks hides such figures.
    Gate(ProductGate),
}

/// How the search of a store went.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExternalStoreAsked)]
pub struct AskedView {
    id: String,
    name: String,
    /// Whether it answered.
    ok: bool,
    /// Why it did not.
    detail: Option<String>,
}

/// What stores have under some words.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExternalFound)]
pub struct FoundProducts {
    /// Store by store, at most fifty of each. NSFW ones are left out for those who hide them.
    items: Vec<ProductView>,
    /// Every store that was asked.
    stores: Vec<AskedView>,
}

fn example_product() -> Value {
    json!({
        "store": {"id": "harbour", "name": "Harbour Hobby"},
        "url": "https://harbour.example/item/4711",
        "title": "Maris: Storm Lantern",
        "manufacturer": "Tidewater Figures",
        "character": ["Maris"],
        "series": ["The Lighthouse Choir"],
        "scale": "1/7",
        "height_mm": "240",
        "materials": "PVC, ABS",
        "price": {
            "amount": "164.25", "currency": "USD", "dropped": null,
            "original": {"amount": "1280", "currency": "HKD", "rate": "0.128320871093346", "rate_date": "2026-10-30"}
        },
        "release_date": "2027-05",
        "jan": null,
        "is_nsfw": false,
        "blurred": false,
        "primary_image_url": "https://harbour.example/img/4711.jpg",
        "description": null,
        "status": "preorder",
        "versions": [],
        "fetched_at": "2026-11-02T04:00:00Z"
    })
}

impl From<Store> for StoreView {
    fn from(store: Store) -> Self {
        let Store { id, name, url, hosts, currency } = store;
        Self { id, name, url, hosts, currency }
    }
}

impl OriginalView {
    /// What a store asked.
    pub(super) fn of(original: &Original) -> Self {
        Self {
            amount: original.amount.to_string(),
            currency: original.currency.to_string(),
            rate: original.rate.to_string(),
            rate_date: original.rate_date,
        }
    }
}

impl VersionView {
    /// A version under its label.
    pub(super) fn of(label: &str, price: Result<(Money, Option<Original>), Option<Dropped>>) -> Self {
        Self { label: label.to_owned(), price: PriceView::of(price) }
    }
}

impl PriceView {
    fn of(price: Result<(Money, Option<Original>), Option<Dropped>>) -> Option<Self> {
        match price {
            Ok((money, original)) => Some(Self {
                amount: Some(display_amount(money.amount().decimal(), money.currency())),
                currency: Some(money.currency().code().to_owned()),
                original: original.as_ref().map(OriginalView::of),
                dropped: None,
            }),
            Err(Some(dropped)) => Some(Self {
                amount: None,
                currency: None,
                original: None,
                dropped: Some(dropped.to_string()),
            }),
            Err(None) => None,
        }
    }
}

fn cut(text: Option<String>) -> Option<String> {
    text.map(|text| text.chars().take(LONGEST_TEXT).collect())
}

impl ProductView {
    fn of(page: Page, viewer: &User, rates: Option<&RateTable>) -> Self {
        let Page { store, url, product, fetched_at } = page;
        let price_of = |price: Option<&serde_json::value::RawValue>| match price {
            Some(price) if price.get() != "null" => {
                priced(price, store.currency.as_deref(), rates).map_err(Some)
            }
            _ => Err(None),
        };
        let versions = product.versions.iter().flatten().filter_map(|version| {
            let label = cut(version.label.clone())?;
            Some(VersionView::of(&label, price_of(version.price.as_deref())))
        });
        let status = product.stock().map(domain::figure::Stock::as_str);
        // Nothing that a browser would run.
        let image = product.primary_image_url.as_deref().and_then(|image| HttpUrl::new(image).ok());
        Self {
            price: PriceView::of(price_of(product.price.as_deref())),
            versions: versions.take(50).collect(),
            url: url.into(),
            title: cut(product.title),
            manufacturer: cut(product.manufacturer),
            character: product.character.into_iter().take(50).filter_map(|one| cut(Some(one))).collect(),
            series: product.series.into_iter().take(50).filter_map(|one| cut(Some(one))).collect(),
            scale: cut(product.scale),
            height_mm: cut(product.height_mm),
            materials: cut(product.materials),
            release_date: cut(product.release_date),
            jan: cut(product.jan),
            is_nsfw: product.is_nsfw,
            blurred: product.is_nsfw && viewer.nsfw_visibility != NsfwVisibility::Show,
            primary_image_url: image.map(|image| image.as_str().to_owned()),
            description: cut(product.description),
            status,
            fetched_at,
            store: StoreRef { id: store.id, name: store.name },
        }
    }

    /// The barcode, if the store names it.
    pub(super) fn jan(&self) -> Option<&str> {
        self.jan.as_deref()
    }
}

impl FoundProducts {
    /// What a viewer sees of it.
    pub(super) fn of(found: Found, viewer: &User, rates: Option<&RateTable>) -> Self {
        let asked = |Asked { store, failed }| AskedView {
            id: store.id,
            name: store.name,
            ok: failed.is_none(),
            detail: failed.map(|failed| failed.to_string()),
        };
        let hides = hides_nsfw(viewer);
        let pages = found.pages.into_iter().filter(|page| !hides || !page.product.is_nsfw);
        Self {
            items: pages.map(|page| ProductView::of(page, viewer, rates)).collect(),
            stores: found.stores.into_iter().map(asked).collect(),
        }
    }

    /// The same without what is not meant.
    pub(super) fn only(mut self, meant: impl Fn(&ProductView) -> bool) -> Self {
        self.items.retain(meant);
        self
    }
}

/// What is searched for, if it can be.
pub(super) fn words<'q>(q: &'q str, field: &'static str) -> Result<&'q str, Problem> {
    let words = q.trim();
    if words.is_empty() || words.chars().count() > LONGEST_WORDS || words.chars().any(char::is_control) {
        let detail = format!("{field} holds 1 to {LONGEST_WORDS} characters");
        return Err(Problem::from(INVALID_FIELD).detail(detail).field(field));
    }
    Ok(words)
}

/// The stores that can be asked.
///
/// For whoever is signed in. The list of the price provider, at most ten minutes old. Nothing else depends on it: with
/// no provider, or one that is down, figures are added by hand at `POST /api/figures`.
#[utoipa::path(
    get,
    path = "/api/external/stores",
    tag = "catalogue",
    operation_id = "list_external_stores",
    security(("session" = [])),
    responses((status = 200, description = "The stores", body = StoresView), StoresProblems)
)]
async fn stores(
    State(state): State<AppState>,
    CurrentUser(viewer): CurrentUser,
) -> Result<Json<StoresView>, Problem> {
    state.outside.lookups.take(&viewer.id)?;
    let stores = state.outside.sources.stores(Utc::now()).await?;
    Ok(Json(StoresView { items: stores.into_iter().map(StoreView::from).collect() }))
}

/// Searches stores.
///
/// For whoever is signed in. One store, or the first twelve, four at a time and eight seconds each; one that fails is
/// told in `stores` and spoils nothing, unless all do. NSFW products are left out for those who hide them.
#[utoipa::path(
    get,
    path = "/api/external/search",
    tag = "catalogue",
    operation_id = "search_external_stores",
    security(("session" = [])),
    params(SearchStores),
    responses((status = 200, description = "What was found", body = FoundProducts), AskProblems)
)]
async fn search(
    State(state): State<AppState>,
    CurrentUser(viewer): CurrentUser,
    Query(query): Query<SearchStores>,
) -> Result<Json<FoundProducts>, Problem> {
    let words = words(&query.q, "q")?;
    state.outside.lookups.take(&viewer.id)?;
    let found = state.outside.sources.search(words, query.store.as_deref(), Utc::now()).await?;
    Ok(Json(FoundProducts::of(found, &viewer, state.fx.today().as_ref())))
}

/// What a page of a store says.
///
/// For whoever is signed in. Only pages on hosts that `GET /api/external/stores` lists; what one says holds for a day.
/// Somebody who hides NSFW figures gets no more of one than `nsfw_gate` until they ask with `confirm_nsfw=true`.
#[utoipa::path(
    get,
    path = "/api/external/product",
    tag = "catalogue",
    operation_id = "read_external_product",
    security(("session" = [])),
    params(ReadProduct),
    responses((status = 200, description = "The page", body = ProductOpened), AskProblems)
)]
async fn product(
    State(state): State<AppState>,
    CurrentUser(viewer): CurrentUser,
    Query(query): Query<ReadProduct>,
) -> Result<Json<ProductOpened>, Problem> {
    state.outside.lookups.take(&viewer.id)?;
    let page = state.outside.sources.page(&query.url, Utc::now()).await?;
    if page.product.is_nsfw && hides_nsfw(&viewer) && !query.confirm_nsfw {
        let gate = ProductGate { url: page.url.into(), is_nsfw: true, nsfw_gate: true };
        return Ok(Json(ProductOpened::Gate(gate)));
    }
    let rates = state.fx.today();
    Ok(Json(ProductOpened::Whole(Box::new(ProductView::of(page, &viewer, rates.as_ref())))))
}
