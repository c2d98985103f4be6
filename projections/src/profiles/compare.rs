//! Two collections side by side.

use super::{HERE, PINNED};
use crate::collection::keyset::Sorted;
use crate::collection::{InvalidKey, ListError, ListKey};
use crate::figures::summary::FigureSummary;
use crate::pictures::{Cover, Eyes, Pinned};
use domain::ids::UserId;
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgPool, Postgres, QueryBuilder, Row};

/// Whose collections are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sides {
    /// Whoever looks.
    pub me: UserId,
    /// The other.
    pub them: UserId,
    /// Leave out what is not safe for work of one's own.
    pub without_my_nsfw: bool,
    /// And of theirs.
    pub without_their_nsfw: bool,
}

/// One part of a comparison. Owned is what is here; a wish is a wish.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// What both own.
    #[default]
    Both,
    /// What only whoever looks owns.
    OnlyMe,
    /// What only the other owns.
    OnlyThem,
    /// What both wish.
    BothWish,
    /// What whoever looks wishes and the other owns.
    MyWishes,
    /// What the other wishes and whoever looks owns.
    TheirWishes,
}

/// How many figures each part has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromRow)]
#[allow(missing_docs, reason = "the fields are the parts")]
pub struct Overlap {
    pub both: i64,
    pub only_me: i64,
    pub only_them: i64,
    pub both_wish: i64,
    pub my_wishes: i64,
    pub their_wishes: i64,
}

/// A figure of a part.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// The figure.
    pub figure: FigureSummary,
    /// How many pieces of it whoever looks has.
    pub mine: i64,
    /// How many the other has.
    pub theirs: i64,
    my_pin: Option<Pinned>,
    their_pin: Option<Pinned>,
    sort_value: Option<String>,
}

const ORDER: Sorted = Sorted::Text("f.sort_name");

impl Part {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::OnlyMe => "only_me",
            Self::OnlyThem => "only_them",
            Self::BothWish => "both_wish",
            Self::MyWishes => "my_wishes",
            Self::TheirWishes => "their_wishes",
        }
    }

    /// The figures `a` of the part.
    const fn figures(self) -> &'static str {
        match self {
            Self::Both => "mine AS a WHERE a.id IN (SELECT id FROM theirs)",
            Self::OnlyMe => "mine AS a WHERE NOT EXISTS (SELECT FROM theirs AS b WHERE b.id = a.id)",
            Self::OnlyThem => "theirs AS a WHERE NOT EXISTS (SELECT FROM mine AS b WHERE b.id = a.id)",
            Self::BothWish => "i_wish AS a WHERE a.id IN (SELECT id FROM they_wish)",
            Self::MyWishes => "i_wish AS a WHERE a.id IN (SELECT id FROM theirs)",
            Self::TheirWishes => "they_wish AS a WHERE a.id IN (SELECT id FROM mine)",
        }
    }
}

impl Compared {
    /// Where it stands in a part.
    #[must_use]
    pub fn key(&self, part: Part) -> ListKey {
        ListKey { sort: part.as_str().to_owned(), value: self.sort_value.clone(), id: self.figure.id }
    }

    /// What stands on its card for whoever looks: what is pinned on a piece of their own, what the other shares of
    /// theirs, else what stands for the figure.
    #[must_use]
    pub fn cover(&self) -> Option<Cover> {
        let mine = Cover::of_piece(self.my_pin.as_ref(), None, Eyes::Owner);
        mine.or_else(|| Cover::of_piece(self.their_pin.as_ref(), Some(&self.figure), Eyes::Other))
    }

    fn read(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            my_pin: Pinned::read_as(row, "my_pin")?,
            their_pin: Pinned::read_as(row, "their_pin")?,
            figure: FigureSummary::read(row)?,
            mine: row.try_get("mine")?,
            theirs: row.try_get("theirs")?,
            sort_value: row.try_get("sort_value")?,
        })
    }
}

/// Begins a query in which `mine`, `theirs`, `i_wish` and `they_wish` hold ids of figures.
fn beginning(sides: Sides) -> QueryBuilder<'static, Postgres> {
    let mut query = QueryBuilder::new("WITH ");
    let people = [
        (sides.me, sides.without_my_nsfw, "mine", "i_wish"),
        (sides.them, sides.without_their_nsfw, "theirs", "they_wish"),
    ];
    for (at, (user, without_nsfw, owned, wished)) in people.into_iter().enumerate() {
        let shown = if without_nsfw { " AND NOT f.is_nsfw" } else { "" };
        query.push(if at == 0 { "" } else { ", " });
        query
            .push(format_args!(
                "{owned} AS MATERIALIZED (SELECT f.id, count(*) AS pieces, {PINNED} AS pinned FROM owned_items AS o \
                     JOIN figures AS f ON f.id = o.figure_id WHERE {HERE}{shown} AND o.user_id = "
            ))
            .push_bind(user.uuid())
            .push(format_args!(
                " GROUP BY f.id), {wished} AS MATERIALIZED (SELECT f.id FROM wishlist_items AS w \
                     JOIN figures AS f ON f.id = w.figure_id WHERE true{shown} AND w.user_id = "
            ))
            .push_bind(user.uuid())
            .push(")");
    }
    query
}

/// How many figures each part has.
///
/// # Errors
/// When the database does not answer.
pub async fn overlap(pool: &PgPool, sides: Sides) -> sqlx::Result<Overlap> {
    const PARTS: [Part; 6] =
        [Part::Both, Part::OnlyMe, Part::OnlyThem, Part::BothWish, Part::MyWishes, Part::TheirWishes];
    let mut query = beginning(sides);
    let counts = PARTS.map(|part| format!("(SELECT count(*) FROM {}) AS {}", part.figures(), part.as_str()));
    query.push(" SELECT ").push(counts.join(", "));
    query.build_query_as().fetch_one(pool).await
}

/// The figures of one part by name; `limit` of them after `after`.
///
/// # Errors
/// [`ListError::Key`] for a key of another part, else when the database does not answer.
pub async fn compared(
    pool: &PgPool,
    sides: Sides,
    part: Part,
    after: Option<&ListKey>,
    limit: i64,
) -> Result<Vec<Compared>, ListError> {
    let mut query = beginning(sides);
    query.push(format_args!(
        " SELECT {}, coalesce(mine.pieces, 0) AS mine, coalesce(theirs.pieces, 0) AS theirs, {}, {}, {} \
         FROM (SELECT a.id FROM {}) AS part JOIN figures AS f ON f.id = part.id {} \
         LEFT JOIN mine ON mine.id = f.id LEFT JOIN theirs ON theirs.id = f.id WHERE true",
        FigureSummary::COLUMNS,
        Pinned::latest("mine.pinned", Eyes::Owner, "my_pin"),
        Pinned::latest("theirs.pinned", Eyes::Other, "their_pin"),
        ORDER.column(),
        part.figures(),
        FigureSummary::JOINS,
    ));
    if let Some(key) = after {
        if key.sort != part.as_str() {
            return Err(InvalidKey.into());
        }
        ORDER.after(&mut query, "f.id", false, key)?;
    }
    query.push(ORDER.order("f.id", false)).push(" LIMIT ").push_bind(limit);
    let rows = query.build().fetch_all(pool).await?;
    Ok(rows.iter().map(Compared::read).collect::<sqlx::Result<_>>()?)
}
