//! Searching by words, tolerant of typos.

use domain::text::folded;
use sqlx::{PgConnection, PgPool, Postgres, QueryBuilder, Transaction};

/// More words than this narrow nothing down any further.
const MOST_WORDS: usize = 8;
/// Longer ones are cut.
const LONGEST_WORD: usize = 60;
/// Words of up to this many characters share few trigrams with anything.
const SHORT_WORD: usize = 5;
/// Shorter words are taken literally.
const SHORTEST_TYPO: usize = 3;

/// Begins a reading in which words are compared as [`Words::push_condition`] expects.
pub(crate) async fn begin(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    pool.begin_with("BEGIN READ ONLY; SET LOCAL pg_trgm.word_similarity_threshold = 0.28").await
}

/// What somebody typed into a search box: every word must be found.
///
/// A word that stands in the searched texts somewhere is what was meant, and is found as a part of a text.
/// One that stands nowhere is taken for a typo, and is found by likeness, unless it has a digit in it (2016
/// is no typo of 2019). [`looked_up`](Self::looked_up) tells the two apart; without it a long word may be
/// either.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words(Vec<Word>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    text: String,
    meant: Meant,
}

/// What a word is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meant {
    Literally,
    AsATypo,
    Either,
}

impl Words {
    /// The words of a query; none when nothing but white space was typed.
    #[must_use]
    pub fn of(query: &str) -> Self {
        let query = folded(query);
        let words = query.split(' ').filter(|word| !word.is_empty()).take(MOST_WORDS);
        let word = |word: &str| {
            let text: String = word.chars().take(LONGEST_WORD).collect();
            let long = text.chars().count() > SHORTEST_TYPO;
            let meant = if long && may_be_mistyped(&text) { Meant::Either } else { Meant::Literally };
            Word { text, meant }
        };
        Self(words.map(word).collect())
    }

    /// The same, knowing which of the words stand in the texts of a table at all.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn looked_up(
        mut self,
        reading: &mut PgConnection,
        table: &str,
        column: &str,
    ) -> sqlx::Result<Self> {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM {table} WHERE {column} LIKE $1)");
        for word in self.0.iter_mut().filter(|word| may_be_mistyped(&word.text)) {
            let stands: bool =
                sqlx::query_scalar(&sql).bind(part(&word.text)).fetch_one(&mut *reading).await?;
            word.meant = if stands { Meant::Literally } else { Meant::AsATypo };
        }
        Ok(self)
    }

    /// Whether there is nothing to search for.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes ` AND …` for a column that holds folded text and has a trigram index, in a query that
    /// [`begin`] precedes.
    pub(crate) fn push_condition(&self, sql: &mut QueryBuilder<'_, Postgres>, column: &str) {
        for Word { text, meant } in &self.0 {
            sql.push(" AND (");
            if *meant != Meant::AsATypo {
                sql.push(format_args!("{column} LIKE ")).push_bind(part(text));
            }
            if *meant == Meant::Either {
                sql.push(" OR ");
            }
            if *meant != Meant::Literally {
                // The operator uses the index; how alike is alike enough depends on the word.
                sql.push("(").push_bind(text.clone()).push(format_args!(" <% {column} AND word_similarity("));
                sql.push_bind(text.clone()).push(format_args!(", {column}) >= {})", alike(text, *meant)));
            }
            sql.push(")");
        }
    }

    /// Writes a whole number that is the higher the better a row answers: a thousand for each word that is
    /// part of the column, less for likeness, and half as much again for words of the title.
    pub(crate) fn push_rank(&self, sql: &mut QueryBuilder<'_, Postgres>, column: &str, title: &str) {
        sql.push("(0::bigint");
        for Word { text, .. } in &self.0 {
            sql.push(format_args!(" + CASE WHEN {title} LIKE ")).push_bind(part(text));
            sql.push(format_args!(" THEN 1500 WHEN {column} LIKE ")).push_bind(part(text));
            sql.push(" THEN 1000 ELSE round(word_similarity(").push_bind(text.clone());
            sql.push(format_args!(", {column}) * 1000)::bigint END"));
        }
        sql.push(")");
    }
}

/// Of how many of its trigrams a word must be found. Two swapped letters cost a word of seven a half of
/// them, one lost letter leaves two of the four of a word of three.
fn alike(word: &str, meant: Meant) -> &'static str {
    match (word.chars().count(), meant) {
        (..=SHORTEST_TYPO, _) => "0.28",
        // Half of the few trigrams of a short word is its beginning: "miku" and "mikasa".
        (..=SHORT_WORD, Meant::Either) => "0.66",
        (_, Meant::Either) | (..=SHORT_WORD, _) => "0.5",
        (_, _) => "0.45",
    }
}

/// Words of another script are too short for typos, and numbers that differ are different numbers.
fn may_be_mistyped(word: &str) -> bool {
    word.chars().count() >= SHORTEST_TYPO && !word.contains(|c: char| c.is_numeric())
}

/// The pattern of a text that contains the word.
fn part(word: &str) -> String {
    let mut pattern = String::from("%");
    for c in word.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_takes_what_was_typed_literally() {
        assert_eq!(part(r"50%_\o"), r"%50\%\_\\o%");
    }

    #[test]
    fn numbers_and_short_words_are_never_taken_for_typos() {
        let meant = |query| Words::of(query).0.iter().map(|word| word.meant).collect::<Vec<_>>();
        assert_eq!(
            meant("hatsnue rem 2016 v2.0x"),
            [Meant::Either, Meant::Literally, Meant::Literally, Meant::Literally]
        );
        assert!(may_be_mistyped("rem"), "when it stands nowhere");
        assert!(!may_be_mistyped("ミク"));
        assert!(!may_be_mistyped("2016"));
        let texts: Vec<String> =
            Words::of("  ＭＩＫＵ \t 2019 ").0.into_iter().map(|word| word.text).collect();
        assert_eq!(texts, ["miku", "2019"]);
    }
}
