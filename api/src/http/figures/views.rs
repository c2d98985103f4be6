//! What is shown of figures.

use chrono::{DateTime, NaiveDate, Utc};
use operational::{
    figure_types::FigureType,
    users::{NsfwVisibility, User},
};
use projections::{
    figures::queries::{EntityCount, Facets, Figure, FigureCard},
    pictures::Cover,
    views::Relation,
};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::external::FoundProducts;
use super::super::manga::badge::BadgeView;
use crate::problem::Problem;
use crate::shown::{CoverView, EntityRef, example_figure, hides_nsfw};

/// A figure in a listing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FigureListed, example = example_listed)]
pub struct ListedView {
    id: Uuid,
    slug: String,
    name: String,
    figure_type: String,
    manufacturer: Option<EntityRef>,
    series: Vec<EntityRef>,
    characters: Vec<EntityRef>,
    version_name: Option<String>,
    scale: Option<String>,
    /// First day of the first announced period.
    release_date: Option<NaiveDate>,
    /// `day`, `month` or `year`.
    release_date_precision: Option<String>,
    /// A decimal string.
    msrp_amount: Option<String>,
    msrp_currency: Option<String>,
    official_image_url: Option<String>,
    /// The picture of its card: the photo that stands for it, else the maker's own; null is a placeholder.
    cover: Option<CoverView>,
    is_nsfw: bool,
    /// Whether pictures of it are to be blurred for whoever asks.
    blurred: bool,
    /// What it is to whoever asks: `preordered` (there is a live pre-order) before `owned` before `wished`.
    #[schema(value_type = Option<String>, pattern = "^(preordered|owned|wished)$")]
    viewer: Option<Relation>,
}

impl ListedView {
    pub(in crate::http) fn of(card: FigureCard, viewer: &User) -> Self {
        let cover = Cover::of_figure(card.photo.as_ref(), card.official_image_url.as_deref());
        Self {
            cover: cover.map(Into::into),
            id: card.id,
            slug: card.slug,
            name: card.name,
            figure_type: card.figure_type,
            manufacturer: card.manufacturer.map(Into::into),
            series: all(card.series),
            characters: all(card.characters),
            version_name: card.version_name,
            scale: card.scale,
            release_date: card.release_date,
            release_date_precision: card.release_date_precision,
            msrp_amount: card.msrp_amount,
            msrp_currency: card.msrp_currency,
            official_image_url: card.official_image_url,
            is_nsfw: card.is_nsfw,
            blurred: card.is_nsfw && viewer.nsfw_visibility != NsfwVisibility::Show,
            viewer: card.marker,
        }
    }
}

fn all(entities: Vec<projections::views::EntityRef>) -> Vec<EntityRef> {
    entities.into_iter().map(EntityRef::from).collect()
}

/// One announced release.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Release)]
pub struct ReleaseView {
    /// First day of the announced period.
    #[schema(example = "2027-05-01")]
    release_date: NaiveDate,
    /// `day`, `month` or `year`.
    #[schema(example = "month")]
    release_date_precision: String,
}

/// Where a figure is sold.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BuyLink)]
pub struct BuyLinkView {
    store: EntityRef,
    /// The page: a path within the store, or a whole address.
    #[schema(example = "/item/4711")]
    path: String,
}

impl From<projections::figures::queries::BuyLink> for BuyLinkView {
    fn from(link: projections::figures::queries::BuyLink) -> Self {
        Self { store: link.store.into(), path: link.path }
    }
}

/// All that is known of a figure.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Figure, example = example_whole)]
pub struct WholeView {
    #[serde(flatten)]
    listed: ListedView,
    sculptor: Option<EntityRef>,
    height_mm: Option<i32>,
    materials: Option<String>,
    edition: Option<String>,
    description: Option<String>,
    /// Every announced release, re-runs too, oldest first.
    releases: Vec<ReleaseView>,
    /// The barcode as printed.
    jan: Option<String>,
    /// The id on MyFigureCollection.
    mfc_id: Option<i64>,
    buy_links: Vec<BuyLinkView>,
    /// Its series on the manga shelf of whoever asks, as it was last read; null when it is not there.
    manga: Option<BadgeView>,
    /// Whether whoever asks may change it.
    can_edit: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// All that is told of an NSFW figure to somebody who hides them, until they ask with `confirm_nsfw=true`. Not its slug,
/// which names it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FigureBehindGate, example = example_gate)]
pub struct GateView {
    id: Uuid,
    is_nsfw: bool,
    /// Always true.
    nsfw_gate: bool,
}

/// A figure that was opened.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = FigureOpened)]
pub enum Opened {
    /// All of it.
    Whole(Box<WholeView>),
    /// NSFW, and whoever asks hides such figures.
    Gate(GateView),
}

impl GateView {
    pub(super) fn of(figure: &Figure) -> Self {
        Self { id: figure.card.id, is_nsfw: true, nsfw_gate: true }
    }
}

impl Opened {
    /// The figure as this person sees it; `confirmed` when they asked for it knowing that it is NSFW.
    pub(in crate::http) fn of(figure: Figure, viewer: &User, confirmed: bool) -> Self {
        if figure.card.is_nsfw && !confirmed && hides_nsfw(viewer) {
            return Self::Gate(GateView::of(&figure));
        }
        Self::Whole(Box::new(WholeView::of(figure, viewer)))
    }

    /// The same with what the viewer's manga shelf says of it; behind the gate nothing is said.
    pub(super) fn with_manga(self, manga: Option<BadgeView>) -> Self {
        match self {
            Self::Whole(whole) => Self::Whole(Box::new(whole.with_manga(manga))),
            gate @ Self::Gate(_) => gate,
        }
    }
}

impl WholeView {
    pub(super) fn of(figure: Figure, viewer: &User) -> Self {
        let release = |one: projections::figures::queries::Release| ReleaseView {
            release_date: one.release_date,
            release_date_precision: one.release_date_precision,
        };
        Self {
            listed: ListedView::of(figure.card, viewer),
            sculptor: figure.sculptor.map(Into::into),
            height_mm: figure.height_mm,
            materials: figure.materials,
            edition: figure.edition,
            description: figure.description,
            releases: figure.releases.into_iter().map(release).collect(),
            jan: figure.jan,
            mfc_id: figure.mfc_id,
            buy_links: figure.buy_links.into_iter().map(BuyLinkView::from).collect(),
            manga: None,
            can_edit: viewer.is_admin || figure.created_by == Some(viewer.id.uuid()),
            created_at: figure.created_at,
            updated_at: figure.updated_at,
        }
    }
}

impl WholeView {
    /// The same with what the viewer's manga shelf says of it.
    pub(super) fn with_manga(self, manga: Option<BadgeView>) -> Self {
        Self { manga, ..self }
    }
}

/// What a barcode was found to be.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FigureFound)]
pub struct FoundView {
    /// The figure, or null when no figure has this barcode.
    pub(super) figure: Option<Opened>,
    /// What stores have under it; only where they were to be asked and the catalogue has no such figure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) external: Option<InStores>,
}

/// What stores have under a barcode.
#[derive(Debug, Serialize, ToSchema)]
pub struct InStores {
    /// What was found; null when nobody could be asked.
    found: Option<FoundProducts>,
    /// Why nobody could be asked: a code of `GET /api/external/search`.
    code: Option<String>,
    detail: Option<String>,
}

impl InStores {
    pub(super) const fn found(found: FoundProducts) -> Self {
        Self { found: Some(found), code: None, detail: None }
    }

    pub(super) fn failed(problem: &Problem) -> Self {
        Self { found: None, code: Some(problem.code().to_owned()), detail: Some(problem.says().to_owned()) }
    }
}

/// A manufacturer, series or character, and how many figures have it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EntityCount)]
pub struct EntityCountView {
    id: Uuid,
    name: String,
    slug: String,
    count: i64,
}

impl From<EntityCount> for EntityCountView {
    fn from(one: EntityCount) -> Self {
        Self { id: one.id, name: one.name, slug: one.slug, count: one.count }
    }
}

/// A figure type, and how many figures are of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TypeCount)]
pub struct TypeCountView {
    #[schema(example = "nendoroid")]
    code: String,
    #[schema(example = "Nendoroid")]
    label: String,
    count: i64,
}

/// How many figures are something to the viewer. One that is pre-ordered and owned counts as both.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RelationCounts)]
pub struct RelationCountsView {
    preordered: i64,
    owned: i64,
    wished: i64,
}

/// How many figures a filter would leave, for each of its values. Named as the filters are.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Facets, example = example_facets)]
pub struct FacetsView {
    /// How many figures all the filters leave.
    total: i64,
    /// By type, the most frequent first.
    r#type: Vec<TypeCountView>,
    /// By maker, the hundred with the most figures.
    manufacturer: Vec<EntityCountView>,
    /// By series, the hundred with the most figures.
    series: Vec<EntityCountView>,
    /// By character, the hundred with the most figures.
    character: Vec<EntityCountView>,
    /// By what they are to whoever asks.
    relation: RelationCountsView,
}

impl FacetsView {
    pub(super) fn of(facets: Facets, types: &[FigureType]) -> Self {
        let entities = |all: Vec<EntityCount>| all.into_iter().map(EntityCountView::from).collect();
        let label = |code: &str| {
            let known = types.iter().find(|one| one.code.as_str() == code);
            known.map_or_else(|| code.to_owned(), |one| one.label.as_str().to_owned())
        };
        Self {
            total: facets.total,
            r#type: facets
                .figure_type
                .into_iter()
                .map(|one| TypeCountView {
                    label: label(&one.figure_type),
                    code: one.figure_type,
                    count: one.count,
                })
                .collect(),
            manufacturer: entities(facets.manufacturer),
            series: entities(facets.series),
            character: entities(facets.character),
            relation: RelationCountsView {
                preordered: facets.relation.preordered,
                owned: facets.relation.owned,
                wished: facets.relation.wished,
            },
        }
    }
}

fn entity(tail: u8, name: &str, slug: &str) -> Value {
    json!({"id": format!("0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b{tail:02}"), "name": name, "slug": slug})
}

/// An object with more members.
fn with(mut object: Value, more: Value) -> Value {
    if let (Some(members), Value::Object(more)) = (object.as_object_mut(), more) {
        members.extend(more);
    }
    object
}

fn example_listed() -> Value {
    with(
        example_figure(),
        json!({
            "series": [entity(4, "Tides of Cobalt", "tides-of-cobalt")],
            "characters": [entity(5, "Mina", "mina")],
            "version_name": null,
            "viewer": "wished"
        }),
    )
}

fn example_whole() -> Value {
    with(
        example_listed(),
        json!({
            "sculptor": entity(3, "Aoi Hoshi", "aoi-hoshi"),
            "height_mm": 240,
            "materials": "PVC, ABS",
            "edition": null,
            "releases": [{"release_date": "2027-05-01", "release_date_precision": "month"}],
            "jan": "4580590123458",
            "mfc_id": null,
            "description": null,
            "buy_links": [{"store": entity(6, "Harbour Hobby", "harbour-hobby"), "path": "/item/4711"}],
            "manga": null,
            "can_edit": true,
            "created_at": "2026-01-17T09:30:00Z",
            "updated_at": "2026-01-17T09:30:00Z"
        }),
    )
}

fn example_gate() -> Value {
    json!({
        "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b09",
        "is_nsfw": true,
        "nsfw_gate": true
    })
}

fn example_facets() -> Value {
    let maker = with(entity(1, "Good Smile Company", "good-smile-company"), json!({"count": 17}));
    json!({
        "total": 17,
        "type": [{"code": "nendoroid", "label": "Nendoroid", "count": 17}],
        "manufacturer": [maker],
        "series": [],
        "character": [],
        "relation": {"preordered": 0, "owned": 3, "wished": 1}
    })
}
