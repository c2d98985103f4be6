//! `gift_reservations`: wishes that somebody means to fulfil. Whoever wished never sees these rows, and nothing of
//! them is ever an event.

use std::collections::HashMap;

use domain::text::Line;
use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

use crate::{
    share_links::Opened,
    tokens::{self, Token},
};

/// What whoever reserves wants to be called.
pub type GiverName = Line<80>;

/// What became of reserving.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reserving {
    /// It is theirs. What releases it is here and nowhere else.
    Reserved(Token),
    /// Somebody was faster.
    Taken,
    /// The list is no longer shared by this link.
    LinkGone,
}

/// Reserves a wish under a name. Of several at once one gets it.
///
/// # Errors
/// Whatever the database reports.
pub async fn reserve(
    pool: &PgPool,
    link: &Opened,
    wish_id: Uuid,
    name: &GiverName,
) -> sqlx::Result<Reserving> {
    let secret = Token::new("");
    // The lock makes this come before or after the end of the link, which wipes what was reserved by it.
    let made = sqlx::query(
        "INSERT INTO gift_reservations (wish_id, link_id, name, secret_hash)
         SELECT $1, l.id, $4, $5 FROM share_links AS l WHERE l.id = $2 AND l.token_hash = $3 FOR SHARE OF l
         ON CONFLICT (wish_id) DO NOTHING",
    )
    .bind(wish_id)
    .bind(link.link_id)
    .bind(link.token_hash.as_slice())
    .bind(name.as_str())
    .bind(secret.hash().as_slice())
    .execute(pool)
    .await?;
    if made.rows_affected() > 0 {
        return Ok(Reserving::Reserved(secret));
    }
    let stands: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM share_links WHERE id = $1 AND token_hash = $2)")
            .bind(link.link_id)
            .bind(link.token_hash.as_slice())
            .fetch_one(pool)
            .await?;
    Ok(if stands { Reserving::Taken } else { Reserving::LinkGone })
}

/// The reservations of a list: the wish, and the name it is reserved under.
///
/// # Errors
/// Whatever the database reports.
pub async fn of_link(db: impl PgExecutor<'_>, link_id: Uuid) -> sqlx::Result<HashMap<Uuid, String>> {
    let rows: Vec<(Uuid, String)> =
        sqlx::query_as("SELECT wish_id, name FROM gift_reservations WHERE link_id = $1")
            .bind(link_id)
            .fetch_all(db)
            .await?;
    Ok(rows.into_iter().collect())
}

/// What became of releasing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Releasing {
    /// Anybody can reserve it again.
    Released,
    /// It is reserved with another secret.
    WrongSecret,
    /// It is not reserved.
    NotReserved,
}

/// Takes a reservation back with its secret.
///
/// # Errors
/// Whatever the database reports.
pub async fn release(pool: &PgPool, link: &Opened, wish_id: Uuid, secret: &str) -> sqlx::Result<Releasing> {
    let gone =
        sqlx::query("DELETE FROM gift_reservations WHERE wish_id = $1 AND link_id = $2 AND secret_hash = $3")
            .bind(wish_id)
            .bind(link.link_id)
            .bind(tokens::hash(secret).as_slice())
            .execute(pool)
            .await?;
    if gone.rows_affected() > 0 {
        return Ok(Releasing::Released);
    }
    let reserved: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM gift_reservations WHERE wish_id = $1 AND link_id = $2)",
    )
    .bind(wish_id)
    .bind(link.link_id)
    .fetch_one(pool)
    .await?;
    Ok(if reserved { Releasing::WrongSecret } else { Releasing::NotReserved })
}

/// Lets go of a list's reservations of wishes that are gone, and says how many. Those of the last hour stay: their
/// wishes may be younger than what the caller has read.
///
/// # Errors
/// Whatever the database reports.
pub async fn keep_only(db: impl PgExecutor<'_>, link_id: Uuid, wishes: &[Uuid]) -> sqlx::Result<u64> {
    let gone = sqlx::query(
        "DELETE FROM gift_reservations
         WHERE link_id = $1 AND wish_id <> ALL ($2) AND created_at < now() - interval '1 hour'",
    )
    .bind(link_id)
    .bind(wishes)
    .execute(db)
    .await?;
    Ok(gone.rows_affected())
}
