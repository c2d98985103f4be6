//! Searching by words, tolerant of typos.

use domain::text::folded;
use sqlx::{PgPool, Postgres, QueryBuilder, Transaction};

/// More words than this narrow nothing down any further.
const MOST_WORDS: usize = 8;
/// Longer ones are cut.
const LONGEST_WORD: usize = 60;
/// Words of up to this many characters must be more alike.
const SHORT_WORD: usize = 5;

/// Begins a reading in which words are compared as [`Words::push_condition`] expects: alike from a half of
/// their trigrams on, so that two swapped letters in a word of seven do not matter.
pub(crate) async fn begin(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    pool.begin_with("BEGIN READ ONLY; SET LOCAL pg_trgm.word_similarity_threshold = 0.5").await
}

/// What somebody typed into a search box: every word must be found, each as a part of the text or, when it
/// is long enough and has no digit in it (2016 is no typo of 2019), as something like a word of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words(Vec<String>);

impl Words {
    /// The words of a query; none when nothing but white space was typed.
    #[must_use]
    pub fn of(query: &str) -> Self {
        let query = folded(query);
        let words = query.split(' ').filter(|word| !word.is_empty()).take(MOST_WORDS);
        Self(words.map(|word| word.chars().take(LONGEST_WORD).collect()).collect())
    }

    /// Whether there is nothing to search for.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes ` AND …` for a column that holds folded text and has a trigram index, in a query that
    /// [`begin`] precedes.
    pub(crate) fn push_condition(&self, sql: &mut QueryBuilder<'_, Postgres>, column: &str) {
        for word in &self.0 {
            sql.push(format_args!(" AND ({column} LIKE ")).push_bind(part(word));
            if may_be_mistyped(word) {
                sql.push(" OR (").push_bind(word.clone()).push(format_args!(" <% {column}"));
                if word.chars().count() <= SHORT_WORD {
                    // Half of the few trigrams of a short word is its beginning: "miku" and "mikasa".
                    sql.push(" AND word_similarity(").push_bind(word.clone());
                    sql.push(format_args!(", {column}) > 0.65"));
                }
                sql.push(")");
            }
            sql.push(")");
        }
    }

    /// Writes a whole number that is the higher the better a row answers: a thousand for each word that is
    /// part of the column, less for likeness, and half as much again for words of the title.
    pub(crate) fn push_rank(&self, sql: &mut QueryBuilder<'_, Postgres>, column: &str, title: &str) {
        sql.push("(0::bigint");
        for word in &self.0 {
            sql.push(format_args!(" + CASE WHEN {title} LIKE ")).push_bind(part(word));
            sql.push(format_args!(" THEN 1500 WHEN {column} LIKE ")).push_bind(part(word));
            sql.push(" THEN 1000 ELSE round(word_similarity(").push_bind(word.clone());
            sql.push(format_args!(", {column}) * 1000)::bigint END"));
        }
        sql.push(")");
    }
}

fn may_be_mistyped(word: &str) -> bool {
    word.chars().count() >= 4 && !word.contains(|c: char| c.is_numeric())
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
        assert!(may_be_mistyped("hatsnue"));
        assert!(!may_be_mistyped("2016"));
        assert!(!may_be_mistyped("rem"));
        assert_eq!(Words::of("  ＭＩＫＵ \t 2019 "), Words(vec!["miku".to_owned(), "2019".to_owned()]));
    }
}
