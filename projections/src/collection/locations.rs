//! Reading cabinets, registered or only typed, and what they hold.

use chrono::{DateTime, Utc};
use domain::ids::{CabinetId, UserId};
use rust_decimal::Decimal;
use sqlx::PgPool;
use uuid::Uuid;

/// A place where pieces stand, with what stands there. Archived pieces and those yet to be received do not
/// count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocationSum {
    /// Its registration; none when the name is only typed on pieces.
    pub cabinet: Option<CabinetRecord>,
    /// Its name; none for the pieces that stand nowhere.
    pub name: Option<String>,
    /// How many pieces are there.
    pub pieces: i64,
    /// How many of them have a value.
    pub valued: i64,
    /// What they are worth, one sum for each currency in the order of their codes: the owner's own
    /// valuation of each, else the market price, else the list price.
    pub value: Vec<(String, Decimal)>,
}

/// A registered location.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the columns of `cabinets`")]
pub struct CabinetRecord {
    pub id: Uuid,
    pub name: String,
    pub sort_order: i32,
    pub version: i64,
    pub created_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct Part {
    id: Option<Uuid>,
    registered: Option<String>,
    sort_order: Option<i32>,
    version: Option<i64>,
    created_at: Option<DateTime<Utc>>,
    typed_key: Option<String>,
    typed: Option<String>,
    currency: Option<String>,
    pieces: Option<i64>,
    amount: Option<Decimal>,
}

impl Part {
    fn cabinet(&self) -> Option<CabinetRecord> {
        Some(CabinetRecord {
            id: self.id?,
            name: self.registered.clone()?,
            sort_order: self.sort_order?,
            version: self.version?,
            created_at: self.created_at?,
        })
    }

    /// Parts of one place have the same.
    fn place(&self) -> (Option<Uuid>, Option<&str>) {
        (self.id, self.typed_key.as_deref().filter(|_| self.id.is_none()))
    }
}

/// Every place of a person: the registered ones in their order, those only typed by name, and at the end
/// the pieces that stand nowhere.
///
/// # Errors
/// When the database does not answer.
pub async fn locations(pool: &PgPool, user: UserId) -> sqlx::Result<Vec<LocationSum>> {
    sums(pool, user, None).await
}

/// One registered location of a person's own.
///
/// # Errors
/// When the database does not answer.
pub async fn cabinet(pool: &PgPool, user: UserId, id: CabinetId) -> sqlx::Result<Option<LocationSum>> {
    let found = sums(pool, user, Some(id.uuid())).await?;
    Ok(found.into_iter().find(|place| place.cabinet.as_ref().is_some_and(|cabinet| cabinet.id == id.uuid())))
}

async fn sums(pool: &PgPool, user: UserId, only: Option<Uuid>) -> sqlx::Result<Vec<LocationSum>> {
    // One statement, so that cabinets and pieces are of one moment.
    let parts: Vec<Part> = sqlx::query_as(
        "SELECT c.id, c.name AS registered, c.sort_order, c.version, c.created_at, \
                held.location_key AS typed_key, held.location AS typed, held.currency, held.pieces, held.amount \
         FROM (SELECT id, name, name_key, sort_order, version, created_at FROM cabinets WHERE user_id = $1) AS c \
         FULL JOIN ( \
             SELECT piece.location_key, min(piece.location) AS location, piece.currency, \
                    count(*) FILTER (WHERE piece.is_owned) AS pieces, \
                    sum(piece.amount) FILTER (WHERE piece.is_owned) AS amount \
             FROM (SELECT o.location_key, o.location, \
                          o.preorder_status IS NULL OR o.preorder_status = 'received' AS is_owned, \
                          CASE WHEN o.value_amount IS NOT NULL THEN o.value_currency \
                              WHEN f.market_amount IS NOT NULL THEN f.market_currency ELSE f.msrp_currency END AS currency, \
                          CASE WHEN o.value_amount IS NOT NULL THEN o.value_amount \
                              WHEN f.market_amount IS NOT NULL THEN f.market_amount ELSE f.msrp_amount END AS amount \
                   FROM owned_items AS o LEFT JOIN cote_figures AS f ON f.figure_id = o.figure_id \
                   WHERE o.user_id = $1 AND o.archived_at IS NULL) AS piece \
             GROUP BY piece.location_key, piece.currency \
         ) AS held ON held.location_key = c.name_key \
         WHERE $2::uuid IS NULL OR c.id = $2 \
         ORDER BY c.sort_order NULLS LAST, c.created_at, c.id, held.location_key NULLS LAST, held.currency",
    )
    .bind(user.uuid())
    .bind(only)
    .fetch_all(pool)
    .await?;
    let mut places: Vec<LocationSum> = Vec::new();
    for together in parts.chunk_by(|a, b| a.place() == b.place()) {
        let Some(first) = together.first() else { continue };
        let cabinet = first.cabinet();
        let name = match &cabinet {
            Some(cabinet) => Some(cabinet.name.clone()),
            None => together.iter().filter_map(|part| part.typed.clone()).min(),
        };
        let sums = |part: &Part| Some((part.currency.clone()?, part.amount?));
        let pieces = |part: &Part| part.pieces.unwrap_or(0);
        places.push(LocationSum {
            cabinet,
            name,
            pieces: together.iter().map(pieces).sum(),
            valued: together.iter().filter(|part| part.amount.is_some()).map(pieces).sum(),
            value: together.iter().filter_map(sums).collect(),
        });
    }
    if only.is_none() && places.last().is_none_or(|last| last.name.is_some()) {
        places.push(LocationSum { cabinet: None, name: None, pieces: 0, valued: 0, value: Vec::new() });
    }
    Ok(places)
}
