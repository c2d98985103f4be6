//! `admin`: what is done to an instance from its own machine.

use std::{
    io::{BufRead, IsTerminal, Write},
    time::Duration,
};

use anyhow::{Context, bail};
use clap::Subcommand;
use database::Database;
use operational::{
    api_keys,
    password_resets::{self, AskedBy},
    passwords::Password,
    sessions,
    users::{self, AccessChange, Email, NewUser, User, UserError, Username},
};
use uuid::Uuid;

use super::instance;
use crate::{
    config::Config,
    erasure::{Eraser, ErasureError},
    http::auth_reset,
};

/// How many times it is waited for read models that are late.
const PATIENCE: u32 = 20;

/// Look after the instance.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an account; its password is the first line of standard input
    CreateUser {
        /// 3 to 30 of a-z, 0-9, _ and -
        name: String,
        /// Their e-mail address
        #[arg(long)]
        email: Option<String>,
        /// Let them run the instance
        #[arg(long)]
        admin: bool,
    },
    /// Make a link with which somebody sets a new password, once, within a day
    ResetPassword {
        /// The username
        name: String,
    },
    /// Let somebody run the instance
    Promote {
        /// The username
        name: String,
    },
    /// Let somebody run the instance no more
    Demote {
        /// The username
        name: String,
    },
    /// Shut somebody out: their sessions and API keys end at once
    Suspend {
        /// The username
        name: String,
    },
    /// Let somebody in again
    Unsuspend {
        /// The username
        name: String,
    },
    /// End every session of somebody and take their API keys away
    SignOut {
        /// The username
        name: String,
    },
    /// Erase a person for good: account, pieces, pre-orders, wishes, and what the log says of them
    EraseUser {
        /// The username
        name: String,
        /// Do not ask whether it is meant
        #[arg(long)]
        yes: bool,
    },
}

pub(super) async fn run(config: Config, args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::CreateUser { name, email, admin } => create_user(config, name, email, admin).await,
        Command::ResetPassword { name } => reset_password(config, &name).await,
        Command::Promote { name } => change(config, &name, Some(true), None, "runs the instance").await,
        Command::Demote { name } => change(config, &name, Some(false), None, "is no admin").await,
        Command::Suspend { name } => change(config, &name, None, Some(true), "is shut out").await,
        Command::Unsuspend { name } => change(config, &name, None, Some(false), "may sign in").await,
        Command::SignOut { name } => sign_out(config, &name).await,
        Command::EraseUser { name, yes } => erase_user(config, name, yes).await,
    }
}

async fn named(database: &Database, name: &str) -> anyhow::Result<User> {
    let username: Username = name.parse()?;
    let found = users::by_username(&database.pool, &username).await?;
    found.with_context(|| format!("there is no account {username}"))
}

async fn reset_password(config: Config, name: &str) -> anyhow::Result<()> {
    instance::with_database(&config, async |database| {
        let user = named(database, name).await?;
        if user.suspended_at.is_some() {
            bail!("the account {} is suspended; unsuspend it first", user.username);
        }
        let begun = password_resets::begin(&database.pool, user.id, AskedBy::Admin).await?;
        let (token, until) = begun.context("the link was not made")?;
        let link = auth_reset::link(&config, &token);
        writeln!(std::io::stdout(), "{} sets a new password at\n  {link}\nuntil {until}", user.username)?;
        Ok(())
    })
    .await
}

async fn change(
    config: Config,
    name: &str,
    is_admin: Option<bool>,
    suspended: Option<bool>,
    outcome: &str,
) -> anyhow::Result<()> {
    instance::with_database(&config, async |database| {
        let user = named(database, name).await?;
        users::change_access(&database.pool, user.id, AccessChange { is_admin, suspended }).await?;
        writeln!(std::io::stdout(), "{} {outcome}", user.username)?;
        Ok(())
    })
    .await
}

async fn sign_out(config: Config, name: &str) -> anyhow::Result<()> {
    instance::with_database(&config, async |database| {
        let user = named(database, name).await?;
        let sessions = sessions::end_all(&database.pool, user.id).await?;
        let keys = api_keys::revoke_all(&database.pool, user.id).await?;
        writeln!(std::io::stdout(), "{}: {sessions} sessions ended, {keys} keys revoked", user.username)?;
        Ok(())
    })
    .await
}

async fn erase_user(config: Config, name: String, yes: bool) -> anyhow::Result<()> {
    let username: Username = name.parse()?;
    instance::with(&config, async |instance| {
        let Some(user) = users::by_username(&instance.pool, &username).await? else {
            bail!("there is no account {username}");
        };
        if !yes && !is_meant(&user.username)? {
            bail!("nothing was erased");
        }
        let _folding = instance.fold();
        let eraser = Eraser::new(&instance.pool, &instance.ledger.store, &instance.ledger.projections);
        eraser.begin(user.id, None, Uuid::now_v7()).await?;
        writeln!(std::io::stdout(), "the account {} ({}) is gone", user.username, user.id)?;
        for _ in 0..PATIENCE {
            match eraser.carry_on_with(user.id).await {
                Ok(()) => {
                    writeln!(std::io::stdout(), "nothing of it is left")?;
                    return Ok(());
                }
                // Read models that are on their way get there; a halted one says so at once.
                Err(ErasureError::ReadModels(_)) => tokio::time::sleep(Duration::from_secs(1)).await,
                Err(error) => return Err(error).context("the rest is erased by the next server that starts"),
            }
        }
        let left = eraser.carry_on_with(user.id).await;
        left.context("the rest is erased by the next server that starts, once these read models go on")
    })
    .await
}

/// Asks on the terminal; the name typed again means yes.
fn is_meant(name: &str) -> anyhow::Result<bool> {
    eprint!("This cannot be undone. Type {name} to erase this person: ");
    std::io::stderr().flush()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("there is no answer on standard input")?;
    Ok(line.trim() == name)
}

async fn create_user(config: Config, name: String, email: Option<String>, admin: bool) -> anyhow::Result<()> {
    let username: Username = name.parse()?;
    let email = email.map(|address| address.parse::<Email>()).transpose()?;
    let password = Password::parse(&read_password()?)?;
    let new = NewUser { username, email, password, is_admin: admin };
    let database = super::open(&config).await?;
    let made = users::create(&database.pool, &super::passwords()?, &new).await;
    database.close().await?;
    match made {
        Ok(user) => {
            let role = if user.is_admin { "admin" } else { "user" };
            println!("made the {role} {} ({})", user.username, user.id);
            Ok(())
        }
        Err(error @ (UserError::UsernameTaken | UserError::EmailTaken)) => bail!("{error}"),
        Err(error) => Err(error).context("the account was not made"),
    }
}

fn read_password() -> anyhow::Result<String> {
    let mut stdin = std::io::stdin().lock();
    if stdin.is_terminal() {
        eprint!("Password (shown as you type; pipe it in to hide it): ");
        std::io::stderr().flush()?;
    }
    let mut line = String::new();
    let read = stdin.read_line(&mut line).context("the password cannot be read from standard input")?;
    if read == 0 {
        bail!("there is no password on standard input");
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
