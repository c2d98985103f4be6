//! `import`: a catalogue, somebody's collection, or exchange rates, from a file.
//!
//! Exits with 0 when the file was worked through, also when single lines could not be used: they are told on
//! standard error, each with its number. Exits with 1 when the file is not of its kind, when none of its
//! lines could be used, or when the import stopped half-way; running it again goes on from there.

use std::{
    fmt::Write as _,
    io::Write,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use anyhow::{Context, bail};
use chrono::Utc;
use clap::Subcommand;
use domain::money::Currency;
use operational::{
    figure_types, fx_rates,
    passwords::Passwords,
    users::{self, User, Username},
};
use workers::{
    fx::history::{self, HistoryReport},
    imports::{
        Mode,
        backup::{self, Covers, Restored},
        catalogue::{self, CatalogueReport},
        mfc::{self, Fate, MfcReport, RowReport},
    },
    manga::{Manga, Options},
};

use super::{instance, instance::Instance, printable, progress::Progress, width};
use crate::config::Config;

/// How long running servers are waited for; they need a fraction of a second.
const SERVERS_WITHIN: Duration = Duration::from_secs(5);

/// Bring in a catalogue, a collection or exchange rates from a file; running it again adds nothing twice.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Figures as JSON lines, told apart by their line and number
    Catalogue {
        /// The file
        #[arg(value_name = "FILE.jsonl")]
        file: PathBuf,
        /// Tell what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// A collection as MyFigureCollection's CSV export has it
    Mfc {
        /// The file
        #[arg(value_name = "FILE.csv")]
        file: PathBuf,
        /// Whose collection it is
        #[arg(long, value_name = "NAME")]
        user: String,
        /// Tell what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
        /// The currency of paid prices that have none beside them [default: the user's own]
        #[arg(long, value_name = "CODE")]
        currency: Option<Currency>,
    },
    /// What somebody took along with `GET /api/me/export/backup.json`, of any size, into their account
    Backup {
        /// The file
        #[arg(value_name = "FILE.json")]
        file: PathBuf,
        /// Into whose account
        #[arg(long, value_name = "NAME")]
        user: String,
        /// Tell what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// The euro's exchange rates as the ECB publishes their history: the zip, or the CSV in it
    Fx {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

pub(super) async fn run(config: Config, args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Catalogue { file, dry_run } => {
            let bytes = read(&file)?;
            instance::with(&config, async |instance| import_catalogue(instance, &bytes, mode(dry_run)).await)
                .await
        }
        Command::Mfc { file, user, dry_run, currency } => {
            let username: Username = user.parse()?;
            let bytes = read(&file)?;
            instance::with(&config, async |instance| {
                import_mfc(instance, &username, &bytes, currency, mode(dry_run)).await
            })
            .await
        }
        Command::Backup { file, user, dry_run } => {
            let username: Username = user.parse()?;
            let (bytes, passwords) = (read(&file)?, super::passwords()?);
            instance::with(&config, async |instance| {
                let manga = Manga::new(&instance.pool, config.outbound_allowed.clone(), Options::default())?;
                import_backup(instance, &username, &bytes, (&passwords, &manga), mode(dry_run)).await
            })
            .await
        }
        Command::Fx { file } => {
            let bytes = read(&file)?;
            instance::with(&config, async |instance| import_fx(instance, &bytes).await).await
        }
    }
}

const fn mode(dry_run: bool) -> Mode {
    if dry_run { Mode::DryRun } else { Mode::Append }
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))
}

async fn types(instance: &Instance) -> anyhow::Result<Vec<String>> {
    let types = figure_types::list(&instance.pool).await?;
    Ok(types.into_iter().map(|one| one.code.to_string()).collect())
}

/// What an import calls after each chunk.
fn telling(progress: &Mutex<Progress>) -> impl Fn(workers::imports::Progress) + Send + Sync {
    |now| {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        if let Ok(mut progress) = progress.lock() {
            progress.at(count(now.done), count(now.total));
        }
    }
}

async fn import_catalogue(instance: &Instance, bytes: &[u8], mode: Mode) -> anyhow::Result<()> {
    let _folding = instance.fold();
    let types = types(instance).await?;
    let progress = Mutex::new(Progress::new("importing", "figures"));
    let report = catalogue::import(&instance.ledger.store, &types, bytes, mode, &telling(&progress)).await?;
    show(instance, &progress, report.position).await?;
    drop(progress);
    for broken in report.broken.iter().chain(&report.series_left) {
        eprintln!("line {}: {}", broken.line, printable(&broken.reason));
    }
    std::io::stdout().lock().write_all(catalogue_summary(&report, mode).as_bytes())?;
    if report.added == 0 && report.already_there == 0 && !report.broken.is_empty() {
        bail!("no line could be used");
    }
    Ok(())
}

/// Waits until the read models show the import.
async fn show(
    instance: &Instance,
    progress: &Mutex<Progress>,
    position: Option<domain::stream::Position>,
) -> anyhow::Result<()> {
    let Some(position) = position else { return Ok(()) };
    if let Ok(mut progress) = progress.lock() {
        progress.then("waiting for the read models");
    }
    instance.shown(position).await
}

fn catalogue_summary(report: &CatalogueReport, mode: Mode) -> String {
    let added = if mode == Mode::DryRun { "would be added" } else { "added" };
    let mut counts = vec![
        (report.added, added),
        (report.already_there, "there already"),
        (report.broken.len(), "could not be used"),
    ];
    if report.blank > 0 {
        counts.push((report.blank, "blank"));
    }
    let mut text = summary(report.lines, if report.lines == 1 { "line" } else { "lines" }, &counts);
    if report.series_identified > 0 {
        let verb = if mode == Mode::DryRun { "would get" } else { "got" };
        let _ = writeln!(text, "{} series {verb} their number on MyAnimeList", report.series_identified);
    }
    text
}

/// A sum and what it consists of, one to a line, figures under figures.
fn summary(total: usize, of: &str, counts: &[(usize, &str)]) -> String {
    let wide = total.to_string().len();
    let mut text = format!("{total} {of}\n");
    for (count, what) in counts {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {count:>wide$}  {what}");
    }
    text
}

async fn import_mfc(
    instance: &Instance,
    username: &Username,
    bytes: &[u8],
    currency: Option<Currency>,
    mode: Mode,
) -> anyhow::Result<()> {
    let user = owner(instance, username).await?;
    let _folding = instance.fold();
    let types = types(instance).await?;
    let request = mfc::Request {
        user: user.id,
        file: bytes,
        unmarked_currency: currency.or(user.preferred_currency),
        mode,
    };
    let progress = Mutex::new(Progress::new("importing", "rows"));
    let ledger = &instance.ledger;
    let report =
        mfc::import(&ledger.store, &ledger.projections, &types, &request, &telling(&progress)).await?;
    let position = report.position.filter(|_| !report.dry_run);
    show(instance, &progress, position).await?;
    drop(progress);
    let mut out = std::io::stdout().lock();
    out.write_all(mfc_rows(&report.rows).as_bytes())?;
    out.write_all(mfc_summary(&report).as_bytes())?;
    if !report.rows.is_empty() && report.rows.iter().all(|row| row.fate == Fate::Refused) {
        bail!("no row could be used");
    }
    Ok(())
}

async fn import_backup(
    instance: &Instance,
    username: &Username,
    bytes: &[u8],
    (passwords, manga): (&Passwords, &Manga),
    mode: Mode,
) -> anyhow::Result<()> {
    let user = owner(instance, username).await?;
    let _folding = instance.fold();
    let types = types(instance).await?;
    let request = backup::Request { user: user.id, file: bytes, types: &types, mode, passwords, manga };
    let progress = Mutex::new(Progress::new("restoring", "things"));
    let ledger = &instance.ledger;
    let restored = backup::restore(&ledger.store, &ledger.projections, &request, &telling(&progress)).await?;
    show(instance, &progress, restored.position).await?;
    drop(progress);
    std::io::stdout().lock().write_all(backup_summary(&restored, mode).as_bytes())?;
    Ok(())
}

fn backup_summary(restored: &Restored, mode: Mode) -> String {
    let added = if mode == Mode::DryRun { "would be added" } else { "added" };
    let kinds = [
        (restored.figures, "catalogue entries"),
        (restored.cabinets, "cabinets"),
        (restored.pieces, "pieces"),
        (restored.wishes, "wishes"),
    ];
    let mut text = String::new();
    for (tally, what) in kinds {
        let counts = [(tally.new, added), (tally.known, "there already")];
        text.push_str(&summary(tally.new.saturating_add(tally.known), what, &counts));
    }
    text.push_str(match (restored.settings, mode) {
        (true, Mode::DryRun) => "settings would be taken over\n",
        (true, Mode::Append) => "settings taken over\n",
        (false, _) => "settings left as they are\n",
    });
    if restored.covers != Covers::default() {
        let Covers { new, known, without_picture } = restored.covers;
        let counts = [(new, "pinned"), (known, "pinned here"), (without_picture, "without a picture here")];
        text.push_str(&summary(new.saturating_add(known).saturating_add(without_picture), "covers", &counts));
    }
    if let Some(link) = restored.manga_link {
        text.push_str(&format!("link to a manga shelf: {}\n", link.as_str().replace('_', " ")));
    }
    text
}

async fn owner(instance: &Instance, username: &Username) -> anyhow::Result<User> {
    let found = users::by_username(&instance.pool, username).await?;
    found.with_context(|| {
        format!("there is no user {username}; make one with `figure-ledger admin create-user {username}`")
    })
}

async fn import_fx(instance: &Instance, bytes: &[u8]) -> anyhow::Result<()> {
    let progress = Mutex::new(Progress::new("importing", "rates"));
    let telling = |done: usize, total: usize| {
        telling(&progress)(workers::imports::Progress { done, total });
    };
    let report = history::load(&instance.ledger.fx, bytes, Utc::now(), &telling).await?;
    drop(progress);
    // A server that runs beside this has them before this ends.
    if !fx_rates::read_by_all(&instance.pool, SERVERS_WITHIN).await? {
        eprintln!("the rates are stored, but a running server has not taken them up yet");
    }
    for refused in &report.refused {
        eprintln!("{}", printable(&refused.to_string()));
    }
    std::io::stdout().lock().write_all(fx_summary(&report).as_bytes())?;
    Ok(())
}

fn fx_summary(report: &HistoryReport) -> String {
    let stored = report.stored;
    let days = stored.new + stored.changed + stored.unchanged + report.refused.len();
    let of = format!("days, those taken from {} to {}", report.first, report.last);
    let mut counts = vec![(stored.new, "added"), (stored.unchanged, "there already")];
    if stored.changed > 0 {
        counts.push((stored.changed, "there already with other rates, replaced"));
    }
    counts.push((report.refused.len(), "could not be used"));
    summary(days, &of, &counts)
}

/// Every row and its fate; what varies in width stands last.
fn mfc_rows(rows: &[RowReport]) -> String {
    let lines = rows.iter().map(|row| row.line).max().unwrap_or(0).to_string().len().max("line".len());
    let fates = width(rows.iter().map(|row| row.fate.as_str()).chain(["fate"]));
    let found = |row: &RowReport| row.figure.map_or("", |found| found.as_str());
    let figures = width(rows.iter().map(found).chain(["figure"]));
    let mut text = String::new();
    if !rows.is_empty() {
        let _ = writeln!(text, "{:>lines$}  {:fates$}  {:figures$}  title", "line", "fate", "figure");
    }
    for row in rows {
        let title = printable(&row.title);
        let _ = write!(
            text,
            "{:>lines$}  {:fates$}  {:figures$}  {title}",
            row.line,
            row.fate.as_str(),
            found(row)
        );
        if !row.detail.is_empty() {
            let _ = write!(text, " ({})", printable(&row.detail));
        }
        text.push('\n');
    }
    text
}

fn mfc_summary(report: &MfcReport) -> String {
    let fates = report.fates();
    let counts: Vec<(usize, &str)> = fates.iter().map(|(fate, count)| (*count, fate.as_str())).collect();
    let rows = report.rows.len();
    let of = if rows == 1 { "row" } else { "rows" };
    let of = if report.dry_run { format!("{of} (dry run: nothing was changed)") } else { of.to_owned() };
    summary(rows, &of, &counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_stands_in_columns() {
        let report =
            CatalogueReport { lines: 150, added: 140, already_there: 9, blank: 1, ..Default::default() };
        assert_eq!(
            catalogue_summary(&report, Mode::Append),
            "150 lines\n  140  added\n    9  there already\n    0  could not be used\n    1  blank\n"
        );
    }

    #[test]
    fn a_row_is_told_on_one_line() {
        let row = RowReport {
            line: 7,
            title: "Aster\nVale".to_owned(),
            fate: Fate::Refused,
            figure: None,
            detail: "Count: none".to_owned(),
            figure_id: None,
            piece_ids: Vec::new(),
        };
        let told = mfc_rows(&[row]);
        assert_eq!(told.lines().count(), 2, "a line break in a title breaks no line: {told}");
        assert!(told.lines().all(|line| line.len() > 10));
    }
}
