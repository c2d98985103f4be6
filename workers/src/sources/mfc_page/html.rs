//! HTML of strangers, parsed within bounds.
//!
//! The algorithm that the standard prescribes is quadratic in how deep elements are nested and in how many attributes
//! one has, so a page of a megabyte can keep a processor busy for hours. It is fed bit by bit, and given up when that
//! takes too long.

use super::NotAPage;
use html5ever::driver::{self, ParseOpts};
use html5ever::tendril::TendrilSink;
use scraper::{Html, HtmlTreeSink};
use std::time::{Duration, Instant};

/// How long a page may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// How much is fed before looking at the clock, in characters.
const BIT: usize = 512;
/// More tags than this no item has.
const MOST_TAGS: usize = 40_000;

/// The document of a text.
///
/// # Errors
/// `Tangled`.
pub(super) fn parse(text: &str) -> Result<Html, NotAPage> {
    if text.bytes().filter(|byte| *byte == b'<').count() > MOST_TAGS {
        return Err(NotAPage::Tangled);
    }
    let until = Instant::now() + PATIENCE;
    let sink = HtmlTreeSink::new(Html::new_document());
    let mut parser = driver::parse_document(sink, ParseOpts::default());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.char_indices().nth(BIT).map_or(rest.len(), |(at, _)| at);
        let Some((bit, after)) = rest.split_at_checked(end) else { break };
        parser.process(bit.into());
        rest = after;
        if Instant::now() > until {
            return Err(NotAPage::Tangled);
        }
    }
    Ok(parser.finish())
}
