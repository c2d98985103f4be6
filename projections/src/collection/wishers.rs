//! Who wishes for a figure.

use domain::ids::{FigureId, UserId};
use domain::money::Money;
use sqlx::PgConnection;
use uuid::Uuid;

/// Somebody who wishes for a figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wisher {
    /// Who.
    pub user_id: UserId,
    /// The price they wait for.
    pub target: Option<Money>,
}

/// Everybody who wishes for a figure, by id.
///
/// # Errors
/// When the database does not answer or holds no such amount or currency.
pub async fn wishers(connection: &mut PgConnection, figure_id: FigureId) -> sqlx::Result<Vec<Wisher>> {
    let rows: Vec<(Uuid, Option<rust_decimal::Decimal>, Option<String>)> = sqlx::query_as(
        "SELECT user_id, max_price_amount, max_price_currency FROM wishlist_items \
         WHERE figure_id = $1 ORDER BY user_id",
    )
    .bind(figure_id.uuid())
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|(user_id, amount, currency)| {
            let target = match (amount, currency) {
                (Some(amount), Some(currency)) => Some(money(amount, &currency)?),
                _ => None,
            };
            Ok(Wisher { user_id: UserId(user_id), target })
        })
        .collect()
}

fn money(amount: rust_decimal::Decimal, currency: &str) -> sqlx::Result<Money> {
    let wrong = |error: domain::money::MoneyError| sqlx::Error::Decode(error.into());
    Money::new(amount.try_into().map_err(wrong)?, currency.parse().map_err(wrong)?).map_err(wrong)
}
