//! Loading rates from a file: the ECB's history as it publishes it, a zip with one CSV inside, or that CSV, or
//! one of its XML files.

use super::ecb;
use super::handle::Fx;
use super::quotes::{NotRates, RefusedDay, checked};
use chrono::{DateTime, NaiveDate, Utc};
use operational::fx_rates::{self, FxSource, Stored};
use std::borrow::Cow;
use std::io::{Cursor, Read};
use zip::ZipArchive;

/// Most bytes of what is in a zip: the whole history is two megabytes.
const MOST_UNPACKED: u64 = 64 << 20;
/// What every zip begins with.
const ZIP: &[u8] = b"PK";

/// What a file held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryReport {
    /// The first day taken.
    pub first: NaiveDate,
    /// The last one.
    pub last: NaiveDate,
    /// What became of the days that were taken.
    pub stored: Stored,
    /// The days that were not taken, by line.
    pub refused: Vec<RefusedDay>,
}

/// Why nothing was loaded.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// It is no such file.
    #[error(transparent)]
    NotRates(#[from] NotRates),
    /// Not one of its days could be taken.
    #[error("none of its days could be taken; the first: {}", .0.first().map(ToString::to_string).unwrap_or_default())]
    AllRefused(Vec<RefusedDay>),
    /// The database's own trouble.
    #[error("the rates could not be stored: {0}")]
    Database(#[from] sqlx::Error),
}

/// Loads a file, all of its good days or nothing. They take the place of what was known of them and are in use
/// when this returns. `progress` is told how many rates are written and how many there are to write.
///
/// # Errors
/// [`HistoryError`]; a day that cannot be right is no error, it is told in the report.
pub async fn load(
    fx: &Fx,
    file: &[u8],
    now: DateTime<Utc>,
    progress: &(dyn Fn(usize, usize) + Send + Sync),
) -> Result<HistoryReport, HistoryError> {
    let content = unpacked(file)?;
    let is_xml = content.trim_ascii_start().starts_with(b"<");
    let days = match std::str::from_utf8(&content) {
        Ok(text) if is_xml => ecb::xml(text)?,
        _ => ecb::csv(&content)?,
    };
    let read = checked(&days, now.date_naive());
    let (Some(first), Some(last)) = (read.tables.first(), read.tables.last()) else {
        return Err(HistoryError::AllRefused(read.refused));
    };
    let (first, last) = (first.date(), last.date());
    let stored = fx_rates::store(fx.pool(), &read.tables, FxSource::File, now, progress).await?;
    fx.reload().await?;
    Ok(HistoryReport { first, last, stored, refused: read.refused })
}

fn unpacked(file: &[u8]) -> Result<Cow<'_, [u8]>, NotRates> {
    if !file.starts_with(ZIP) {
        return Ok(Cow::Borrowed(file));
    }
    let wrong = |error: &dyn std::fmt::Display| NotRates(format!("the zip cannot be read ({error})"));
    let mut archive = ZipArchive::new(Cursor::new(file)).map_err(|e| wrong(&e))?;
    if archive.len() != 1 {
        return Err(NotRates(format!("the zip holds {} files and not one", archive.len())));
    }
    let inside = archive.by_index(0).map_err(|e| wrong(&e))?;
    let mut content = Vec::new();
    // What the zip says of its size need not be so.
    inside.take(MOST_UNPACKED + 1).read_to_end(&mut content).map_err(|e| wrong(&e))?;
    if u64::try_from(content.len()).unwrap_or(u64::MAX) > MOST_UNPACKED {
        return Err(NotRates("what is in the zip is too large".to_owned()));
    }
    Ok(Cow::Owned(content))
}
