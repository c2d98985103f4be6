//! Reads what was given for a channel, field by field.

use serde_json::{Map, Value};
use url::Url;

/// Longer addresses are not taken.
const LONGEST_URL: usize = 2_048;

/// What is wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is needed.
    Missing,
    /// It does not hold what it should.
    Invalid,
    /// There is no such field.
    Unknown,
    /// It is an address that is not asked.
    Address,
}

/// Something that was given does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// Where.
    pub field: String,
    /// What.
    pub fault: Fault,
    /// A sentence that says what would fit.
    pub detail: String,
}

impl Unfit {
    pub(super) fn invalid(field: &str, detail: impl Into<String>) -> Self {
        Self { field: field.to_owned(), fault: Fault::Invalid, detail: detail.into() }
    }

    pub(super) fn address(field: &str, detail: impl Into<String>) -> Self {
        Self { field: field.to_owned(), fault: Fault::Address, detail: detail.into() }
    }
}

/// What to do with something that was there before.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Given<T> {
    /// Nothing was said.
    Nothing,
    /// It is to go.
    Null,
    /// It is to be this.
    Value(T),
}

impl<T> Given<T> {
    /// What holds from now on, when nothing said means that it stays.
    pub(super) fn or(self, before: Option<T>) -> Option<T> {
        match self {
            Self::Nothing => before,
            Self::Null => None,
            Self::Value(value) => Some(value),
        }
    }
}

/// Fields that are taken out one by one; what is left at the end is unknown.
pub(super) struct Fields(pub Map<String, Value>);

impl Fields {
    pub(super) fn given(&mut self, field: &str, longest: usize) -> Result<Given<String>, Unfit> {
        match self.0.remove(field) {
            None => Ok(Given::Nothing),
            Some(Value::Null) => Ok(Given::Null),
            Some(Value::String(text)) => {
                let text = text.trim();
                if text.is_empty() || text.len() > longest || text.contains('\0') {
                    return Err(Unfit::invalid(field, format!("between 1 and {longest} bytes of text")));
                }
                Ok(Given::Value(text.to_owned()))
            }
            Some(_) => Err(Unfit::invalid(field, "a text is wanted here")),
        }
    }

    /// One line of text.
    pub(super) fn line(&mut self, field: &str, longest: usize) -> Result<Option<String>, Unfit> {
        let line = self.given(field, longest)?.or(None);
        if line.as_ref().is_some_and(|line| line.chars().any(char::is_control)) {
            return Err(Unfit::invalid(field, "a single line is wanted here"));
        }
        Ok(line)
    }

    pub(super) fn needed<T>(field: &str, value: Option<T>) -> Result<T, Unfit> {
        value.ok_or_else(|| Unfit {
            field: field.to_owned(),
            fault: Fault::Missing,
            detail: "this field is needed".to_owned(),
        })
    }

    /// An address that is needed; whether it may be asked is not looked at.
    pub(super) fn url(&mut self, field: &str) -> Result<Url, Unfit> {
        let text = Self::needed(field, self.line(field, LONGEST_URL)?)?;
        text.parse().map_err(|_invalid| Unfit::invalid(field, "an http(s) address is wanted here"))
    }

    pub(super) fn number(&mut self, field: &str) -> Result<Option<u64>, Unfit> {
        match self.0.remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                value.as_u64().map(Some).ok_or_else(|| Unfit::invalid(field, "a whole number is wanted here"))
            }
        }
    }

    /// The end: nothing may be left.
    pub(super) fn done(self) -> Result<(), Unfit> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some((field, _)) => {
                Err(Unfit { field, fault: Fault::Unknown, detail: "there is no such field here".to_owned() })
            }
        }
    }
}

/// A text of some stored object.
pub(super) fn text<'v>(value: &'v Value, field: &str) -> Option<&'v str> {
    value.get(field).and_then(Value::as_str)
}
