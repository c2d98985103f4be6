//! Releases and deliveries in iCalendar (RFC 5545), the same text for the same dates: nothing of it depends on when
//! it is written, so an unchanged calendar is known by its hash.

use chrono::{NaiveDate, TimeDelta};
use domain::dates::Precision;
use icalendar::{Calendar, Component, Event, EventLike, Property};
use projections::preorders::Dated;

/// How often programs are asked to look again.
const LOOKED_AT_EVERY: TimeDelta = TimeDelta::hours(6);
/// Most that a sequence number may be.
const MOST_CHANGES: u32 = i32::MAX.unsigned_abs();

/// The calendar of these pre-orders.
#[must_use]
pub fn feed(preorders: &[Dated]) -> String {
    let mut calendar = Calendar::empty();
    for (name, value) in [
        ("VERSION", "2.0"),
        ("PRODID", "-//Figure Ledger//Releases and deliveries//EN"),
        ("CALSCALE", "GREGORIAN"),
    ] {
        calendar.append_property(Property::new(name, value));
    }
    calendar.name("Figures").ttl(&LOOKED_AT_EVERY);
    for preorder in preorders {
        if let Some((day, precision)) = preorder.release {
            calendar.push(release(preorder, day, precision));
        }
        if let Some(day) = preorder.delivery {
            calendar.push(event(preorder, "delivery", day, &format!("Delivery: {}", preorder.name)));
        }
    }
    refolded(&calendar.to_string())
}

fn release(preorder: &Dated, day: NaiveDate, precision: Precision) -> Event {
    let when = match precision {
        Precision::Day => "",
        Precision::Month => " this month",
        Precision::Year => " this year",
    };
    let mut event = event(preorder, "release", day, &format!("Release{when}: {}", preorder.name));
    let mut about = Vec::new();
    if precision != Precision::Day {
        about.push(format!("Announced for {}; the day is not known yet.", said(day, precision)));
    }
    if let Some(first) = preorder.release_original.filter(|first| *first != (day, precision)) {
        about.push(format!("First announced for {}.", said(first.0, first.1)));
    }
    if !about.is_empty() {
        event.description(&about.join("\n"));
    }
    event
}

fn event(preorder: &Dated, what: &str, day: NaiveDate, summary: &str) -> Event {
    let mut event = Event::new();
    event
        .uid(&format!("{}.{what}@figure-ledger", preorder.id))
        .summary(&printable(summary))
        .starts(day)
        .ends(day.succ_opt().unwrap_or(day))
        .timestamp(preorder.changed_at)
        .last_modified(preorder.changed_at)
        .sequence(u32::try_from(preorder.version).unwrap_or(MOST_CHANGES).min(MOST_CHANGES))
        // Nobody is away on that day.
        .add_property("TRANSP", "TRANSPARENT");
    if preorder.is_nsfw {
        event.categories(["NSFW"]);
    }
    event
}

fn said(day: NaiveDate, precision: Precision) -> String {
    let pattern = match precision {
        Precision::Day => "%-d %B %Y",
        Precision::Month => "%B %Y",
        Precision::Year => "%Y",
    };
    day.format(pattern).to_string()
}

/// A line of its own must not begin within a text.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The same content lines, none longer than 75 octets. The library's own folds may leave one of 76 at the end.
fn refolded(text: &str) -> String {
    const OCTETS: usize = 75;
    let mut folded = String::with_capacity(text.len());
    for line in text.replace("\r\n ", "").split_terminator("\r\n") {
        let mut octets = 0;
        for c in line.chars() {
            if octets + c.len_utf8() > OCTETS {
                folded.push_str("\r\n ");
                octets = 1;
            }
            folded.push(c);
            octets += c.len_utf8();
        }
        folded.push_str("\r\n");
    }
    folded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn dated(name: &str) -> Dated {
        Dated {
            id: Uuid::from_u128(7),
            name: name.to_owned(),
            is_nsfw: false,
            release: Some((day("2027-05-20"), Precision::Day)),
            release_original: Some((day("2027-05-20"), Precision::Day)),
            delivery: None,
            version: 3,
            changed_at: "2026-11-02T08:15:00.123456Z".parse().unwrap(),
        }
    }

    /// Content lines, put together again where they were folded.
    fn unfolded(text: &str) -> Vec<String> {
        text.replace("\r\n ", "").split_terminator("\r\n").map(str::to_owned).collect()
    }

    fn value<'a>(lines: &'a [String], name: &str) -> &'a str {
        lines.iter().find_map(|line| line.strip_prefix(name)).unwrap()
    }

    #[test]
    fn an_event_is_a_whole_day_and_tells_how_often_it_changed() {
        let lines = unfolded(&feed(&[dated("Harbour Pilot Mina")]));
        for (name, expected) in [
            ("UID:", "00000000-0000-0000-0000-000000000007.release@figure-ledger"),
            ("SUMMARY:", "Release: Harbour Pilot Mina"),
            ("DTSTART;VALUE=DATE:", "20270520"),
            ("DTEND;VALUE=DATE:", "20270521"),
            ("SEQUENCE:", "3"),
            ("DTSTAMP:", "20261102T081500Z"),
            ("LAST-MODIFIED:", "20261102T081500Z"),
        ] {
            assert_eq!(value(&lines, name), expected, "{name}");
        }
        assert!(!lines.iter().any(|line| line.starts_with("DESCRIPTION") || line.starts_with("CATEGORIES")));
    }

    #[test]
    fn a_month_or_a_year_is_its_first_day_and_says_so() {
        let mut preorder = dated("Mina");
        preorder.release = Some((day("2027-05-01"), Precision::Month));
        preorder.release_original = Some((day("2026-01-01"), Precision::Year));
        let lines = unfolded(&feed(&[preorder]));
        assert_eq!(value(&lines, "SUMMARY:"), "Release this month: Mina");
        assert_eq!(
            value(&lines, "DESCRIPTION:"),
            "Announced for May 2027\\; the day is not known yet.\\nFirst announced for 2026."
        );
    }

    #[test]
    fn a_shipped_one_has_a_delivery_beside_its_release() {
        let mut preorder = dated("Mina");
        preorder.delivery = Some(day("2100-12-31"));
        preorder.is_nsfw = true;
        let text = feed(&[preorder]);
        let lines = unfolded(&text);
        assert_eq!(text.matches("BEGIN:VEVENT").count(), 2);
        assert!(lines.iter().any(|line| line.ends_with("0007.delivery@figure-ledger")));
        assert!(lines.iter().any(|line| line == "DTEND;VALUE=DATE:21010101"));
        assert_eq!(lines.iter().filter(|line| *line == "CATEGORIES:NSFW").count(), 2);
    }

    #[test]
    fn without_dates_it_is_an_empty_calendar() {
        let lines = unfolded(&feed(&[]));
        assert_eq!(lines.first().map(String::as_str), Some("BEGIN:VCALENDAR"));
        assert_eq!(value(&lines, "REFRESH-INTERVAL;VALUE=DURATION:"), "PT21600S");
        assert_eq!(value(&lines, "X-PUBLISHED-TTL:"), "PT21600S");
    }

    proptest! {
        /// Whatever a figure is called, it is one text in one line, and can be read back.
        #[test]
        fn a_name_stays_within_its_line(name in hostile()) {
            let text = feed(&[dated(&name)]);
            prop_assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "bare line ends");
            for line in text.split_terminator("\r\n") {
                prop_assert!(line.len() <= 75, "{line:?} has {} octets", line.len());
            }
            let lines = unfolded(&text);
            prop_assert_eq!(lines.iter().filter(|line| line.starts_with("BEGIN:")).count(), 2);
            prop_assert_eq!(lines.iter().filter(|line| line.starts_with("END:")).count(), 2);
            prop_assert_eq!(lines.iter().filter(|line| line.starts_with("SUMMARY:")).count(), 1);
            let read = unescaped(value(&lines, "SUMMARY:"));
            prop_assert_eq!(read, format!("Release: {}", printable(&name)));
            prop_assert_eq!(&text, &feed(&[dated(&name)]), "and it is the same each time");
        }
    }

    fn hostile() -> impl Strategy<Value = String> {
        let pieces = prop_oneof![
            any::<char>().prop_map(String::from),
            prop::sample::select(vec![
                ",",
                ";",
                ":",
                "\\",
                "\\n",
                "\n",
                "\r\n",
                "\r\nEND:VEVENT\r\n",
                "\"",
                "\t",
                "   ",
                " ",
                "🎎",
                "👩‍👩‍👧",
                "é",
                "\u{2028}",
                "\u{85}",
                "\0",
                "\u{feff}",
                "初音ミク",
                "ATTENDEE:mailto:",
                "%s",
            ])
            .prop_map(str::to_owned),
        ];
        prop::collection::vec(pieces, 0..120).prop_map(|pieces| pieces.concat())
    }

    fn unescaped(value: &str) -> String {
        let mut read = String::new();
        let mut chars = value.chars();
        while let Some(c) = chars.next() {
            match (c, c == '\\') {
                (_, true) => match chars.next() {
                    Some('n' | 'N') => read.push('\n'),
                    Some(escaped) => read.push(escaped),
                    None => panic!("a lone backslash"),
                },
                (c, false) => {
                    assert!(!matches!(c, ',' | ';'), "unescaped {c}");
                    read.push(c);
                }
            }
        }
        read
    }
}
