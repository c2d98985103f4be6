//! What AniList answers. Fields that nobody here asks for are passed over.

use serde::{Deserialize, Serialize};
use url::Url;

/// How many characters of a title are kept.
const LONGEST_TITLE: usize = 300;
/// The largest number that MyAnimeList may have given out, as [`domain::entity`] has it.
const LARGEST_ID: i64 = 10_000_000;

/// What is asked, in GraphQL: the manga that a name may mean, the likeliest first.
pub(super) const QUESTION: &str = "query ($search: String) { Page(page: 1, perPage: 10) { \
     media(search: $search, type: MANGA, sort: SEARCH_MATCH) { idMal format isAdult siteUrl \
     startDate { year } title { romaji english native } } } }";

/// A manga that a name may mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its number on MyAnimeList.
    pub mal_id: i64,
    /// Its title in Latin letters.
    pub title: Option<String>,
    /// Its title in English.
    pub title_english: Option<String>,
    /// Its title as it was first published.
    pub title_native: Option<String>,
    /// `MANGA`, `NOVEL`, `ONE_SHOT` …
    pub format: Option<String>,
    /// The year in which it began.
    pub year: Option<i32>,
    /// Whether it is for adults.
    pub is_adult: bool,
    /// Its page on AniList.
    pub url: Option<String>,
}

#[derive(Deserialize)]
struct Whole {
    #[serde(default)]
    data: Option<Data>,
    #[serde(default)]
    errors: Option<Vec<Fault>>,
}

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "Page", default)]
    page: Option<Found>,
}

#[derive(Deserialize)]
struct Found {
    #[serde(default)]
    media: Vec<Option<Media>>,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Media {
    #[serde(default)]
    id_mal: Option<i64>,
    #[serde(default)]
    format: Option<String>,
    #[serde(default)]
    is_adult: Option<bool>,
    #[serde(default)]
    site_url: Option<String>,
    #[serde(default)]
    start_date: Option<Start>,
    #[serde(default)]
    title: Option<Title>,
}

#[derive(Deserialize)]
struct Start {
    #[serde(default)]
    year: Option<i32>,
}

#[derive(Default, Deserialize)]
struct Title {
    #[serde(default)]
    romaji: Option<String>,
    #[serde(default)]
    english: Option<String>,
    #[serde(default)]
    native: Option<String>,
}

/// The candidates in an answer; those without a number on MyAnimeList, and numbers said twice, are left out.
pub(super) fn read(body: &[u8]) -> Result<Vec<Candidate>, String> {
    let whole: Whole = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    // A list would be read as the members of an object, in order.
    if body.trim_ascii_start().starts_with(b"[") {
        return Err("it is a list".to_owned());
    }
    if let Some(fault) = whole.errors.and_then(|errors| errors.into_iter().next()) {
        let said = line(Some(fault.message)).unwrap_or_else(|| "an error without words".to_owned());
        return Err(format!("it says: {said}"));
    }
    let found = whole.data.and_then(|data| data.page).ok_or("it has no page of media")?;
    let mut candidates: Vec<Candidate> = Vec::new();
    for media in found.media.into_iter().flatten() {
        let Some(mal_id) = media.id_mal.filter(|id| (1..=LARGEST_ID).contains(id)) else { continue };
        if candidates.iter().any(|known| known.mal_id == mal_id) {
            continue;
        }
        let title = media.title.unwrap_or_default();
        candidates.push(Candidate {
            mal_id,
            title: line(title.romaji),
            title_english: line(title.english),
            title_native: line(title.native),
            format: line(media.format),
            year: media.start_date.and_then(|start| start.year),
            is_adult: media.is_adult.unwrap_or(true),
            url: media.site_url.filter(|url| is_page(url)),
        });
    }
    Ok(candidates)
}

fn is_page(text: &str) -> bool {
    let url: Option<Url> = text.parse().ok();
    url.is_some_and(|url| url.scheme() == "https" && url.has_host()) && text.len() <= 500
}

fn line(text: Option<String>) -> Option<String> {
    let text: String = text?.trim().chars().filter(|c| !c.is_control()).take(LONGEST_TITLE).collect();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_answer_becomes_candidates_with_a_number() {
        let body = r#"{"data": {"Page": {"media": [
            {"idMal": 21, "format": "MANGA", "isAdult": false, "siteUrl": "https://anilist.example/manga/9",
             "startDate": {"year": 2014}, "title": {"romaji": "Aoi Shio", "english": "Tides of Cobalt", "native": null}},
            {"idMal": null, "title": {"romaji": "Nobody"}}, null, {"idMal": 21}, {"idMal": -4},
            {"idMal": 22, "siteUrl": "javascript:1"}]}}}"#;
        let found = read(body.as_bytes()).unwrap();
        assert_eq!(found.iter().map(|one| one.mal_id).collect::<Vec<_>>(), [21, 22]);
        let first = found.first().unwrap();
        assert_eq!((first.title_english.as_deref(), first.year), (Some("Tides of Cobalt"), Some(2014)));
        let last = found.last().unwrap();
        assert!(last.is_adult && last.url.is_none(), "what does not say so is not for everybody: {last:?}");
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for body in [
            "",
            "<html>",
            "{}",
            "[]",
            "[{\"Page\": {\"media\": []}}]",
            r#"{"data": null}"#,
            r#"{"data": {"Page": {"media": 5}}}"#,
            r#"{"errors": [{"message": "Too Many Requests."}], "data": null}"#,
        ] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
        assert_eq!(read(br#"{"data": {"Page": {"media": []}}}"#), Ok(Vec::new()));
    }
}
