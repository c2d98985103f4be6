//! Somebody to look around as.

use operational::{
    passwords::{Password, Passwords},
    users::{self, NewUser, UserError, Username},
};
use sqlx::PgPool;

/// The demo account's name.
pub(super) const USERNAME: &str = "demo";
/// Its password: no secret, which is why the account is made on request only.
pub(super) const PASSWORD: &str = "figures-on-a-shelf";

/// Makes the demo account unless somebody has that name already; running it again changes nothing.
pub(super) async fn ensure_user(pool: &PgPool, passwords: &Passwords) -> anyhow::Result<()> {
    let username: Username = USERNAME.parse()?;
    if users::by_username(pool, &username).await?.is_some() {
        return Ok(());
    }
    let new = NewUser { username, email: None, password: Password::parse(PASSWORD)?, is_admin: false };
    match users::create(pool, passwords, &new).await {
        Ok(_) | Err(UserError::UsernameTaken) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
