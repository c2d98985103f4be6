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
/// In longer words no slip is looked for, only likeness.
const LONGEST_TYPO: usize = 20;

/// Begins a reading in which words are compared as [`Words::push_condition`] expects: alike from a half of
/// their trigrams on.
pub(crate) async fn begin(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    pool.begin_with("BEGIN READ ONLY; SET LOCAL pg_trgm.word_similarity_threshold = 0.5").await
}

/// What somebody typed into a search box: every word must be found.
///
/// A word that begins a word of the searched texts somewhere is what was meant, and is found as a part of a
/// text. Any other is taken for a typo, unless it has a digit in it (2016 is no typo of 2019): it is also
/// found as a word that differs by one slip, and a longer one by likeness.
/// [`looked_up`](Self::looked_up) tells the two apart; without it a long word may be either.
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

    /// The same, knowing which of the words begin a word in the texts of a table.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn looked_up(
        mut self,
        reading: &mut PgConnection,
        table: &str,
        column: &str,
    ) -> sqlx::Result<Self> {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM {table} WHERE {column} ~ $1)");
        for word in self.0.iter_mut().filter(|word| may_be_mistyped(&word.text)) {
            let stands: bool =
                sqlx::query_scalar(&sql).bind(beginning(&word.text)).fetch_one(&mut *reading).await?;
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
            match meant {
                Meant::Literally => {
                    sql.push(format_args!("{column} LIKE ")).push_bind(part(text));
                }
                Meant::Either => {
                    sql.push(format_args!("{column} LIKE ")).push_bind(part(text)).push(" OR ");
                    push_likeness(sql, text, column);
                }
                Meant::AsATypo => {
                    sql.push(format_args!("{column} LIKE ")).push_bind(part(text));
                    let slip = one_slip(text);
                    if slip.is_none() || text.chars().count() > SHORT_WORD {
                        sql.push(" OR ");
                        push_likeness(sql, text, column);
                    }
                    if let Some(pattern) = slip {
                        sql.push(format_args!(" OR {column} ~ ")).push_bind(pattern);
                    }
                }
            }
            sql.push(")");
        }
    }

    /// Writes a whole number that is the higher the better a row answers: a thousand for each word that is
    /// part of the column, less for a slip and for likeness, and half as much again for words of the title.
    pub(crate) fn push_rank(&self, sql: &mut QueryBuilder<'_, Postgres>, column: &str, title: &str) {
        sql.push("(0::bigint");
        for Word { text, meant } in &self.0 {
            let (in_title, elsewhere) = match (meant, one_slip(text)) {
                (Meant::AsATypo, Some(pattern)) => {
                    sql.push(format_args!(" + CASE WHEN {title} ~ ")).push_bind(pattern.clone());
                    sql.push(format_args!(" THEN 1200 WHEN {column} ~ ")).push_bind(pattern);
                    sql.push(" THEN 1000 WHEN ");
                    (900, 700)
                }
                _ => {
                    sql.push(" + CASE WHEN ");
                    (1500, 1000)
                }
            };
            sql.push(format_args!("{title} LIKE ")).push_bind(part(text));
            sql.push(format_args!(" THEN {in_title} WHEN {column} LIKE ")).push_bind(part(text));
            sql.push(format_args!(" THEN {elsewhere} ELSE round(word_similarity("));
            sql.push_bind(text.clone()).push(format_args!(", {column}) * 700)::bigint END"));
        }
        sql.push(")");
    }
}

/// Writes that a text has something like the word in it. The operator uses the index.
fn push_likeness(sql: &mut QueryBuilder<'_, Postgres>, word: &str, column: &str) {
    sql.push("(").push_bind(word.to_owned()).push(format_args!(" <% {column}"));
    if word.chars().count() <= SHORT_WORD {
        // Half of the few trigrams of a short word is its beginning: "miku" and "mikasa".
        sql.push(" AND word_similarity(").push_bind(word.to_owned());
        sql.push(format_args!(", {column}) > 0.65"));
    }
    sql.push(")");
}

/// The regular expression of all words that one slip makes this one of: a letter wrong, missing or too
/// many, or two neighbours swapped. None for words that are too long, or hold more than letters.
fn one_slip(word: &str) -> Option<String> {
    let letters: Vec<char> = word.chars().collect();
    if letters.len() > LONGEST_TYPO || !letters.iter().all(|c| c.is_alphabetic()) {
        return None;
    }
    let mut meant = Vec::new();
    for at in 0..=letters.len() {
        let (before, after) = letters.split_at(at);
        let text = |letters: &[char]| letters.iter().collect::<String>();
        meant.push(format!("{}\\w{}", text(before), text(after)));
        if let [wrong, rest @ ..] = after {
            meant.push(format!("{}\\w?{}", text(before), text(rest)));
            if let [next, rest @ ..] = rest {
                meant.push(format!("{}{next}{wrong}{}", text(before), text(rest)));
            }
        }
    }
    Some(format!("\\m({})\\M", meant.join("|")))
}

/// Words of another script are too short for typos, and numbers that differ are different numbers.
fn may_be_mistyped(word: &str) -> bool {
    word.chars().filter(|c| c.is_alphabetic()).count() >= SHORTEST_TYPO
        && !word.contains(|c: char| c.is_numeric())
}

/// The regular expression of a text in which the word begins a word. Only ASCII means anything in one.
fn beginning(word: &str) -> String {
    let mut pattern = String::from("\\m");
    for c in word.chars() {
        if c.is_ascii_punctuation() {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
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
    fn what_was_typed_means_nothing_in_a_regular_expression() {
        assert_eq!(beginning(r"re:z\(o"), r"\mre\:z\\\(o");
    }

    #[test]
    fn one_slip_is_a_letter_wrong_missing_too_many_or_swapped() {
        assert_eq!(one_slip("abc").unwrap(), r"\m(\wabc|\w?bc|bac|a\wbc|a\w?c|acb|ab\wc|ab\w?|abc\w)\M");
        assert_eq!(one_slip("a.c"), None, "nothing that means something in a regular expression");
        assert_eq!(one_slip(&"a".repeat(21)), None);
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
