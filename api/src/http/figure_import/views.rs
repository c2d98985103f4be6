//! What is shown of imports.

use chrono::NaiveDate;
use domain::money::display_amount;
use operational::users::{NsfwVisibility, User};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use workers::sources::Proposal;

use super::super::{
    external::{OriginalView, VersionView},
    figures::views::Opened,
};

/// One announced release.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProposedRelease {
    /// First day of the announced period.
    release_date: NaiveDate,
    /// `day`, `month` or `year`.
    release_date_precision: &'static str,
}

/// Where it would be sold.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProposedLink {
    store: String,
    path: String,
}

/// What would be saved, or was.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FigureProposal)]
pub struct ProposalView {
    name: String,
    figure_type: String,
    manufacturer: Option<String>,
    sculptor: Option<String>,
    series: Vec<String>,
    characters: Vec<String>,
    scale: Option<String>,
    height_mm: Option<i32>,
    materials: Option<String>,
    version_name: Option<String>,
    /// The first of the releases.
    release_date: Option<NaiveDate>,
    release_date_precision: Option<&'static str>,
    releases: Vec<ProposedRelease>,
    /// The price of the page or version, a decimal string.
    msrp_amount: Option<String>,
    msrp_currency: Option<String>,
    /// What the page asks, where that was converted.
    msrp_original: Option<OriginalView>,
    jan: Option<String>,
    mfc_id: Option<i64>,
    official_image_url: Option<String>,
    description: Option<String>,
    is_nsfw: bool,
    /// Whether its picture is to be blurred for whoever asks.
    blurred: bool,
    buy_links: Vec<ProposedLink>,
}

/// Something that the page says and that was left out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"field": "msrp_amount", "code": "currency_not_quoted", "detail": "msrp_amount was left out: the European Central Bank quotes no TWD, so the price cannot be converted"}))]
pub struct LeftOut {
    /// The field that stays empty.
    pub(super) field: &'static str,
    /// A word for the reason.
    pub(super) code: &'static str,
    pub(super) detail: String,
}

/// A figure of the catalogue that may be the same.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExistingView {
    pub(super) figure: Opened,
    /// By what it was found: `jan`, `mfc_id` or `title`.
    pub(super) by: &'static str,
    /// How alike they are, in hundredths: 90 to 100.
    pub(super) percent: u8,
    /// `same` but for the spelling, `unsure`, or `another`: a number, edition or scale differs. One that is `another` is
    /// no obstacle.
    pub(super) judged: &'static str,
}

/// What became of the picture that a page names. Its address is kept either way.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImportedImage, example = json!({"taken": false, "detail": "harbour.example cannot be found"}))]
pub struct ImageView {
    /// Whether it is a photo of the figure now.
    pub(super) taken: bool,
    /// Why it is not.
    pub(super) detail: Option<String>,
}

/// What became of a page.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FigureImported)]
pub struct ImportView {
    /// Whether nothing was saved.
    pub(super) preview: bool,
    /// Whether an earlier import had brought it.
    pub(super) existed: bool,
    /// The figure's id; null in a preview of a new one.
    pub(super) id: Option<Uuid>,
    /// The figure as it now is; null in a preview of a new one.
    pub(super) figure: Option<Opened>,
    /// What the page proposes; null behind the gate.
    pub(super) proposal: Option<ProposalView>,
    /// Whether it is NSFW and whoever asks hides such figures; `confirm_nsfw` opens it.
    pub(super) nsfw_gate: bool,
    /// The label of the version that was chosen.
    pub(super) version: Option<String>,
    /// The versions that the page offers.
    pub(super) versions: Vec<VersionView>,
    /// Figures of the catalogue that may be the same, the likeliest first.
    pub(super) existing: Vec<ExistingView>,
    /// What was left out, and why.
    pub(super) left_out: Vec<LeftOut>,
    /// What became of its picture; null where none was to be fetched.
    pub(super) image: Option<ImageView>,
}

impl ProposalView {
    /// As somebody sees it.
    pub(super) fn of(proposal: &Proposal, viewer: &User) -> Self {
        let figure = &proposal.product.figure;
        let text = |line: &str| line.to_owned();
        let releases: Vec<ProposedRelease> = figure
            .releases
            .iter()
            .map(|release| ProposedRelease {
                release_date: release.date(),
                release_date_precision: release.precision().as_str(),
            })
            .collect();
        Self {
            name: text(figure.name.as_str()),
            figure_type: text(figure.figure_type.as_str()),
            manufacturer: figure.manufacturer.as_ref().map(|name| text(name.as_str())),
            sculptor: figure.sculptor.as_ref().map(|name| text(name.as_str())),
            series: figure.series.iter().map(|name| text(name.as_str())).collect(),
            characters: figure.characters.iter().map(|name| text(name.as_str())).collect(),
            scale: figure.details.scale.as_ref().map(|line| text(line.as_str())),
            height_mm: figure.details.height_mm,
            materials: figure.details.materials.as_ref().map(|line| text(line.as_str())),
            version_name: figure.details.version_name.as_ref().map(|line| text(line.as_str())),
            release_date: releases.first().map(|release| release.release_date),
            release_date_precision: releases.first().map(|release| release.release_date_precision),
            releases,
            msrp_amount: figure.msrp.map(|m| display_amount(m.amount().decimal(), m.currency())),
            msrp_currency: figure.msrp.map(|money| money.currency().code().to_owned()),
            msrp_original: proposal.original.as_ref().map(OriginalView::of),
            jan: figure.jan.as_ref().map(|jan| text(jan.as_str())),
            mfc_id: figure.mfc_id,
            official_image_url: figure.details.official_image_url.as_ref().map(|url| text(url.as_str())),
            description: figure.details.description.as_ref().map(|prose| text(prose.as_str())),
            is_nsfw: figure.is_nsfw,
            blurred: figure.is_nsfw && viewer.nsfw_visibility != NsfwVisibility::Show,
            buy_links: figure
                .buy_links
                .iter()
                .map(|link| ProposedLink { store: text(link.store.as_str()), path: text(link.path.as_str()) })
                .collect(),
        }
    }
}
