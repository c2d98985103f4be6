//! What people say about their accounts, each in its own type: what cannot be is refused when it is read.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Something a person gave about their account was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AccountRefused {
    /// The name is not of the allowed shape.
    #[error("a username has 3 to 30 of a-z, 0-9, _ and -")]
    Username,
    /// This cannot be an e-mail address.
    #[error("this is not an e-mail address of at most 254 characters")]
    Email,
    /// Nobody keeps such a time zone.
    #[error("the time zone is not one of the IANA database, such as Europe/Paris")]
    TimeZone,
    /// Not one of the three choices.
    #[error("nsfw_visibility is one of hide, blur, show")]
    NsfwVisibility,
}

/// An account's name: 3 to 30 of `a-z`, `0-9`, `_` and `-`, kept as typed and compared without case.
///
/// ASCII only, so that no two names look alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Username(String);

impl Username {
    /// The name as typed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Username {
    type Err = AccountRefused;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let of_shape = (3..=30).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        of_shape.then(|| Self(text.to_owned())).ok_or(AccountRefused::Username)
    }
}

impl TryFrom<String> for Username {
    type Error = AccountRefused;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An e-mail address that could exist, at most 254 characters, kept as typed and compared without case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Email(String);

impl Email {
    /// The address as typed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Email {
    type Err = AccountRefused;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plausible = text.len() <= 254
            && !text.chars().any(|c| c.is_whitespace() || c.is_control())
            && text.rsplit_once('@').is_some_and(|(local, domain)| {
                (1..=64).contains(&local.len())
                    && !local.contains('@')
                    && domain.contains('.')
                    && domain.split('.').all(|label| {
                        !label.is_empty()
                            && !label.starts_with('-')
                            && !label.ends_with('-')
                            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
                    })
            });
        plausible.then(|| Self(text.to_owned())).ok_or(AccountRefused::Email)
    }
}

impl TryFrom<String> for Email {
    type Error = AccountRefused;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// A time zone of the IANA database, such as `Europe/Paris`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeZone(chrono_tz::Tz);

impl TimeZone {
    /// The zone, for calendar arithmetic.
    #[must_use]
    pub const fn tz(self) -> chrono_tz::Tz {
        self.0
    }
}

impl FromStr for TimeZone {
    type Err = AccountRefused;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_unknown| AccountRefused::TimeZone)
    }
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

impl Serialize for TimeZone {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name())
    }
}

impl<'de> Deserialize<'de> for TimeZone {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What a person is shown of NSFW figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NsfwVisibility {
    /// Left out of listings.
    Hide,
    /// Listed and marked for blurring.
    Blur,
    /// Shown as anything else.
    Show,
}

impl NsfwVisibility {
    /// The word that is stored and sent.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hide => "hide",
            Self::Blur => "blur",
            Self::Show => "show",
        }
    }
}

impl FromStr for NsfwVisibility {
    type Err = AccountRefused;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Hide, Self::Blur, Self::Show]
            .into_iter()
            .find(|one| one.as_str() == text)
            .ok_or(AccountRefused::NsfwVisibility)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames_are_short_and_ascii() {
        for good in ["bob", "Miku_39", "a-b", &"x".repeat(30)] {
            assert!(good.parse::<Username>().is_ok(), "{good}");
        }
        for bad in ["", "ab", "has space", "naïve", "аdmin", "a.b", "a@b", "nul\0x", &"x".repeat(31)] {
            assert_eq!(bad.parse::<Username>(), Err(AccountRefused::Username), "{bad}");
        }
    }

    #[test]
    fn addresses_are_plausible() {
        let long = format!("a@{}.org", "x".repeat(250));
        for good in ["a@b.co", "first.last+tag@mail.example.org", "miku@例え.jp"] {
            assert!(good.parse::<Email>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "a",
            "a@b",
            "@b.co",
            "a@",
            "a@@b.co",
            "a b@c.de",
            "a@b..co",
            "a@-b.co",
            "a@b.co\0",
            long.as_str(),
        ] {
            assert_eq!(bad.parse::<Email>(), Err(AccountRefused::Email), "{bad}");
        }
    }

    #[test]
    fn time_zones_are_those_of_the_database() {
        assert_eq!("Asia/Tokyo".parse::<TimeZone>().unwrap().to_string(), "Asia/Tokyo");
        assert_eq!("Mars/Olympus".parse::<TimeZone>(), Err(AccountRefused::TimeZone));
    }
}
