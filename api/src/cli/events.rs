//! `events`: the log, for people and for programs.

use std::{
    collections::HashMap,
    io::{self, IsTerminal, Write},
};

use anyhow::{Context, bail};
use domain::{ids::UserId, stream::Position};
use event_store::{EventFilter, RawEvent};
use operational::users::{self, Username};
use serde_json::{Value, value::RawValue};
use sqlx::PgPool;

use super::instance::{self, Instance, Interrupted};
use crate::{
    config::Config,
    moments::{Since, Until},
};

/// How many events are read at once.
const PAGE: u32 = 500;
/// Characters of a payload on a terminal.
const LONGEST: usize = 120;

/// Read the log, oldest first.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only events after this position
    #[arg(long, value_name = "POSITION")]
    after: Option<Position>,
    /// Only of streams of this type
    #[arg(long, value_name = "TYPE", value_parser = ["collection", "preorder", "figure", "entity", "claim"])]
    stream_type: Option<String>,
    /// Only of the stream with this id
    #[arg(long, value_name = "ID")]
    stream_id: Option<String>,
    /// Only events of this type, such as collection.piece_added
    #[arg(long, value_name = "TYPE")]
    event_type: Option<String>,
    /// Only what this account did: its name or id
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// Only since this day or moment, such as 2026-01-17 or 2026-01-17T09:30:00Z (days are UTC)
    #[arg(long, value_name = "TIME")]
    since: Option<Since>,
    /// Only until this day (its end) or moment
    #[arg(long, value_name = "TIME", conflicts_with = "follow")]
    until: Option<Until>,
    /// At most so many
    #[arg(long, value_name = "COUNT")]
    limit: Option<u64>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// Go on with what is recorded from now on, until interrupted
    #[arg(long)]
    follow: bool,
}

pub(super) async fn run(config: Config, args: Args) -> anyhow::Result<()> {
    let outcome = instance::with(&config, async |instance| {
        let actor = match &args.actor {
            Some(who) => Some(account(&instance.pool, who).await?),
            None => None,
        };
        let filter = EventFilter {
            after: args.after.unwrap_or_default(),
            stream_type: args.stream_type,
            stream_id: args.stream_id,
            event_type: args.event_type,
            actor,
            since: args.since.map(|since| since.0),
            until: args.until.map(|until| until.0),
        };
        let writer = Writer { json: args.json, cut: io::stdout().is_terminal(), names: HashMap::new() };
        read(instance, filter, args.limit.unwrap_or(u64::MAX), args.follow, writer).await
    })
    .await;
    match outcome {
        // That is how following ends.
        Err(error) if args.follow && error.is::<Interrupted>() => Ok(()),
        outcome => outcome,
    }
}

async fn read(
    instance: &Instance,
    mut filter: EventFilter,
    mut left: u64,
    follow: bool,
    mut writer: Writer,
) -> anyhow::Result<()> {
    let store = &instance.ledger.store;
    let mut head = store.subscribe();
    loop {
        let seen = *head.borrow_and_update();
        while left > 0 {
            let wanted = u32::try_from(left).unwrap_or(PAGE).min(PAGE);
            let page = store.inspect(&filter, wanted).await?;
            for event in &page {
                writer.write(&instance.pool, event).await?;
                filter.after = event.position;
                left = left.saturating_sub(1);
            }
            if u32::try_from(page.len()).is_ok_and(|length| length < wanted) {
                break;
            }
        }
        io::stdout().flush()?;
        if !follow || left == 0 {
            return Ok(());
        }
        // Everything up to there was looked at, whether or not it passed the filter.
        filter.after = filter.after.max(seen);
        head.changed().await.context("the log was closed")?;
    }
}

/// Writes events to standard output.
struct Writer {
    json: bool,
    /// Whether long payloads are cut.
    cut: bool,
    /// What accounts are called.
    names: HashMap<UserId, String>,
}

impl Writer {
    async fn write(&mut self, pool: &PgPool, event: &RawEvent) -> anyhow::Result<()> {
        let line =
            if self.json { one_line(&serde_json::to_string(event)?) } else { self.line(pool, event).await? };
        writeln!(io::stdout(), "{line}")?;
        Ok(())
    }

    async fn line(&mut self, pool: &PgPool, event: &RawEvent) -> anyhow::Result<String> {
        let actor = self.actor(pool, &event.metadata).await?;
        let mut payload = one_line(event.payload.get());
        if self.cut && payload.chars().count() > LONGEST {
            payload = payload.chars().take(LONGEST).chain(['…']).collect();
        }
        let recorded_at = event.recorded_at.format("%Y-%m-%d %H:%M:%SZ");
        let RawEvent { position, stream_type, stream_id, version, event_type, .. } = event;
        let mut line = format!(
            "{position:>7}  {recorded_at}  {event_type:<30}  {stream_type}/{stream_id}@{version}  by {actor}  {payload}"
        );
        if let Some(reason) = &event.undecodable {
            line.push_str("  [cannot be read: ");
            line.push_str(reason);
            line.push(']');
        }
        Ok(super::printable(&line))
    }

    async fn actor(&mut self, pool: &PgPool, metadata: &RawValue) -> anyhow::Result<String> {
        let metadata: Value = serde_json::from_str(metadata.get())?;
        let Some(actor) = metadata.get("actor").and_then(Value::as_str) else {
            return Ok("the system".to_owned());
        };
        let Ok(id) = actor.parse::<UserId>() else { return Ok(actor.to_owned()) };
        if let Some(name) = self.names.get(&id) {
            return Ok(name.clone());
        }
        let name = users::by_id(pool, id).await?.map_or_else(|| actor.to_owned(), |user| user.username);
        self.names.insert(id, name.clone());
        Ok(name)
    }
}

/// JSON may hold line breaks between its tokens, and nowhere else.
fn one_line(json: &str) -> String {
    if !json.contains(['\n', '\r']) {
        return json.to_owned();
    }
    json.replace(['\n', '\r'], " ")
}

async fn account(pool: &PgPool, who: &str) -> anyhow::Result<UserId> {
    if let Ok(id) = who.parse() {
        return Ok(id);
    }
    let found = match who.parse::<Username>() {
        Ok(name) => users::by_username(pool, &name).await?,
        Err(_no_name) => None,
    };
    match found {
        Some(user) => Ok(user.id),
        None => bail!("there is no account {who:?}"),
    }
}
