//! `oidc_flows`: sign-ins at a provider that have begun and are not back yet.

use chrono::TimeDelta;
use domain::ids::UserId;
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::tokens;

/// How long somebody may take at the provider.
pub const LASTS: TimeDelta = TimeDelta::minutes(10);

/// One sign-in on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// The provider's name here.
    pub provider: String,
    /// What the ID token has to repeat.
    pub nonce: String,
    /// What proves to the provider that the code is ours (PKCE).
    pub verifier: String,
    /// Where the person goes afterwards: a path of this server.
    pub return_to: String,
    /// Whose account the identity is to be linked to; none for signing in.
    pub link_to: Option<UserId>,
}

/// Remembers a sign-in under its state, for the browser that holds this secret.
///
/// # Errors
/// Whatever the database reports.
pub async fn begin(
    db: impl PgExecutor<'_>,
    state: &str,
    browser: &str,
    flow: &Flow,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO oidc_flows
             (state_hash, browser_hash, provider, nonce, verifier, return_to, link_user_id, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, now() + $8)",
    )
    .bind(tokens::hash(state).as_slice())
    .bind(tokens::hash(browser).as_slice())
    .bind(&flow.provider)
    .bind(&flow.nonce)
    .bind(&flow.verifier)
    .bind(&flow.return_to)
    .bind(flow.link_to.map(|user| user.uuid()))
    .bind(LASTS)
    .execute(db)
    .await?;
    Ok(())
}

/// Takes a sign-in back, once, in the browser that began it; none for any other state.
///
/// # Errors
/// Whatever the database reports.
pub async fn take(
    db: impl PgExecutor<'_>,
    provider: &str,
    state: &str,
    browser: &str,
) -> Result<Option<Flow>, sqlx::Error> {
    type Columns = (String, String, String, String, Option<Uuid>);
    let taken: Option<Columns> = sqlx::query_as(
        "DELETE FROM oidc_flows
         WHERE state_hash = $1 AND browser_hash = $2 AND provider = $3 AND expires_at > now()
         RETURNING provider, nonce, verifier, return_to, link_user_id",
    )
    .bind(tokens::hash(state).as_slice())
    .bind(tokens::hash(browser).as_slice())
    .bind(provider)
    .fetch_optional(db)
    .await?;
    Ok(taken.map(|(provider, nonce, verifier, return_to, link_to)| Flow {
        provider,
        nonce,
        verifier,
        return_to,
        link_to: link_to.map(UserId::from),
    }))
}
