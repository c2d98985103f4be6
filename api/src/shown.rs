//! What several resources show in the same way.

use chrono::NaiveDate;
use domain::money::{Currency, display_amount, rates::Total};
use operational::users::{NsfwVisibility, User};
use projections::figures::summary::{EntityName, FigureSummary};
use projections::pictures::{Cover, Thumb};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

/// An amount as it is shown: with exactly as many decimal places as its currency has.
#[must_use]
pub fn amount(amount: Decimal, currency: Option<&str>) -> String {
    match currency.and_then(|code| code.parse::<Currency>().ok()) {
        Some(currency) => display_amount(amount, currency),
        None => amount.normalize().to_string(),
    }
}

/// A sum in the currency of whoever looks, at today's rates.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({"amount": "212.40", "currency": "EUR", "partial": false, "fx_date": "2026-10-30"}))]
pub struct DisplayTotal {
    /// A decimal string, rounded once, half away from zero.
    amount: String,
    /// The viewer's `preferred_currency`.
    currency: &'static str,
    /// Whether something could not be converted and is missing from the amount.
    partial: bool,
    /// The day of the rates; null when nothing had to be converted.
    fx_date: Option<NaiveDate>,
}

impl From<Total> for DisplayTotal {
    fn from(total: Total) -> Self {
        Self {
            amount: display_amount(total.rounded(), total.currency),
            currency: total.currency.code(),
            partial: total.partial,
            fx_date: total.rates_of,
        }
    }
}

/// Whether NSFW figures are left out of what this person sees.
#[must_use]
pub fn hides_nsfw(viewer: &User) -> bool {
    viewer.nsfw_visibility == NsfwVisibility::Hide
}

/// What becomes of NSFW figures where one person's things are shown to others: on the profile, in following,
/// discovering and comparing, and behind links to a wishlist, a cabinet or a calendar. Counts, sums and
/// achievements obey it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicNsfw {
    /// They are left out, as if they were not there.
    LeftOut,
    /// They are there, marked for blurring.
    Blurred,
    /// They are there like any other.
    Shown,
}

impl PublicNsfw {
    /// What this viewer is shown of this owner's; `None` is somebody without an account.
    #[must_use]
    pub fn of(owner: &User, viewer: Option<&User>) -> Self {
        match viewer.map(|viewer| viewer.nsfw_visibility) {
            _ if !owner.public_profile_show_nsfw => Self::LeftOut,
            Some(NsfwVisibility::Hide) => Self::LeftOut,
            Some(NsfwVisibility::Show) => Self::Shown,
            Some(NsfwVisibility::Blur) | None => Self::Blurred,
        }
    }

    /// Whether NSFW figures are left out.
    #[must_use]
    pub const fn leaves_out(self) -> bool {
        matches!(self, Self::LeftOut)
    }
}

/// A manufacturer, series, character, sculptor or store beside something else.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = example_entity_ref)]
pub struct EntityRef {
    id: Uuid,
    name: String,
    slug: String,
}

fn example_entity_ref() -> Value {
    json!({"id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b01", "name": "Good Smile Company", "slug": "good-smile-company"})
}

impl From<EntityName> for EntityRef {
    fn from(entity: EntityName) -> Self {
        Self { id: entity.id, name: entity.name, slug: entity.slug }
    }
}

impl From<projections::views::EntityRef> for EntityRef {
    fn from(entity: projections::views::EntityRef) -> Self {
        Self { id: entity.id, name: entity.name, slug: entity.slug }
    }
}

/// The picture of a card.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Cover, example = example_cover)]
pub struct CoverView {
    /// `photo` or `scan` for what the owner of the piece pinned, `catalogue` for a photo of the catalogue, `official`
    /// for the maker's own picture.
    source: &'static str,
    /// The photo or scan; null for the maker's own picture.
    id: Option<Uuid>,
    /// The picture at its full size: a path here, or the address of the maker's own.
    url: String,
    /// At most 320 pixels a side; the maker's own has only its full size.
    small_url: String,
    /// At most 960 pixels a side.
    large_url: String,
    /// In pixels, at full size; null where it is not known.
    width: Option<u32>,
    height: Option<u32>,
    /// What to paint until it is there, and instead of it where it is `blurred`: see <https://blurha.sh>.
    blurhash: Option<String>,
}

/// The cover in the examples.
#[must_use]
pub fn example_cover() -> Value {
    json!({
        "source": "catalogue",
        "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b41",
        "url": "/api/figure-photos/0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b41",
        "small_url": "/api/figure-photos/0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b41?size=320",
        "large_url": "/api/figure-photos/0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b41?size=960",
        "width": 2400,
        "height": 3200,
        "blurhash": "LEHV6nWB2yk8pyo0adR*.7kCMdnj"
    })
}

impl CoverView {
    /// Where others than this server's own pages find it, at most 960 pixels a side: below `base`, where that is known,
    /// else relative to the address that they asked.
    #[must_use]
    pub fn elsewhere(self, base: Option<&impl std::fmt::Display>) -> String {
        match base {
            Some(base) if self.large_url.starts_with('/') => format!("{base}{}", self.large_url),
            _ => self.large_url,
        }
    }

    fn at(source: &'static str, place: String, thumb: Thumb) -> Self {
        Self {
            source,
            id: Some(thumb.id),
            small_url: format!("{place}?size=320"),
            large_url: format!("{place}?size=960"),
            url: place,
            width: Some(thumb.picture.width),
            height: Some(thumb.picture.height),
            blurhash: Some(thumb.picture.blurhash.into()),
        }
    }
}

impl From<Cover> for CoverView {
    fn from(cover: Cover) -> Self {
        match cover {
            Cover::Photo(thumb) => Self::at("photo", format!("/api/photos/{}", thumb.id), thumb),
            Cover::Scan(thumb) => Self::at("scan", format!("/api/scans/{}/frames/0", thumb.id), thumb),
            Cover::Catalogue(thumb) => {
                Self::at("catalogue", format!("/api/figure-photos/{}", thumb.id), thumb)
            }
            Cover::Official(url) => Self {
                source: "official",
                id: None,
                small_url: url.clone(),
                large_url: url.clone(),
                url,
                width: None,
                height: None,
                blurhash: None,
            },
        }
    }
}

/// A figure beside a piece, a pre-order or a wish.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = FigureSummary, example = example_figure)]
pub struct FigureView {
    id: Uuid,
    slug: String,
    name: String,
    figure_type: String,
    manufacturer: Option<EntityRef>,
    /// In the order in which the figure names them.
    series: Vec<EntityRef>,
    scale: Option<String>,
    /// First day of the announced period.
    release_date: Option<NaiveDate>,
    /// `day`, `month` or `year`.
    release_date_precision: Option<String>,
    /// A decimal string.
    msrp_amount: Option<String>,
    msrp_currency: Option<String>,
    is_nsfw: bool,
    /// Whether pictures of it are to be blurred for whoever asks.
    blurred: bool,
    official_image_url: Option<String>,
    /// The picture of its card: the catalogue's photo that stands for it, else the maker's own picture; null is a
    /// placeholder.
    cover: Option<CoverView>,
}

/// The figure in the examples.
#[must_use]
pub fn example_figure() -> Value {
    json!({
        "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b02",
        "slug": "harbour-pilot-mina-1c0e4b02",
        "name": "Harbour Pilot Mina",
        "figure_type": "scale",
        "manufacturer": example_entity_ref(),
        "series": [{"id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b04", "name": "Tides of Cobalt", "slug": "tides-of-cobalt"}],
        "scale": "1/7",
        "release_date": "2027-05-01",
        "release_date_precision": "month",
        "msrp_amount": "19800",
        "msrp_currency": "JPY",
        "is_nsfw": false,
        "blurred": false,
        "official_image_url": null,
        "cover": example_cover()
    })
}

impl FigureView {
    /// The figure as this person sees it.
    #[must_use]
    pub fn of(figure: FigureSummary, viewer: &User) -> Self {
        Self::blurring(figure, viewer.nsfw_visibility != NsfwVisibility::Show)
    }

    /// The figure as somebody else's things show it, where they show it at all.
    #[must_use]
    pub fn public(figure: FigureSummary, nsfw: PublicNsfw) -> Self {
        Self::blurring(figure, nsfw != PublicNsfw::Shown)
    }

    /// Whether it is NSFW.
    #[must_use]
    pub const fn is_nsfw(&self) -> bool {
        self.is_nsfw
    }

    fn blurring(figure: FigureSummary, blurs: bool) -> Self {
        let cover = Cover::of_figure(figure.photo.as_ref(), figure.official_image_url.as_deref());
        let msrp_amount = figure.msrp_amount.map(|msrp| amount(msrp, figure.msrp_currency.as_deref()));
        Self {
            id: figure.id,
            slug: figure.slug,
            name: figure.name,
            figure_type: figure.figure_type,
            manufacturer: figure.manufacturer.map(Into::into),
            series: figure.series.into_iter().map(Into::into).collect(),
            scale: figure.scale,
            release_date: figure.release_date,
            release_date_precision: figure.release_date_precision,
            msrp_amount,
            msrp_currency: figure.msrp_currency,
            is_nsfw: figure.is_nsfw,
            blurred: figure.is_nsfw && blurs,
            official_image_url: figure.official_image_url,
            cover: cover.map(Into::into),
        }
    }
}
