//! What everybody calls things: few enough words that people meet.

pub(super) const MAKERS: &[&str] =
    &["Harbour Works", "harbour  works", "Kumo Atelier", "Lantern & Co", "Ōrora", "Pale Fox", "星屑工房"];
pub(super) const SERIES: &[&str] =
    &["Tides of Cobalt", "tides of cobalt", "Moss Garden", "Paper Comet", "Seventh Bell", "夜行列車"];
pub(super) const CHARACTERS: &[&str] = &["Mina", "Captain Rook", "Suzu", "The Lamplighter", "Ivo", "ユキ"];
pub(super) const STORES: &[&str] =
    &["Pier Nine Figures", "pier nine figures", "Harbour Hobby", "Nekoya", "Second Shelf", "月面商店"];
pub(super) const PLACES: &[&str] =
    &["Vitrine", "vitrine", "Desk", "Storage box 1", "Hallway", "Upper shelf", "棚"];
pub(super) const TYPES: &[&str] = &["scale", "nendoroid", "figma", "prize", "statue", "other"];
pub(super) const CONDITIONS: &[&str] = &["mib_sealed", "opened_box", "displayed", "loose", "damaged"];
pub(super) const ORIGINS: &[&str] = &["purchased", "gift", "trade", "found", "inherited"];
pub(super) const REASONS: &[&str] = &["sold", "traded", "lost", "gifted", "other"];
pub(super) const SOURCES: &[&str] = &["user", "mfc", "anilist", "store_update", "manufacturer_announcement"];
pub(super) const ZONES: &[&str] = &[
    "UTC",
    "Europe/Paris",
    "Europe/Lisbon",
    "Asia/Tokyo",
    "Asia/Kolkata",
    "America/New_York",
    "America/Sao_Paulo",
    "Africa/Nairobi",
    "Australia/Sydney",
    "Pacific/Auckland",
];
/// The way of a pre-order.
pub(super) const STEPS: &[&str] =
    &["announced", "preorder_open", "preordered", "in_production", "released", "shipped", "received"];
/// Where in [`STEPS`] a pre-order ships.
pub(super) const SHIPPED: usize = 5;
pub(super) const CURRENCIES: &[&str] = &["EUR", "USD", "JPY", "GBP", "CHF", "CAD"];
/// The paths of the kinds of entities, with the field of a figure that shows them.
pub(super) const KINDS: &[(&str, &str)] = &[
    ("manufacturers", "manufacturer"),
    ("sculptors", "sculptor"),
    ("series", "series"),
    ("characters", "characters"),
    ("stores", "store"),
];
