//! Which figure type words point at.

use domain::figure::FigureType;
use domain::text::{TextError, folded};

/// The type that a title, a category and a scale point at, when it is on the list; `other` if nothing points anywhere.
///
/// # Errors
/// Never for the codes here; they are short enough.
pub(crate) fn guess(
    title: &str,
    category: &str,
    scale: Option<&str>,
    types: &[String],
) -> Result<FigureType, TextError> {
    let (title, category) = (folded(title), folded(category));
    let scaled = scale.is_some_and(|scale| scale.trim().starts_with("1/"));
    let code = if title.contains("nendoroid doll") {
        "nendoroid_doll"
    } else if title.contains("nendoroid") || title.contains("ねんどろいど") {
        "nendoroid"
    } else if title.contains("figma") {
        "figma"
    } else if title.contains("dakimakura") || category.contains("dakimakura") {
        "dakimakura"
    } else if title.contains("bishoujo") {
        "bishoujo"
    } else if category.contains("model kit") || category.contains("garage kit") {
        "plamo"
    } else if category.contains("trading") {
        "trading"
    } else if category.contains("statue") {
        "statue"
    } else if category.contains("prize") {
        "prize"
    } else if scaled {
        "scale"
    } else {
        "other"
    };
    let code = if types.iter().any(|t| t == code) { code } else { "other" };
    FigureType::new(code)
}
