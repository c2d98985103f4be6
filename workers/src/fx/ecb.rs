//! The ECB's own files: XML (daily, 90 days, all) and CSV.

use super::quotes::{NotRates, QuotedDay};
use csv::{ReaderBuilder, Trim};
use roxmltree::Document;

/// The days of one of its XML files.
///
/// # Errors
/// [`NotRates`] when it is no XML, or holds no day.
pub(super) fn xml(text: &str) -> Result<Vec<QuotedDay>, NotRates> {
    // Entities are not resolved, so nothing can blow up here.
    let document = Document::parse(text).map_err(|e| NotRates(format!("it is no XML ({e})")))?;
    let cubes = |node: roxmltree::Node<'_, '_>| node.is_element() && node.tag_name().name() == "Cube";
    let days: Vec<QuotedDay> = document
        .descendants()
        .filter(|node| cubes(*node))
        .filter_map(|node| {
            let date = node.attribute("time")?.to_owned();
            let quotes = node
                .children()
                .filter(|child| cubes(*child))
                .filter_map(|child| {
                    let code = child.attribute("currency")?.to_owned();
                    Some((code, child.attribute("rate").unwrap_or("missing").to_owned()))
                })
                .collect();
            Some(QuotedDay { line: None, date, quotes })
        })
        .collect();
    if days.is_empty() {
        return Err(NotRates("its XML has no day with rates".to_owned()));
    }
    Ok(days)
}

/// The days of one of its CSV files. The header names the currencies; it ends in a comma.
///
/// # Errors
/// [`NotRates`] when it has not that header.
pub(super) fn csv(bytes: &[u8]) -> Result<Vec<QuotedDay>, NotRates> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = ReaderBuilder::new().trim(Trim::All).flexible(true).from_reader(bytes);
    let header = reader.headers().map_err(|e| NotRates(e.to_string()))?.clone();
    let is_date = header.get(0).is_some_and(|first| first.eq_ignore_ascii_case("date"));
    let of_codes =
        |name: &str| name.is_empty() || (name.len() == 3 && name.bytes().all(|b| b.is_ascii_uppercase()));
    if !is_date || header.len() < 2 || !header.iter().skip(1).all(of_codes) {
        return Err(NotRates("its first line is not Date and currency codes".to_owned()));
    }
    let mut days = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| NotRates(e.to_string()))?;
        let quotes = header
            .iter()
            .zip(record.iter())
            .skip(1)
            .filter(|(code, _)| !code.is_empty())
            .map(|(code, text)| (code.to_owned(), text.to_owned()))
            .collect();
        let date = record.get(0).unwrap_or_default().to_owned();
        days.push(QuotedDay { line: record.position().map(csv::Position::line), date, quotes });
    }
    if days.is_empty() {
        return Err(NotRates("it has no line with rates".to_owned()));
    }
    Ok(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAILY: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
	<gesmes:subject>Reference rates</gesmes:subject>
	<Cube>
		<Cube time='2026-10-30'>
			<Cube currency='USD' rate='1.1172'/>
			<Cube currency='JPY' rate='175.68'/></Cube>
	</Cube></gesmes:Envelope>"#;

    #[test]
    fn the_daily_xml_is_read() {
        let days = xml(DAILY).unwrap();
        assert_eq!(days.len(), 1);
        assert_eq!(days[0].date, "2026-10-30");
        assert_eq!(days[0].quotes[1], ("JPY".to_owned(), "175.68".to_owned()));
    }

    #[test]
    fn the_history_csv_is_read() {
        let days = csv(b"Date,USD,BGN,\n2026-10-30,1.1172,N/A,\n2026-10-29,1.12,N/A,\n").unwrap();
        assert_eq!(days.len(), 2);
        assert_eq!((days[1].line, days[1].date.as_str()), (Some(3), "2026-10-29"));
        assert_eq!(days[0].quotes, [("USD", "1.1172"), ("BGN", "N/A")].map(|(c, r)| (c.into(), r.into())));
    }

    #[test]
    fn the_daily_csv_is_read() {
        let days = csv("\u{feff}Date, USD, JPY, \n30 October 2026, 1.1172, 175.68, \n".as_bytes()).unwrap();
        assert_eq!(days[0].date, "30 October 2026");
        assert_eq!(days[0].quotes[0], ("USD".to_owned(), "1.1172".to_owned()));
    }

    #[test]
    fn what_is_neither_is_told() {
        for wrong in ["", "<html><body>Service unavailable</body></html>", "<Cube", "{}", "NaN"] {
            assert!(xml(wrong).is_err(), "{wrong}");
        }
        let bomb = r#"<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><Cube time="&b;"/>"#;
        assert!(xml(bomb).is_err());
        for wrong in ["", "Date\n", "USD,JPY\n1,2\n", "Date,usd\n2026-10-30,1.1\n", "Date,USD\n", "<html>\n"]
        {
            assert!(csv(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
