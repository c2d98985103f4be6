//! The catalogue as JSON lines: one figure a line, told apart by `line` and `number`.
//!
//! | field | becomes |
//! |---|---|
//! | `line`, `number` | the figure's id and its claim `import:<line>:<number>`; both are needed |
//! | `line` | the figure type: the code itself (case, spaces and hyphens aside) when it is on the list, else `other` |
//! | `name` | the name; needed |
//! | `name_ja` | the description, when it differs from the name: so that the original name is kept |
//! | `series`, `manufacturer` | entities by name; may be empty |
//! | `series_mal_id` | the series' number on MyAnimeList, unless it has one |
//! | `msrp_jpy` | the list price in whole yen; 0 or absent is unknown |
//! | `release_months` | releases of month precision, `YYYY/MM`; any number of them |
//!
//! Unknown fields are ignored. A line that cannot be used is told with its number and the reason, and the
//! others go on. Blank lines are counted and skipped.

use super::runner::Runner;
use super::{ImportError, Mode, Progress, later};
use chrono::NaiveDate;
use domain::commands::{CatalogueFigure, Identified, IdentifySeries};
use domain::dates::{Precision, ReleaseDate};
use domain::figure::{Details, FigureType};
use domain::ids::FigureId;
use domain::money::{Amount, Currency, Money};
use domain::refusal::Code;
use domain::stream::Position;
use domain::text::{Line, Name, Prose, TextError};
use event_store::EventStore;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Under which the ids of imported figures are derived. Changing it would double everybody's next import.
const NAMESPACE: Uuid = Uuid::from_u128(0x31d0_95c4_7e2b_5f8d_8a46_b90c_6fe2_1d73);

/// The longest line, in bytes. No figure needs more; a file without line breaks is not such a catalogue.
const LONGEST_LINE: usize = 64 * 1024;

/// The most releases of one figure.
const MOST_RELEASES: usize = 100;

/// What became of a catalogue. `lines` = `added` + `already_there` + `broken` + `blank`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CatalogueReport {
    /// Lines in the file.
    pub lines: usize,
    /// Figures that are new, or would be.
    pub added: usize,
    /// Figures that an earlier import, or an equal line before, had brought.
    pub already_there: usize,
    /// Lines that could not be used, in order.
    pub broken: Vec<BrokenLine>,
    /// Lines without anything on them.
    pub blank: usize,
    /// Series that got their number on MyAnimeList, or would.
    pub series_identified: usize,
    /// Lines whose series has another number already, which stays, or whose number cannot be; in order. Their figures
    /// count as if they had named none.
    pub series_left: Vec<BrokenLine>,
    /// Read models at this position show the import; absent in a dry run.
    #[serde(skip)]
    pub position: Option<Position>,
}

/// A line that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BrokenLine {
    /// Its number; the first is 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// One line as it stands in the file.
#[derive(Debug, Deserialize)]
struct RawFigure {
    number: Option<Number>,
    line: Option<String>,
    name: Option<String>,
    name_ja: Option<String>,
    series: Option<String>,
    series_mal_id: Option<i64>,
    manufacturer: Option<String>,
    msrp_jpy: Option<i64>,
    #[serde(default)]
    release_months: Option<Vec<String>>,
}

/// Numbers are text (`000`, `100-DX`), but somebody's file may hold plain ones.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Number {
    Text(String),
    Plain(u64),
}

/// Imports a catalogue. `types` are the codes of the list of figure types.
///
/// # Errors
/// [`ImportError`] when the log is not available; a line at fault is no error, it is told in the report.
pub async fn import(
    store: &EventStore,
    types: &[String],
    file: &[u8],
    mode: Mode,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<CatalogueReport, ImportError> {
    let read = read(file, types);
    let commands: Vec<CatalogueFigure> = read.figures.iter().map(|(_, f)| f.clone()).collect();
    let mut report = CatalogueReport {
        lines: read.lines,
        blank: read.blank,
        already_there: read.repeated,
        ..Default::default()
    };
    report.broken = read.broken;
    let runner = Runner { store, mode, actor: None };
    let ran = runner.run(&commands, CatalogueFigure::streams, progress).await?;
    for ((line, _), outcome) in read.figures.iter().zip(ran.outcomes) {
        match outcome {
            Ok(catalogued) if catalogued.existed => report.already_there += 1,
            Ok(_) => report.added += 1,
            Err(refusal) => {
                let field = refusal.field.map(|f| format!("{f}: ")).unwrap_or_default();
                report.broken.push(BrokenLine { line: *line, reason: format!("{field}{}", refusal.detail) });
            }
        }
    }
    report.broken.sort_by_key(|b| b.line);
    report.position = ran.position;
    identify(&runner, read.series, &mut report).await?;
    Ok(report)
}

/// Gives series their numbers, once their figures have brought them into being.
async fn identify(
    runner: &Runner<'_>,
    series: Vec<(usize, IdentifySeries)>,
    report: &mut CatalogueReport,
) -> Result<(), ImportError> {
    let commands: Vec<IdentifySeries> = series.iter().map(|(_, command)| command.clone()).collect();
    let ran = runner.run(&commands, IdentifySeries::streams, &|_| {}).await?;
    report.position = later(report.position, ran.position);
    for ((line, _), outcome) in series.into_iter().zip(ran.outcomes) {
        match outcome {
            Ok(Identified::Before) => {}
            Ok(Identified::Now) => report.series_identified += 1,
            Ok(Identified::Otherwise(mal_id)) => {
                let reason = format!("series_mal_id: the series has the number {mal_id}, which stays");
                report.series_left.push(BrokenLine { line, reason });
            }
            // A rehearsal brings no series into being.
            Err(refusal) if runner.mode == Mode::DryRun && refusal.code == Code::EntityNotFound => {
                report.series_identified += 1;
            }
            Err(refusal) => {
                let reason = format!("series_mal_id: {}", refusal.detail);
                report.series_left.push(BrokenLine { line, reason });
            }
        }
    }
    Ok(())
}

/// A file, read: what each line asks for.
#[derive(Debug, Default)]
struct Read {
    lines: usize,
    blank: usize,
    /// Lines that repeat an earlier one word for word.
    repeated: usize,
    figures: Vec<(usize, CatalogueFigure)>,
    /// What the lines say of their series, each thing once.
    series: Vec<(usize, IdentifySeries)>,
    broken: Vec<BrokenLine>,
}

fn read(file: &[u8], types: &[String]) -> Read {
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    let mut read = Read::default();
    let mut seen: HashMap<FigureId, (usize, &[u8])> = HashMap::new();
    let mut named: HashSet<(Name, i64)> = HashSet::new();
    let mut lines: Vec<&[u8]> = file.split(|b| *b == b'\n').collect();
    // The last line break ends a line; it does not begin another.
    if lines.last().is_some_and(|l| l.is_empty()) {
        lines.pop();
    }
    read.lines = lines.len();
    for (index, bytes) in lines.into_iter().enumerate() {
        let line = index + 1;
        let bytes = bytes.trim_ascii();
        if bytes.is_empty() {
            read.blank += 1;
            continue;
        }
        match figure_of(bytes, types) {
            Ok((figure, series)) => match seen.get(&figure.figure_id) {
                None => {
                    seen.insert(figure.figure_id, (line, bytes));
                    read.figures.push((line, figure));
                    if let Some(series) = series
                        && named.insert((series.name.clone(), series.mal_id))
                    {
                        read.series.push((line, series));
                    }
                }
                Some((_, same)) if *same == bytes => read.repeated += 1,
                Some((earlier, _)) => read.broken.push(BrokenLine {
                    line,
                    reason: format!("line {earlier} has the same line and number, and says something else"),
                }),
            },
            Err(reason) => read.broken.push(BrokenLine { line, reason }),
        }
    }
    read
}

/// The figure that a line describes and what it says of its series, or what is wrong with the line.
fn figure_of(bytes: &[u8], types: &[String]) -> Result<(CatalogueFigure, Option<IdentifySeries>), String> {
    if bytes.len() > LONGEST_LINE {
        return Err(format!("the line is longer than {} KiB", LONGEST_LINE / 1024));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "the line is not UTF-8".to_owned())?;
    let raw: RawFigure = serde_json::from_str(text).map_err(|e| format!("not the JSON of a figure: {e}"))?;
    let number = match raw.number {
        Some(Number::Text(text)) => text,
        Some(Number::Plain(number)) => number.to_string(),
        None => String::new(),
    };
    let number: Line<60> = needed("number", &number)?;
    let line: Line<60> = needed("line", raw.line.as_deref().unwrap_or_default())?;
    // The claim's name puts a colon between the two.
    if line.as_str().contains(':') {
        return Err("line: it may not contain a colon".to_owned());
    }
    let name: Name = needed("name", raw.name.as_deref().unwrap_or_default())?;
    let manufacturer = optional("manufacturer", raw.manufacturer.as_deref())?;
    let series: Option<Name> = optional("series", raw.series.as_deref())?;
    let identified =
        series.clone().zip(raw.series_mal_id).map(|(name, mal_id)| IdentifySeries { name, mal_id });
    let name_ja: Option<Name> = optional("name_ja", raw.name_ja.as_deref())?;
    let description = name_ja.filter(|n| *n != name).and_then(|n| Prose::new(n.as_str()).ok());
    let figure = CatalogueFigure {
        figure_id: figure_id(&line, &number),
        name,
        figure_type: figure_type(line.as_str(), types)?,
        manufacturer,
        sculptor: None,
        series: series.into_iter().collect(),
        characters: Vec::new(),
        details: Details { description, ..Details::default() },
        releases: releases(&raw.release_months.unwrap_or_default())?,
        msrp: msrp(raw.msrp_jpy.unwrap_or(0))?,
        jan: None,
        mfc_id: None,
        is_nsfw: false,
        buy_links: Vec::new(),
        imported_as: Some((line, number)),
    };
    Ok((figure, identified))
}

/// The id that a figure of this line and number has in every installation.
pub fn figure_id(line: &Line<60>, number: &Line<60>) -> FigureId {
    FigureId(Uuid::new_v5(&NAMESPACE, format!("{line}\0{number}").as_bytes()))
}

fn needed<const MAX: usize>(field: &str, text: &str) -> Result<Line<MAX>, String> {
    Line::new(text).map_err(|e| match e {
        TextError::Empty => format!("{field} is missing"),
        other => format!("{field}: {other}"),
    })
}

fn optional<const MAX: usize>(field: &str, text: Option<&str>) -> Result<Option<Line<MAX>>, String> {
    match Line::new(text.unwrap_or_default()) {
        Ok(line) => Ok(Some(line)),
        Err(TextError::Empty) => Ok(None),
        Err(e) => Err(format!("{field}: {e}")),
    }
}

fn figure_type(line: &str, types: &[String]) -> Result<FigureType, String> {
    let code: String =
        line.to_lowercase().chars().map(|c| if matches!(c, ' ' | '-') { '_' } else { c }).collect();
    let code = if types.contains(&code) { code.as_str() } else { "other" };
    Line::new(code).map_err(|e| format!("line: {e}"))
}

fn releases(months: &[String]) -> Result<Vec<ReleaseDate>, String> {
    if months.len() > MOST_RELEASES {
        return Err(format!("release_months: more than {MOST_RELEASES}"));
    }
    let mut releases = Vec::with_capacity(months.len());
    for text in months {
        let release =
            month(text).ok_or_else(|| format!("release_months: {text:?} is not a month (YYYY/MM)"))?;
        if !releases.contains(&release) {
            releases.push(release);
        }
    }
    Ok(releases)
}

fn month(text: &str) -> Option<ReleaseDate> {
    let (year, month) = text.trim().split_once(['/', '-'])?;
    let digits =
        |t: &str, most: usize| (1..=most).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_digit());
    if year.len() != 4 || !digits(year, 4) || !digits(month, 2) {
        return None;
    }
    let day = NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, 1)?;
    ReleaseDate::new(day, Precision::Month).ok()
}

fn msrp(yen: i64) -> Result<Option<Money>, String> {
    if yen == 0 {
        return Ok(None);
    }
    let amount = Amount::new(Decimal::from(yen)).map_err(|e| format!("msrp_jpy: {e}"))?;
    Money::new(amount, Currency::Jpy).map(Some).map_err(|e| format!("msrp_jpy: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn types() -> Vec<String> {
        ["nendoroid", "nendoroid_doll", "other"].map(str::to_owned).to_vec()
    }

    fn one(json: &str) -> Result<CatalogueFigure, String> {
        figure_of(json.as_bytes(), &types()).map(|(figure, _)| figure)
    }

    #[test]
    fn a_line_becomes_a_figure() {
        let figure = one(
            r#"{"number":"100-DX","line":"nendoroid","name":"Aster DX","name_ja":"アスター","series":"Hollow Tide",
               "manufacturer":"","msrp_jpy":4190,"release_months":["2027/02","2026/10","2026/10"],"else":1}"#,
        )
        .unwrap();
        assert_eq!(figure.name.as_str(), "Aster DX");
        assert_eq!(figure.manufacturer, None);
        assert_eq!(figure.series.len(), 1);
        assert_eq!(figure.msrp.unwrap().to_string(), "4190 JPY");
        assert_eq!(figure.releases.len(), 2, "a month said twice is one release");
        assert_eq!(figure.details.description.unwrap().as_str(), "アスター");
        assert_eq!(figure.figure_type.as_str(), "nendoroid");
        assert_eq!(
            figure.figure_id,
            figure_id(&Line::new("nendoroid").unwrap(), &Line::new("100-DX").unwrap())
        );
    }

    #[test]
    fn the_figure_type_follows_the_line_when_it_is_on_the_list() {
        for (line, code) in [
            ("nendoroid", "nendoroid"),
            ("Nendoroid Doll", "nendoroid_doll"),
            ("nendoroid-doll", "nendoroid_doll"),
            ("pop-up parade", "other"),
        ] {
            assert_eq!(figure_type(line, &types()).unwrap().as_str(), code);
        }
    }

    #[test]
    fn what_is_unknown_stays_unknown() {
        let figure = one(r#"{"number":7,"line":"x","name":"A","msrp_jpy":0}"#).unwrap();
        assert_eq!((figure.msrp, figure.releases, figure.details), (None, vec![], Details::default()));
    }

    #[test]
    fn a_broken_line_says_what_is_wrong() {
        let long = format!(r#"{{"number":"1","line":"x","name":"{}"}}"#, "a".repeat(301));
        for (json, reason) in [
            ("{", "not the JSON"),
            ("[1]", "not the JSON"),
            (r#"{"line":"x","name":"A"}"#, "number is missing"),
            (r#"{"number":"1","name":"A"}"#, "line is missing"),
            (r#"{"number":"1","line":"x"}"#, "name is missing"),
            (r#"{"number":"1","line":"x","name":"  "}"#, "name is missing"),
            (r#"{"number":"1","line":"x:y","name":"A"}"#, "colon"),
            (r#"{"number":"1","line":"x","name":"A\u0000"}"#, "control character"),
            (r#"{"number":"1","line":"x","name":"A","msrp_jpy":-5}"#, "negative"),
            (r#"{"number":"1","line":"x","name":"A","msrp_jpy":99999999999}"#, "below"),
            (r#"{"number":"1","line":"x","name":"A","msrp_jpy":"5"}"#, "not the JSON"),
            (r#"{"number":"1","line":"x","name":"A","release_months":["2026/13"]}"#, "2026/13"),
            (r#"{"number":"1","line":"x","name":"A","release_months":["soon"]}"#, "soon"),
            (r#"{"number":"1","line":"x","name":"A","release_months":["0026/01"]}"#, "0026/01"),
            (&long, "300"),
        ] {
            let told = one(json).unwrap_err();
            assert!(told.contains(reason), "{json} → {told}");
        }
        assert!(figure_of(b"\xff\xfe", &types()).unwrap_err().contains("UTF-8"));
        assert!(figure_of(&vec![b'a'; LONGEST_LINE + 1], &types()).unwrap_err().contains("longer"));
    }

    #[test]
    fn every_line_is_counted_once() {
        let a = r#"{"number":"1","line":"x","name":"A"}"#;
        let b = r#"{"number":"1","line":"x","name":"B"}"#;
        let file = format!("\u{feff}{a}\r\n\n{a}\n{b}\nnonsense\n   \n");
        let read = read(file.as_bytes(), &types());
        assert_eq!((read.lines, read.blank, read.repeated, read.figures.len()), (6, 2, 1, 1));
        assert_eq!(read.broken.iter().map(|b| b.line).collect::<Vec<_>>(), [4, 5]);
    }

    #[test]
    fn an_empty_file_has_no_lines() {
        assert_eq!(read(b"", &types()).lines, 0);
        assert_eq!(read(b"\n", &types()).lines, 1);
    }

    proptest! {
        #[test]
        fn no_file_makes_it_stumble(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let read = read(&bytes, &types());
            prop_assert_eq!(read.lines, read.blank + read.repeated + read.figures.len() + read.broken.len());
        }
    }
}
