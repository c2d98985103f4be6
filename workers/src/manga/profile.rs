//! Reading a public page. Unknown fields are passed over, missing ones have a default, and what cannot be is left
//! out: a shelf that lies in one place is still a shelf. Only what is no profile at all is refused.

use rust_decimal::{Decimal, RoundingStrategy, prelude::ToPrimitive};
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use url::Url;

/// How much of a shelf is kept. Nobody has read more.
pub const MOST_ENTRIES: usize = 10_000;
/// The largest number that MyAnimeList may have given out, as [`domain::entity`] has it.
const LARGEST_ID: i64 = 10_000_000;
/// More volumes than any series has.
const MOST_VOLUMES: u32 = 10_000;
const LONGEST_NAME: usize = 300;
const LONGEST_URL: usize = 1_000;

/// What somebody reads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// What they call themselves there.
    pub display_name: Option<String>,
    /// Their series, by their number on MyAnimeList.
    pub entries: BTreeMap<i64, Entry>,
    /// How many items of the shelf were passed over: without a number of MyAnimeList, repeated, beyond the limit, or
    /// no items at all.
    #[serde(default)]
    pub passed_over: u64,
}

/// One series on the shelf.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name there.
    #[serde(default)]
    pub name: Option<String>,
    /// How many volumes there are.
    #[serde(default)]
    pub volumes: Option<u32>,
    /// How many they own.
    #[serde(default)]
    pub volumes_owned: Option<u32>,
    /// How much they have read, in whole per cent.
    #[serde(default)]
    pub read_percent: Option<u8>,
    /// Whether they have read all of it.
    #[serde(default)]
    pub fully_read: bool,
    /// Whether it is for adults.
    #[serde(default)]
    pub is_adult: bool,
    /// A picture of it, anywhere.
    #[serde(default)]
    pub image_url: Option<String>,
}

/// Why an answer is no profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAProfile {
    /// Nothing at all.
    #[error("the answer is empty")]
    Empty,
    /// Not JSON.
    #[error("it is {0} and not JSON")]
    NotJson(String),
    /// JSON of another shape.
    #[error("it is JSON of another shape ({0})")]
    Shape(String),
}

#[derive(Deserialize)]
struct RawProfile<'a> {
    #[serde(default, borrow)]
    display_name: Option<&'a RawValue>,
    #[serde(default)]
    library: Shelf,
}

#[derive(Default)]
struct Shelf {
    entries: BTreeMap<i64, Entry>,
    passed_over: u64,
}

#[derive(Deserialize)]
struct RawEntry<'a> {
    #[serde(default, borrow)]
    mal_id: Option<&'a RawValue>,
    #[serde(default, borrow)]
    name: Option<&'a RawValue>,
    #[serde(default, borrow)]
    volumes: Option<&'a RawValue>,
    #[serde(default, borrow)]
    volumes_owned: Option<&'a RawValue>,
    #[serde(default, borrow)]
    read_percent: Option<&'a RawValue>,
    #[serde(default, borrow)]
    fully_read: Option<&'a RawValue>,
    #[serde(default, borrow)]
    is_adult: Option<&'a RawValue>,
    #[serde(default, borrow)]
    image_url_jpg: Option<&'a RawValue>,
}

impl Profile {
    /// Reads an answer; `content_type` is what it says it is.
    ///
    /// # Errors
    /// [`NotAProfile`].
    pub fn read(body: &[u8], content_type: Option<&str>) -> Result<Self, NotAProfile> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Err(NotAProfile::Empty);
        }
        // A list would be read as the members of an object, in order.
        if body.trim_ascii_start().starts_with(b"[") && serde_json::from_slice::<IgnoredAny>(body).is_ok() {
            return Err(NotAProfile::Shape("a list".to_owned()));
        }
        let raw: RawProfile<'_> = serde_json::from_slice(body).map_err(|error| {
            if error.is_data() {
                return NotAProfile::Shape(shortened(&error.to_string()));
            }
            let json = matches!(content_type, Some("application/json" | "text/json"));
            let kind = if json { "broken" } else { content_type.unwrap_or("something without a name") };
            NotAProfile::NotJson(shortened(kind))
        })?;
        let Shelf { entries, passed_over } = raw.library;
        Ok(Self { display_name: raw.display_name.and_then(line), entries, passed_over })
    }
}

impl<'de> Deserialize<'de> for Shelf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items;

        impl<'de> Visitor<'de> for Items {
            type Value = Shelf;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of series")
            }

            fn visit_unit<E>(self) -> Result<Shelf, E> {
                Ok(Shelf::default())
            }

            // One item after the other, so that a long list takes no more memory than what is kept of it.
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Shelf, A::Error> {
                let mut shelf = Shelf::default();
                while shelf.entries.len() < MOST_ENTRIES {
                    let Some(item) = items.next_element::<&'de RawValue>()? else { return Ok(shelf) };
                    match entry(item) {
                        Some((mal_id, entry)) if !shelf.entries.contains_key(&mal_id) => {
                            shelf.entries.insert(mal_id, entry);
                        }
                        _ => shelf.passed_over = shelf.passed_over.saturating_add(1),
                    }
                }
                while items.next_element::<IgnoredAny>()?.is_some() {
                    shelf.passed_over = shelf.passed_over.saturating_add(1);
                }
                Ok(shelf)
            }
        }

        deserializer.deserialize_any(Items)
    }
}

fn entry(item: &RawValue) -> Option<(i64, Entry)> {
    let raw: RawEntry<'_> =
        serde_json::from_str(Some(item.get()).filter(|text| text.starts_with('{'))?).ok()?;
    let volumes = |value: Option<&RawValue>| {
        let count = value.and_then(whole)?;
        u32::try_from(count).ok().filter(|count| *count <= MOST_VOLUMES)
    };
    let mal_id = raw.mal_id.and_then(whole).filter(|id| (1..=LARGEST_ID).contains(id))?;
    let entry = Entry {
        name: raw.name.and_then(line),
        volumes: volumes(raw.volumes),
        volumes_owned: volumes(raw.volumes_owned),
        read_percent: raw.read_percent.and_then(percent),
        fully_read: raw.fully_read.is_some_and(|value| value.get() == "true"),
        // What is not plainly no is hidden from those who would rather not see it.
        is_adult: raw.is_adult.is_some_and(|value| !matches!(value.get(), "false" | "null" | "0")),
        image_url: raw.image_url_jpg.and_then(address),
    };
    Some((mal_id, entry))
}

/// A whole number, or a text that is one.
fn whole(value: &RawValue) -> Option<i64> {
    let text = value.get();
    let digits = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

fn percent(value: &RawValue) -> Option<u8> {
    let number: Decimal = value.get().parse().ok()?;
    let whole = number.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero);
    whole.to_u8().filter(|percent| *percent <= 100)
}

/// One line of text, cut to a sensible length; what holds control characters is none.
fn line(value: &RawValue) -> Option<String> {
    let text: String = serde_json::from_str(value.get()).ok()?;
    let text: String = text.trim().chars().take(LONGEST_NAME).collect();
    (!text.is_empty() && !text.chars().any(char::is_control)).then_some(text)
}

fn address(value: &RawValue) -> Option<String> {
    let text: String = serde_json::from_str(value.get()).ok()?;
    let url: Url = text.parse().ok()?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.as_str().len() <= LONGEST_URL;
    plain.then(|| url.into())
}

fn shortened(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(120).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;
    use proptest::prelude::*;

    fn read(json: &str) -> Profile {
        Profile::read(json.as_bytes(), Some("application/json")).unwrap()
    }

    #[test]
    fn a_shelf_is_read_and_what_is_unknown_is_passed_over() {
        let profile = read(
            r#"{"display_name": " Mina ", "since": 2019, "library": [
                {"mal_id": 21, "name": "Tides of Cobalt", "volumes": 12, "volumes_owned": 7, "read_percent": 58.4,
                 "fully_read": false, "is_adult": false, "image_url_jpg": "https://img.example/21.jpg", "mood": "sea"},
                {"mal_id": 7, "fully_read": true}]}"#,
        );
        assert_eq!(profile.display_name.as_deref(), Some("Mina"));
        let tides = Entry {
            name: Some("Tides of Cobalt".to_owned()),
            volumes: Some(12),
            volumes_owned: Some(7),
            read_percent: Some(58),
            fully_read: false,
            is_adult: false,
            image_url: Some("https://img.example/21.jpg".to_owned()),
        };
        let bare = Entry { fully_read: true, ..Entry::default() };
        assert_eq!(profile.entries, BTreeMap::from([(7, bare), (21, tides)]));
        assert_eq!(profile.passed_over, 0);
    }

    #[test]
    fn ids_that_lie_are_passed_over_and_counted() {
        let profile = read(
            r#"{"library": [{"mal_id": -3, "name": "own"}, {"mal_id": 0}, {"mal_id": null}, {}, {"mal_id": 1.5},
                {"mal_id": 99999999999999999999}, {"mal_id": 10000001}, {"mal_id": "many"}, {"mal_id": [5]}, [5], 5, null,
                "x", {"mal_id": "12", "name": "first"}, {"mal_id": 12, "name": "again"}]}"#,
        );
        assert_eq!(profile.entries.keys().copied().collect::<Vec<_>>(), [12]);
        assert_eq!(profile.entries[&12].name.as_deref(), Some("first"), "who says it again changes nothing");
        assert_eq!(profile.passed_over, 14);
    }

    #[test]
    fn fields_that_lie_are_unknown_and_what_is_not_plainly_for_everybody_is_for_adults() {
        let profile = read(
            r#"{"display_name": {"x": 1}, "library": [{"mal_id": 1, "name": 5, "volumes": -2, "volumes_owned": "3",
                "read_percent": 250, "fully_read": "yes", "is_adult": "no idea",
                "image_url_jpg": "javascript:alert(1)"}, {"mal_id": 2, "name": "a\u0000b", "read_percent": 1e300,
                "is_adult": 0, "image_url_jpg": "https://u:p@img.example/"}]}"#,
        );
        let (one, two) = (&profile.entries[&1], &profile.entries[&2]);
        assert_eq!(*one, Entry { volumes_owned: Some(3), is_adult: true, ..Entry::default() });
        assert_eq!(*two, Entry::default());
        assert_eq!(profile.display_name, None);
    }

    #[test]
    fn what_is_missing_has_a_default() {
        for json in ["{}", r#"{"library": null}"#, r#"{"library": []}"#, r#"{"shelf": [1]}"#] {
            assert_eq!(read(json), Profile::default(), "{json}");
        }
    }

    #[test]
    fn what_is_no_profile_is_refused_with_the_reason() {
        let refused = |body: &str, kind| Profile::read(body.as_bytes(), kind).unwrap_err().to_string();
        assert!(refused("", Some("application/json")).contains("empty"));
        assert!(refused("<html>", Some("text/html")).contains("text/html"));
        assert!(refused("{\"library\": [", Some("application/json")).contains("broken"));
        assert!(refused(" []", Some("application/json")).contains("another shape"));
        assert!(refused("[null, [{\"mal_id\": 1}]]", Some("application/json")).contains("another shape"));
        assert!(refused("\"hello\"", None).contains("another shape"));
        assert!(refused(r#"{"library": {"a": 1}}"#, None).contains("a list of series"));
        assert!(refused(r#"{"library": 5}"#, None).contains("a list of series"));
        assert!(Profile::read(b"\xff\xfe", None).is_err());
    }

    #[test]
    fn a_longer_shelf_than_anybodys_is_cut() {
        let items: Vec<String> = (1..=MOST_ENTRIES + 7).map(|id| format!("{{\"mal_id\":{id}}}")).collect();
        let profile = read(&format!("{{\"library\": [{}]}}", items.join(",")));
        assert_eq!((profile.entries.len(), profile.passed_over), (MOST_ENTRIES, 7));
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_stumble(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Profile::read(&bytes, None);
        }

        #[test]
        fn what_was_read_is_kept_as_it_is(ids in proptest::collection::vec(-5_i64..20, 0..40)) {
            let items: Vec<String> = ids.iter().map(|id| format!("{{\"mal_id\":{id},\"name\":\"N{id}\"}}")).collect();
            let profile = read(&format!("{{\"library\": [{}]}}", items.join(",")));
            let distinct: std::collections::BTreeSet<i64> = ids.iter().copied().filter(|id| *id > 0).collect();
            prop_assert_eq!(profile.entries.keys().copied().collect::<Vec<_>>(), distinct.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(profile.passed_over as usize + profile.entries.len(), ids.len());
            let kept: Profile = serde_json::from_value(serde_json::to_value(&profile).unwrap()).unwrap();
            prop_assert_eq!(kept, profile);
        }
    }
}
