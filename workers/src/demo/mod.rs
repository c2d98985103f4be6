//! A collection to look around in: an account, a handful of figures that exist nowhere else, and somebody's
//! shelves with all that can happen to them. Everything in it is made up.
//!
//! Filling is safe to repeat: figures are told apart by their numbers, and the collection is filled in one
//! append, only as long as it has no history at all. So a visitor's changes stay.

mod content;
mod fill;

use chrono::Utc;
use domain::commands::{CatalogueFigure, Many};
use domain::dates::DateError;
use domain::gtin::GtinError;
use domain::ids::{CommandId, UserId};
use domain::money::MoneyError;
use domain::stream::{Position, StreamId};
use domain::text::{TextError, UrlError};
use domain::world::Circumstances;
use event_store::{EventStore, ExecuteError, Execution};
use operational::passwords::{Password, PasswordRefused, Passwords};
use operational::users::{self, AccountRefused, NewUser, UserError, Username};
use sqlx::PgPool;
use uuid::Uuid;

/// The demo account's name.
pub const USERNAME: &str = "demo";
/// Its password: no secret, which is why the account is made on request only.
pub const PASSWORD: &str = "figure-demo-password";
/// Its e-mail address.
pub const EMAIL: &str = "demo@example.org";

/// Why the demo could not be filled. Running it again goes on from where it was.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The account could not be made.
    #[error("the demo account cannot be made: {0}")]
    User(#[from] UserError),
    /// The account's name or address is none.
    #[error("the demo account cannot be made: {0}")]
    Account(#[from] AccountRefused),
    /// Its password is none.
    #[error("the demo account cannot be made: {0}")]
    Password(#[from] PasswordRefused),
    /// The log took no append, or the rules said no.
    #[error("the demo collection cannot be filled: {0}")]
    Execute(#[from] ExecuteError),
    /// The content breaks a rule of the domain.
    #[error("the demo's content is wrong: {0}")]
    Text(#[from] TextError),
    /// As above.
    #[error("the demo's content is wrong: {0}")]
    Money(#[from] MoneyError),
    /// As above.
    #[error("the demo's content is wrong: {0}")]
    Date(#[from] DateError),
    /// As above.
    #[error("the demo's content is wrong: {0}")]
    Gtin(#[from] GtinError),
    /// As above.
    #[error("the demo's content is wrong: {0}")]
    Url(#[from] UrlError),
    /// The database did not answer.
    #[error("the database is not available: {0}")]
    Database(#[from] sqlx::Error),
}

/// What filling came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filled {
    /// The demo account.
    pub user_id: UserId,
    /// Figures that were added to the catalogue.
    pub figures: usize,
    /// Whether the collection was filled now; `false` when it has a history already.
    pub collection: bool,
    /// Read models at this position show it.
    pub position: Position,
}

/// Makes the demo account, its figures and its collection, as far as they are not there. Dates are relative
/// to today (UTC) of the first run. An account of that name that exists is used as it is.
///
/// # Errors
/// [`DemoError`].
pub async fn fill(store: &EventStore, pool: &PgPool, passwords: &Passwords) -> Result<Filled, DemoError> {
    let user_id = account(pool, passwords).await?;
    let now = Utc::now();
    let circumstances =
        |actor| Circumstances { actor, is_admin: false, now, command_id: CommandId(Uuid::now_v7()) };
    let figures = content::figures(now.date_naive())?;
    let prefetch: Vec<StreamId> = figures.iter().flat_map(CatalogueFigure::streams).collect();
    let how = Execution { prefetch, ..Execution::new(circumstances(None)) };
    let catalogued = store.execute(&Many(figures), &how).await?;
    let collection = content::collection(user_id, now.date_naive())?;
    let filled = store.execute(&collection, &Execution::new(circumstances(Some(user_id)))).await?;
    Ok(Filled {
        user_id,
        figures: catalogued.answer.iter().filter(|c| !c.existed).count(),
        collection: filled.answer,
        position: catalogued.position.max(filled.position),
    })
}

async fn account(pool: &PgPool, passwords: &Passwords) -> Result<UserId, DemoError> {
    let username: Username = USERNAME.parse()?;
    if let Some(user) = users::by_username(pool, &username).await? {
        return Ok(user.id);
    }
    let new = NewUser {
        username: username.clone(),
        email: Some(EMAIL.parse()?),
        password: Password::parse(PASSWORD)?,
        is_admin: false,
    };
    match users::create(pool, passwords, &new).await {
        Ok(user) => Ok(user.id),
        // Two demos at once: the other one's account is as good.
        Err(UserError::UsernameTaken) => match users::by_username(pool, &username).await? {
            Some(user) => Ok(user.id),
            None => Err(UserError::NotFound.into()),
        },
        Err(error) => Err(error.into()),
    }
}
