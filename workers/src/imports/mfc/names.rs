//! Finding a figure by its title, when no code tells it.
//!
//! A wrong match is worse than a duplicate: it puts the wrong figure on somebody's shelf, while two that
//! are the same can be merged. Many real figures are nine tenths alike and still different ones, so a
//! likeness counts only when word by word nothing but the spelling of long words differs.

use domain::commands::FigureFound;
use domain::gtin::Gtin;
use domain::ids::FigureId;
use domain::text::folded;
use sqlx::PgPool;
use std::collections::HashMap;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};
use uuid::Uuid;

/// How alike two names have to be.
const ALIKE: f64 = 0.9;

/// Words that tell one edition from another. Both names have to have the same ones.
const EDITION_WORDS: &[&str] = &[
    "alter",
    "alternative",
    "anniversary",
    "another",
    "black",
    "bonus",
    "color",
    "colour",
    "complete",
    "deluxe",
    "dx",
    "edition",
    "event",
    "exclusive",
    "limited",
    "new",
    "premium",
    "re",
    "reissue",
    "release",
    "renewal",
    "rerelease",
    "reproduction",
    "revival",
    "set",
    "special",
    "standard",
    "summer",
    "ver",
    "white",
    "winter",
];

/// From how many letters on a word may be spelt a little differently. Short ones are names: Ram is not Rem.
const LONG_WORD: usize = 7;

/// What is known of a figure besides its name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Codes {
    /// Its barcode.
    pub jan: Option<Gtin>,
    /// Its MyFigureCollection id.
    pub mfc_id: Option<i64>,
}

impl Codes {
    /// Whether both have a code of one kind, and it differs: then they are not one figure.
    fn contradict(&self, other: &Self) -> bool {
        let jans = self.jan.as_ref().zip(other.jan.as_ref());
        jans.is_some_and(|(a, b)| a.normalised() != b.normalised())
            || self.mfc_id.zip(other.mfc_id).is_some_and(|(a, b)| a != b)
    }
}

/// How two titles differ that are at least nine tenths alike, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// In nothing but the spelling of long words.
    Spelling,
    /// In more than that: it takes somebody to tell.
    Unsure,
    /// In a number or in the edition: they are two figures.
    Edition,
}

/// A title, ready to be compared.
pub struct Title(Form);

impl Title {
    /// Of a text as it was typed.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(form(&folded(text)))
    }

    /// The same without another text at its beginning or end, such as its maker's name; none when it is not there or
    /// nothing would be left.
    #[must_use]
    pub fn without(&self, other: &Self) -> Option<Self> {
        let (words, other) = (self.0.words.as_slice(), other.0.words.as_slice());
        let rest = words.strip_prefix(other).or_else(|| words.strip_suffix(other))?;
        (!rest.is_empty() && rest.len() < words.len()).then(|| Self(Form::of(rest.to_vec())))
    }

    /// How alike the two are in hundredths, and how they differ; none below nine tenths.
    #[must_use]
    pub fn likeness(&self, other: &Self) -> Option<(u8, Difference)> {
        let (a, b) = (&self.0, &other.0);
        if a.words.is_empty() || !are_alike(a, b) {
            return None;
        }
        let apart = strsim::levenshtein(&a.text, &b.text).saturating_mul(100);
        let apart = apart.div_ceil(a.length.max(b.length).max(1));
        let percent = u8::try_from(100_usize.saturating_sub(apart)).unwrap_or(0);
        let difference = if differ_in_spelling_only(&a.words, &b.words) {
            Difference::Spelling
        } else if telling(&a.words) == telling(&b.words) {
            Difference::Unsure
        } else {
            Difference::Edition
        };
        Some((percent, difference))
    }
}

/// The words that tell one figure from another. That a title says `ver` or `set` does not.
fn telling(words: &[String]) -> Vec<&str> {
    let tells = |word: &&str| {
        word.contains(char::is_numeric)
            || (EDITION_WORDS.contains(word) && !matches!(*word, "ver" | "set" | "edition" | "release"))
    };
    let mut telling: Vec<&str> = words.iter().map(String::as_str).filter(tells).collect();
    telling.sort_unstable();
    telling
}

/// Whom a title may mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameMatch {
    /// Nobody's name is like it.
    Unknown,
    /// Several, or one that is like it and still another.
    Ambiguous,
    /// This one.
    One(FigureId, FigureFound),
}

struct Entry {
    id: FigureId,
    codes: Codes,
    form: Form,
}

/// A name's words, one blank between them in the text.
struct Form {
    words: Vec<String>,
    text: String,
    length: usize,
    letters: Letters,
}

impl Form {
    fn of(words: Vec<String>) -> Self {
        let text = words.join(" ");
        let length = text.chars().count();
        let letters = Letters::of(&text);
        Self { words, text, length, letters }
    }
}

/// How often each letter stands in a name, letters sharing a few places. Saves most of the comparisons.
#[derive(Clone, Copy, Default)]
struct Letters([u8; 32]);

impl Letters {
    fn of(text: &str) -> Self {
        let mut letters = Self::default();
        for c in text.chars() {
            let place = usize::try_from(u32::from(c) % 32).unwrap_or(0);
            if let Some(count) = letters.0.get_mut(place) {
                *count = count.saturating_add(1);
            }
        }
        letters
    }

    /// At least so many letters have to change to make one text of the other.
    fn distance_at_least(&self, other: &Self) -> usize {
        let apart: usize = self.0.iter().zip(&other.0).map(|(a, b)| usize::from(a.abs_diff(*b))).sum();
        apart.div_ceil(2)
    }
}

/// The names of the whole catalogue, ready to be searched.
#[derive(Default)]
pub struct Names {
    entries: Vec<Entry>,
    folded: HashMap<String, Vec<usize>>,
    words: HashMap<String, Vec<usize>>,
}

impl Names {
    /// The names as the read models have them.
    ///
    /// # Errors
    /// Whatever the database reports.
    pub async fn load(pool: &PgPool) -> Result<Self, sqlx::Error> {
        let rows: Vec<(Uuid, String, Option<String>, Option<i64>)> =
            sqlx::query_as("SELECT id, name, jan, mfc_id FROM figures ORDER BY id").fetch_all(pool).await?;
        let mut names = Self::default();
        for (id, name, jan, mfc_id) in rows {
            names.add(FigureId(id), &name, Codes { jan: jan.and_then(|j| Gtin::new(&j).ok()), mfc_id });
        }
        Ok(names)
    }

    /// Adds a figure.
    pub fn add(&mut self, id: FigureId, name: &str, codes: Codes) {
        let index = self.entries.len();
        let folded = folded(name);
        let form = form(&folded);
        if !form.words.is_empty() {
            self.words.entry(form.text.clone()).or_default().push(index);
        }
        self.folded.entry(folded).or_default().push(index);
        self.entries.push(Entry { id, codes, form });
    }

    /// The figure that a title means: by its name exactly (case, width and spacing aside), then by its
    /// words (punctuation aside), then by likeness.
    pub fn find(&self, title: &str, codes: &Codes) -> NameMatch {
        let wanted = folded(title);
        let form = form(&wanted);
        if form.words.is_empty() {
            return NameMatch::Unknown;
        }
        for same in [self.folded.get(&wanted), self.words.get(&form.text)] {
            let possible: Vec<&Entry> = same
                .into_iter()
                .flatten()
                .filter_map(|i| self.entries.get(*i))
                .filter(|e| !e.codes.contradict(codes))
                .collect();
            match possible.as_slice() {
                [] => {}
                [one] => return NameMatch::One(one.id, FigureFound::Name),
                _ => return NameMatch::Ambiguous,
            }
        }
        let mut alike =
            self.entries.iter().filter(|e| !e.codes.contradict(codes) && are_alike(&e.form, &form));
        match (alike.next(), alike.next()) {
            (None, _) => NameMatch::Unknown,
            (Some(entry), None) if differ_in_spelling_only(&entry.form.words, &form.words) => {
                NameMatch::One(entry.id, FigureFound::Likeness)
            }
            _ => NameMatch::Ambiguous,
        }
    }
}

/// A name's words: lower case, without accents and punctuation, `version` written `ver`.
fn form(folded: &str) -> Form {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut after_latin = false;
    for c in folded.nfkd() {
        // Marks on Latin letters are accents; on kana they are part of the letter.
        if is_combining_mark(c) && (after_latin || word.is_empty()) {
            continue;
        }
        if c.is_alphanumeric() || is_combining_mark(c) {
            after_latin = c.is_ascii_alphabetic();
            word.push(c);
        } else if !matches!(c, '\'' | '’') && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    for word in &mut words {
        if word == "version" {
            word.truncate(3);
        }
    }
    Form::of(words)
}

fn are_alike(a: &Form, b: &Form) -> bool {
    let longer = a.length.max(b.length);
    // What differs by more than a tenth cannot be nine tenths alike.
    a.length.abs_diff(b.length) * 10 <= longer
        && a.letters.distance_at_least(&b.letters) * 10 <= longer
        && strsim::normalized_levenshtein(&a.text, &b.text) >= ALIKE
}

/// Whether word by word only the spelling of long words differs, and neither digits nor editions do.
fn differ_in_spelling_only(a: &[String], b: &[String]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b || are_spellings(a, b))
}

fn are_spellings(a: &str, b: &str) -> bool {
    let plain = |w: &str| !w.chars().any(char::is_numeric) && !EDITION_WORDS.contains(&w);
    let long = |w: &str| w.chars().count() >= LONG_WORD;
    plain(a)
        && plain(b)
        && long(a)
        && long(b)
        && a.chars().next() == b.chars().next()
        && strsim::osa_distance(a, b) <= 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(n: usize) -> FigureId {
        FigureId(Uuid::from_u128(n as u128 + 1))
    }

    fn names(all: &[&str]) -> Names {
        let mut names = Names::default();
        for (n, name) in all.iter().enumerate() {
            names.add(id(n), name, Codes::default());
        }
        names
    }

    fn find(all: &[&str], title: &str) -> NameMatch {
        names(all).find(title, &Codes::default())
    }

    #[test]
    fn case_width_spacing_and_punctuation_do_not_matter() {
        for title in [
            "aster vale: harbour ver.",
            "ＡＳＴＥＲ　Vale: Harbour Ver.",
            "Aster Vale - Harbour Version",
            "Aster Vale (Harbour Ver.)",
        ] {
            let all = ["Briar Quill", "Aster Vale: Harbour Ver."];
            assert_eq!(find(&all, title), NameMatch::One(id(1), FigureFound::Name), "{title}");
        }
    }

    #[test]
    fn a_name_that_two_have_is_ambiguous() {
        assert_eq!(find(&["Aster", "aster"], "Aster"), NameMatch::Ambiguous);
    }

    #[test]
    fn a_slip_of_the_pen_in_a_long_word_is_forgiven() {
        let all = ["Aster Vale: Midsummer Lantern Ver."];
        for title in ["Aster Vale: Midsumer Lantern Ver.", "Aster Vale: Midsummer Lantren Ver."] {
            assert_eq!(find(&all, title), NameMatch::One(id(0), FigureFound::Likeness), "{title}");
        }
    }

    #[test]
    fn digits_editions_and_short_names_are_not_forgiven() {
        for (name, title) in [
            ("Aster Vale: Lantern Festival 2026 Ver.", "Aster Vale: Lantern Festival 2027 Ver."),
            ("Aster Vale: Lantern Festival Ver. DX", "Aster Vale: Lantern Festival Ver."),
            ("Captain Rem of the Hollow Tide", "Captain Ram of the Hollow Tide"),
            ("Aster Vale: Lantern Limited Box", "Aster Vale: Lantern Limitea Box"),
        ] {
            assert_eq!(find(&[name], title), NameMatch::Ambiguous, "{title}");
        }
    }

    #[test]
    fn two_candidates_are_one_too_many() {
        let all = ["Aster Vale: Midsummer Lantern Ver.", "Aster Vale: Midsummer Lantern Ver. X"];
        assert_eq!(find(&all, "Aster Vale: Midsumer Lantern Ver."), NameMatch::Ambiguous);
    }

    #[test]
    fn a_figure_with_another_code_is_not_meant() {
        let mut names = Names::default();
        names.add(id(0), "Aster", Codes { mfc_id: Some(1), jan: None });
        names.add(id(1), "Aster", Codes { mfc_id: Some(2), jan: None });
        let two = Codes { mfc_id: Some(2), jan: None };
        assert_eq!(names.find("Aster", &two), NameMatch::One(id(1), FigureFound::Name));
        let three = Codes { mfc_id: Some(3), jan: None };
        assert_eq!(names.find("Aster", &three), NameMatch::Unknown);
    }

    #[test]
    fn what_is_like_nothing_is_unknown() {
        assert_eq!(find(&["Aster"], "Briar Quill"), NameMatch::Unknown);
        assert_eq!(find(&["!!!"], "???"), NameMatch::Unknown);
    }

    #[test]
    fn titles_say_how_they_differ() {
        let likeness = |a: &str, b: &str| Title::new(a).likeness(&Title::new(b));
        let lantern = "Aster Vale: Midsummer Lantern Ver.";
        assert_eq!(
            likeness(lantern, "aster vale midsummer lantern version"),
            Some((100, Difference::Spelling))
        );
        assert_eq!(
            likeness(lantern, "Aster Vale: Midsumer Lantern Ver.").map(|(_, how)| how),
            Some(Difference::Spelling)
        );
        assert_eq!(
            likeness("Captain Rem of the Hollow Tide", "Captain Ram of the Hollow Tide").map(|(_, how)| how),
            Some(Difference::Unsure)
        );
        assert_eq!(
            likeness("Aster Vale: Lantern Festival 2026", "Aster Vale: Lantern Festival 2027"),
            Some((96, Difference::Edition))
        );
        assert_eq!(likeness(lantern, "Briar Quill"), None);
        assert_eq!(likeness("!!", "??"), None);
    }

    #[test]
    fn a_makers_name_around_a_title_is_no_part_of_it() {
        let maker = Title::new("Tidewater Figures");
        let bare = Title::new("Maris: Storm Lantern");
        for title in ["Tidewater Figures Maris: Storm Lantern", "Maris: Storm Lantern (Tidewater Figures)"] {
            let title = Title::new(title).without(&maker).unwrap();
            assert_eq!(title.likeness(&bare), Some((100, Difference::Spelling)));
        }
        assert!(bare.without(&maker).is_none() && maker.without(&maker).is_none());
        assert!(bare.without(&Title::new("")).is_none());
    }

    /// Every figure of the real catalogue is taken out in turn: its name must not find another one.
    #[test]
    fn no_real_figure_is_taken_for_another() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/nendoroids.jsonl");
        let Ok(file) = std::fs::read_to_string(path) else {
            println!("skipped: {path} is not there");
            return;
        };
        let all: Vec<String> = file
            .lines()
            .map(|l| {
                serde_json::from_str::<serde_json::Value>(l).unwrap()["name"].as_str().unwrap().to_owned()
            })
            .collect();
        let mut catalogue = Names::default();
        for (n, name) in all.iter().enumerate() {
            catalogue.add(id(n), name, Codes::default());
        }
        let mut alike = 0;
        for (n, name) in all.iter().enumerate() {
            let form = form(&folded(name));
            let twins = catalogue.folded[&folded(name)].len();
            let found = catalogue.find(name, &Codes::default());
            let expected =
                if twins == 1 { NameMatch::One(id(n), FigureFound::Name) } else { NameMatch::Ambiguous };
            assert_eq!(found, expected, "{name}");
            let mut others: Vec<&Entry> = Vec::new();
            for (m, entry) in catalogue.entries.iter().enumerate() {
                if m != n && are_alike(&entry.form, &form) {
                    others.push(entry);
                }
            }
            alike += others.len();
            for other in others {
                let mut alone = Names::default();
                alone.add(other.id, &all[other.id.uuid().as_u128() as usize - 1], Codes::default());
                let found = alone.find(name, &Codes::default());
                assert!(twins > 1 || found == NameMatch::Ambiguous, "{name} was taken for {found:?}");
            }
        }
        assert!(alike / 2 >= 63, "only {} pairs are alike: this test checks nothing", alike / 2);
    }

    proptest! {
        #[test]
        fn the_short_cut_never_misses_an_alike_name(a in "[a-f]{10,40}", at in 0_usize..10, with in "[a-f]{0,2}") {
            let mut b = a.clone();
            b.replace_range(at..=at, &with);
            let likeness = strsim::normalized_levenshtein(&a, &b);
            prop_assert_eq!(are_alike(&form(&a), &form(&b)), likeness >= ALIKE);
        }

        #[test]
        fn no_title_makes_it_stumble(name in "\\PC{0,30}", title in "\\PC{0,30}") {
            let _ = find(&[&name], &title);
        }

        #[test]
        fn every_name_with_a_letter_finds_itself(name in "[a-zA-Zあ-んー ()0-9-]{0,30}x") {
            prop_assert_eq!(find(&[&name], &name), NameMatch::One(id(0), FigureFound::Name));
        }
    }
}
