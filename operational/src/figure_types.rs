//! `figure_types`: the open list of what kinds of figure there are, kept by admins.

use std::{collections::HashSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sqlx::{PgExecutor, PgPool};

/// Most types the list may hold.
pub const MAX_TYPES: usize = 200;
/// Most characters a label may have.
pub const MAX_LABEL_CHARS: usize = 80;

/// The lasting name of a type: 1 to 40 of `a-z`, `0-9` and `_`, beginning with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct TypeCode(String);

impl TypeCode {
    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TypeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Something about a type was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TypeRefused {
    /// The code is not of the allowed shape.
    #[error("a figure type's code has 1 to 40 of a-z, 0-9 and _, and begins with a letter or digit")]
    Code,
    /// The label is empty, too long or holds control characters.
    #[error("a figure type's label has 1 to {MAX_LABEL_CHARS} characters")]
    Label,
    /// The list is empty.
    #[error("at least one figure type is needed")]
    None,
    /// The list is too long.
    #[error("at most {MAX_TYPES} figure types are kept")]
    TooMany,
    /// A code is there twice.
    #[error("the figure type {0} is listed twice")]
    Twice(TypeCode),
}

impl FromStr for TypeCode {
    type Err = TypeRefused;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let of_shape = (1..=40).contains(&text.len())
            && !text.starts_with('_')
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        of_shape.then(|| Self(text.to_owned())).ok_or(TypeRefused::Code)
    }
}

impl TryFrom<String> for TypeCode {
    type Error = TypeRefused;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// What people read for a type: 1 to [`MAX_LABEL_CHARS`] characters, surrounding blanks taken off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct TypeLabel(String);

impl TypeLabel {
    /// The label as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TypeLabel {
    type Error = TypeRefused;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let text = text.trim();
        let of_shape =
            (1..=MAX_LABEL_CHARS).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        of_shape.then(|| Self(text.to_owned())).ok_or(TypeRefused::Label)
    }
}

/// One kind of figure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FigureType {
    /// Its lasting name.
    pub code: TypeCode,
    /// What people read.
    pub label: TypeLabel,
}

/// A whole list that may replace the one in force: 1 to [`MAX_TYPES`] types, no code twice, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeList(Vec<FigureType>);

impl TryFrom<Vec<FigureType>> for TypeList {
    type Error = TypeRefused;

    fn try_from(types: Vec<FigureType>) -> Result<Self, Self::Error> {
        if types.is_empty() {
            return Err(TypeRefused::None);
        }
        if types.len() > MAX_TYPES {
            return Err(TypeRefused::TooMany);
        }
        let mut seen = HashSet::new();
        if let Some(twice) = types.iter().find(|one| !seen.insert(&one.code)) {
            return Err(TypeRefused::Twice(twice.code.clone()));
        }
        Ok(Self(types))
    }
}

/// The list, in the order admins gave it.
///
/// # Errors
/// Whatever the database reports.
pub async fn list(db: impl PgExecutor<'_>) -> Result<Vec<FigureType>, sqlx::Error> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT code, label FROM figure_types ORDER BY position, code").fetch_all(db).await?;
    Ok(rows
        .into_iter()
        .map(|(code, label)| FigureType { code: TypeCode(code), label: TypeLabel(label) })
        .collect())
}

/// Whether `code` is on the list.
///
/// # Errors
/// Whatever the database reports.
pub async fn exists(db: impl PgExecutor<'_>, code: &TypeCode) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM figure_types WHERE code = $1)")
        .bind(code.as_str())
        .fetch_one(db)
        .await
}

/// Puts `types` in the place of the whole list, all or nothing. Two replacements at once: one after the
/// other. Figures keep a type that is taken off; no new figure can be given it.
///
/// # Errors
/// Whatever the database reports.
pub async fn replace(pool: &PgPool, types: &TypeList) -> Result<(), sqlx::Error> {
    let codes: Vec<&str> = types.0.iter().map(|one| one.code.as_str()).collect();
    let labels: Vec<&str> = types.0.iter().map(|one| one.label.as_str()).collect();
    let mut tx = pool.begin().await?;
    sqlx::query("LOCK TABLE figure_types IN SHARE ROW EXCLUSIVE MODE").execute(&mut *tx).await?;
    sqlx::query("DELETE FROM figure_types WHERE code <> ALL ($1)").bind(&codes).execute(&mut *tx).await?;
    sqlx::query(
        "INSERT INTO figure_types (code, label, position)
         SELECT code, label, position - 1
         FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS given (code, label, position)
         ON CONFLICT (code) DO UPDATE SET label = excluded.label, position = excluded.position",
    )
    .bind(&codes)
    .bind(&labels)
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_lower_case_words() {
        for good in ["scale", "nendoroid_doll", "1_6", &"a".repeat(40)] {
            assert!(good.parse::<TypeCode>().is_ok(), "{good}");
        }
        for bad in ["", "Scale", "_x", "a b", "a-b", "é", "a\0", &"a".repeat(41)] {
            assert_eq!(bad.parse::<TypeCode>(), Err(TypeRefused::Code), "{bad}");
        }
    }

    #[test]
    fn a_list_holds_each_code_once() {
        let one = FigureType {
            code: "scale".parse().unwrap(),
            label: TypeLabel::try_from(" Scale ".to_owned()).unwrap(),
        };
        assert_eq!(one.label.as_str(), "Scale");
        assert_eq!(TypeList::try_from(vec![]), Err(TypeRefused::None));
        assert_eq!(
            TypeList::try_from(vec![one.clone(), one.clone()]),
            Err(TypeRefused::Twice(one.code.clone()))
        );
        assert!(TypeList::try_from(vec![one]).is_ok());
    }
}
