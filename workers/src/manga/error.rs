//! Why a page could not be read.

use super::profile::NotAProfile;
use crate::outbound::OutboundError;
use serde::{Deserialize, Serialize};

/// Why there is no profile. Each is a sentence for whoever linked it.
#[derive(Debug, thiserror::Error)]
pub enum MangaError {
    /// 404: the slug is wrong, or the page is not public.
    #[error("the server shows no public page under this slug")]
    NoPage,
    /// Any other status but 200.
    #[error("the server answers with status {0}")]
    Status(u16),
    /// It is no profile.
    #[error("the server does not answer with a profile: {0}")]
    NotAProfile(#[from] NotAProfile),
    /// It cannot be reached, or may not be asked.
    #[error("the server cannot be asked: {0}")]
    Outbound(#[from] OutboundError),
    /// It failed several times in a row.
    #[error("the server failed several times in a row and is left alone for a few minutes")]
    Resting,
    /// Too many pages of it are asked for at this moment.
    #[error("too many pages of this server are asked for at the moment")]
    Busy,
    /// Somebody else asked at the same time, and it failed.
    #[error("{}", .0.detail)]
    Noted(Failure),
    /// The database's own trouble.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// A failure as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// A word for it.
    pub code: String,
    /// A sentence.
    pub detail: String,
}

impl MangaError {
    /// A word for it, for programs.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::NoPage => "no_page",
            Self::Status(_) => "unexpected_status",
            Self::NotAProfile(_) => "not_a_profile",
            Self::Resting => "resting",
            Self::Busy => "busy",
            Self::Noted(failure) => &failure.code,
            Self::Database(_) => "database",
            Self::Outbound(error) => outbound_code(error),
        }
    }

    /// What is kept of it; none when nobody was asked.
    pub(super) fn failure(&self) -> Option<Failure> {
        let noted = !matches!(self, Self::Resting | Self::Busy | Self::Noted(_) | Self::Database(_));
        noted.then(|| Failure { code: self.code().to_owned(), detail: self.to_string() })
    }

    /// Whether the server, and not this one page, is at fault.
    pub(super) const fn is_the_servers(&self) -> bool {
        !matches!(self, Self::NoPage | Self::Resting | Self::Busy | Self::Noted(_) | Self::Database(_))
    }
}

/// A word for why nobody answered.
pub(crate) const fn outbound_code(error: &OutboundError) -> &'static str {
    match error {
        OutboundError::Scheme
        | OutboundError::Userinfo
        | OutboundError::Private(_)
        | OutboundError::Elsewhere(_) => "not_allowed",
        OutboundError::Unresolved(_) | OutboundError::Connect(_) => "unreachable",
        OutboundError::Redirected(_) => "redirected",
        OutboundError::TooLarge(_) => "too_large",
        OutboundError::TimedOut(_) => "timed_out",
        OutboundError::Broken(_) => "broken_off",
    }
}
