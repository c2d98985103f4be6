//! `admin`: what is done to an instance from its own machine.

use std::io::{BufRead, IsTerminal, Write};

use anyhow::{Context, bail};
use clap::Subcommand;
use operational::{
    passwords::Password,
    users::{self, Email, NewUser, UserError, Username},
};

use crate::config::Config;

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
}

pub(super) async fn run(config: Config, args: Args) -> anyhow::Result<()> {
    let Command::CreateUser { name, email, admin } = args.command;
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
