//! Fields of a PATCH: absent, null and a value are three things.

use serde::{Deserialize, Deserializer};

/// A field of a PATCH that can be emptied. Give it `#[serde(default)]` and
/// `#[schema(value_type = Option<T>)]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Change<T> {
    /// Absent: leave it as it is.
    #[default]
    Keep,
    /// `null`: empty it.
    Clear,
    /// A value: set it.
    Set(T),
}

impl<T> Change<T> {
    /// None to leave it, `Some(None)` to empty it, `Some(Some(value))` to set it.
    pub fn into_option(self) -> Option<Option<T>> {
        match self {
            Self::Keep => None,
            Self::Clear => Some(None),
            Self::Set(value) => Some(Some(value)),
        }
    }

    /// The same with the value read as something else.
    ///
    /// # Errors
    /// What reading it says.
    pub fn try_map<U, E>(self, read: impl FnOnce(T) -> Result<U, E>) -> Result<Change<U>, E> {
        Ok(match self {
            Self::Keep => Change::Keep,
            Self::Clear => Change::Clear,
            Self::Set(value) => Change::Set(read(value)?),
        })
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Clear, Self::Set))
    }
}

/// For a field of a PATCH that cannot be emptied: `#[serde(default, deserialize_with = "change::not_null")]`
/// on an `Option` makes `null` an error instead of "leave it".
///
/// # Errors
/// What `T` says about the value.
pub fn not_null<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Patch {
        #[serde(default)]
        note: Change<String>,
        #[serde(default, deserialize_with = "not_null")]
        shown: Option<bool>,
    }

    #[test]
    fn absent_null_and_a_value_differ() {
        let read = |text| serde_json::from_str::<Patch>(text);
        assert_eq!(read("{}").unwrap().note, Change::Keep);
        assert_eq!(read(r#"{"note":null}"#).unwrap().note, Change::Clear);
        assert_eq!(read(r#"{"note":"x"}"#).unwrap().note, Change::Set("x".to_owned()));
        assert_eq!(read("{}").unwrap().shown, None);
        assert_eq!(read(r#"{"shown":true}"#).unwrap().shown, Some(true));
        assert!(read(r#"{"shown":null}"#).is_err());
    }
}
