//! Listings in pages: `{"items": […], "next_cursor": …}`, `limit` and `cursor`.
//!
//! A listing's query type has the fields `limit` and `cursor`; its query fetches one row more than the
//! limit, and [`Page::cut`] makes the page:
//!
//! ```ignore
//! #[derive(Deserialize, IntoParams)]
//! struct ListShelves {
//!     #[serde(default)]
//!     #[param(value_type = u16, minimum = 1, maximum = 200, default = 50)]
//!     limit: Limit,
//!     #[param(value_type = Option<String>)]
//!     cursor: Option<Cursor<ShelfKey>>,
//! }
//!
//! let rows = shelves::list(&state.pool, query.cursor.map(|c| c.0), query.limit.one_more()).await?;
//! Ok(Json(Page::cut(rows, query.limit, Shelf::key, ShelfView::from)))
//! ```

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use utoipa::ToSchema;

/// Most characters of a cursor: longer ones are none of ours.
const LONGEST_CURSOR: usize = 2_048;

/// How many items a page has: 1 to 200, 50 unless asked otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u16")]
pub struct Limit(u16);

impl Limit {
    /// The smallest page.
    pub const MIN: u16 = 1;
    /// The largest page.
    pub const MAX: u16 = 200;

    /// How many items.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0 as usize
    }

    /// How many rows to fetch: one more tells whether there is a next page.
    #[must_use]
    pub const fn one_more(self) -> i64 {
        self.0 as i64 + 1
    }
}

impl From<Limit> for u32 {
    fn from(limit: Limit) -> Self {
        Self::from(limit.0)
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

impl TryFrom<u16> for Limit {
    type Error = &'static str;

    fn try_from(number: u16) -> Result<Self, Self::Error> {
        if (Self::MIN..=Self::MAX).contains(&number) {
            Ok(Self(number))
        } else {
            Err("limit is from 1 to 200")
        }
    }
}

/// Where a page ended, as an opaque text: the sort key `K` of its last item, in base64url. It comes back
/// from the caller, so `K` is to be trusted no more than any other input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor<K>(pub K);

impl<K: Serialize> fmt::Display for Cursor<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = serde_json::to_vec(&self.0).map_err(|_unserialisable| fmt::Error)?;
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(json))
    }
}

impl<'de, K: DeserializeOwned> Deserialize<'de> for Cursor<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.len() > LONGEST_CURSOR {
            return Err(serde::de::Error::custom("not a cursor"));
        }
        BASE64_URL_SAFE_NO_PAD
            .decode(text)
            .ok()
            .and_then(|json| crate::extract::json(&json).ok())
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("not a cursor"))
    }
}

/// How many items of a listing came before: the key of listings that others read, where the sort key of an item would
/// tell what only its owner is to know. At most 100,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32")]
pub struct Offset(u32);

impl Offset {
    /// At the first item.
    pub const START: Self = Self(0);
    /// The farthest.
    pub const MAX: u32 = 100_000;

    /// How many items.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// One page farther.
    #[must_use]
    pub const fn then(self, limit: Limit) -> Self {
        Self(self.0.saturating_add(limit.0 as u32))
    }
}

impl TryFrom<u32> for Offset {
    type Error = &'static str;

    fn try_from(number: u32) -> Result<Self, Self::Error> {
        if number <= Self::MAX { Ok(Self(number)) } else { Err("not a cursor") }
    }
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items, in the listing's order.
    pub items: Vec<T>,
    /// Give it as `cursor` to get the next page; null on the last one.
    #[schema(example = "eyJjcmVhdGVkX2F0IjoiMjAyNi0wMS0wMVQwMDowMDowMFoifQ")]
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// Shows a page that a query has cut already.
    pub fn shown<R, K: Serialize>(page: projections::views::Page<R, K>, view: impl FnMut(R) -> T) -> Self {
        Self {
            items: page.items.into_iter().map(view).collect(),
            next_cursor: page.next.map(|key| Cursor(key).to_string()),
        }
    }

    /// Makes a page of rows of which one more than `limit` were asked for: `key` says where a row stands in
    /// the order, `view` what is shown of it.
    pub fn cut<R, K: Serialize>(
        mut rows: Vec<R>,
        limit: Limit,
        key: impl Fn(&R) -> K,
        view: impl FnMut(R) -> T,
    ) -> Self {
        let more = rows.len() > limit.get();
        rows.truncate(limit.get());
        let next_cursor = rows.last().filter(|_| more).map(|last| Cursor(key(last)).to_string());
        Self { items: rows.into_iter().map(view).collect(), next_cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_page_with_something_after_it_has_a_cursor() {
        let limit = Limit::try_from(2).unwrap();
        let page = Page::cut(vec![1, 2, 3], limit, |row| *row, |row| row);
        assert_eq!(page.items, [1, 2]);
        assert_eq!(page.next_cursor, Some(Cursor(2).to_string()));
        assert_eq!(Page::cut(vec![1, 2], limit, |row| *row, |row| row).next_cursor, None);
        assert_eq!(Page::cut(Vec::<i32>::new(), limit, |row| *row, |row| row).next_cursor, None);
    }
}
