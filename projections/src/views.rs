//! What the answers of several read models have in common.

use domain::money::{Currency, display_amount};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A manufacturer, series, character, sculptor or store, wherever something names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EntityRef {
    /// Its id.
    pub id: Uuid,
    /// Its name today.
    pub name: String,
    /// Its slug today.
    pub slug: String,
}

/// Some of a list, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, C> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// What to give for the next page; none on the last.
    pub next: Option<C>,
}

impl<T, C> Page<T, C> {
    /// Makes a page of `limit` items from up to one more, which only tells that there are more.
    pub fn cut(mut items: Vec<T>, limit: u32, cursor: impl FnOnce(&T) -> C) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(cursor) } else { None };
        Self { items, next }
    }

    /// The same page of something else.
    pub fn map<U>(self, each: impl FnMut(T) -> U) -> Page<U, C> {
        Page { items: self.items.into_iter().map(each).collect(), next: self.next }
    }
}

/// Who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Viewer {
    /// The signed-in user.
    pub user_id: Option<Uuid>,
    /// Leave adult figures out of listings and counts.
    pub hides_nsfw: bool,
}

/// What a figure is to the viewer; the first that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// There is a pre-order that is neither received nor cancelled.
    Preordered,
    /// There is a piece on the shelf.
    Owned,
    /// There is a wish.
    Wished,
}

impl Relation {
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        match word {
            "preordered" => Some(Self::Preordered),
            "owned" => Some(Self::Owned),
            "wished" => Some(Self::Wished),
            _ => None,
        }
    }

    /// The statement of the figures that are that to a viewer, some more than once; the viewer's id is to be bound
    /// where `?` stands.
    pub(crate) const fn figures(self) -> &'static str {
        match self {
            Self::Preordered => {
                "SELECT p.figure_id FROM preorders AS p JOIN owned_items AS o ON o.id = p.owned_item_id \
                 WHERE p.user_id = ? AND o.archived_at IS NULL AND p.status NOT IN ('received', 'cancelled')"
            }
            Self::Owned => {
                "SELECT o.figure_id FROM owned_items AS o WHERE o.user_id = ? AND o.archived_at IS NULL \
                 AND NOT EXISTS (SELECT 1 FROM preorders AS p \
                 WHERE p.owned_item_id = o.id AND p.status <> 'received')"
            }
            Self::Wished => "SELECT w.figure_id FROM wishlist_items AS w WHERE w.user_id = ?",
        }
    }
}

/// A stored amount as it is shown: yen without decimals, the others with two.
#[must_use]
pub fn shown_amount(amount: Option<Decimal>, currency: Option<&str>) -> Option<String> {
    let amount = amount?;
    let currency: Option<Currency> = currency.and_then(|code| code.parse().ok());
    Some(currency.map_or_else(|| amount.to_string(), |currency| display_amount(amount, currency)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yen_are_whole_and_the_others_have_two_places() {
        let amount = Some(Decimal::new(1_480_000, 2));
        assert_eq!(shown_amount(amount, Some("JPY")).as_deref(), Some("14800"));
        assert_eq!(shown_amount(amount, Some("EUR")).as_deref(), Some("14800.00"));
        assert_eq!(shown_amount(None, Some("EUR")), None);
    }

    #[test]
    fn only_a_full_page_with_more_behind_it_leads_on() {
        assert_eq!(Page::cut(vec![1, 2, 3], 2, |last| *last), Page { items: vec![1, 2], next: Some(2) });
        assert_eq!(Page::cut(vec![1, 2], 2, |last| *last).next, None);
    }
}
