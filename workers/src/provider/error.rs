//! What a provider can answer besides what it was asked for.

use crate::outbound::OutboundError;

/// Why there is no answer that can be used. Each is a sentence that an admin can act on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// 400
    #[error("the provider does not understand this address{}", said(.0))]
    BadRequest(String),
    /// 401
    #[error("the provider wants a key: set FIGURE_PROXY_KEY{}", said(.0))]
    KeyMissing(String),
    /// 403
    #[error("the provider does not accept the key in FIGURE_PROXY_KEY{}", said(.0))]
    KeyRefused(String),
    /// 404
    #[error("the provider knows no product at this address{}", said(.0))]
    NotFound(String),
    /// 501
    #[error("the provider cannot ask this store{}", said(.0))]
    NotSupported(String),
    /// 503
    #[error("the store does not answer the provider at the moment{}", said(.0))]
    Unavailable(String),
    /// Any other status but 200.
    #[error("the provider answers with status {0}, which its contract does not have")]
    Status(u16),
    /// Nothing at all.
    #[error("the provider answers with an empty body")]
    Empty,
    /// Something else than JSON.
    #[error("the provider does not answer with JSON but with {0}")]
    NotJson(String),
    /// JSON of another shape.
    #[error("the provider's answer is not what its contract says: {0}")]
    Shape(String),
    /// It cannot be reached, or not be read.
    #[error("the provider cannot be asked: {0}")]
    Outbound(#[from] OutboundError),
    /// It failed several times in a row and is left alone for a while.
    #[error("{0} failed several times in a row and rests for a while")]
    Resting(String),
}

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nobody's: that is an answer.
    Answer,
    /// The store's, or of what the provider makes of it.
    Store,
    /// The provider's own: no store can be asked.
    Provider,
}

impl ProviderError {
    /// A word for it, for counting.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "bad_request",
            Self::KeyMissing(_) => "key_missing",
            Self::KeyRefused(_) => "key_refused",
            Self::NotFound(_) => "not_found",
            Self::NotSupported(_) => "not_supported",
            Self::Unavailable(_) => "unavailable",
            Self::Status(_) => "unexpected_status",
            Self::Empty => "empty",
            Self::NotJson(_) => "not_json",
            Self::Shape(_) => "wrong_shape",
            Self::Resting(_) => "resting",
            Self::Outbound(error) => match error {
                OutboundError::Scheme
                | OutboundError::Userinfo
                | OutboundError::Private(_)
                | OutboundError::Elsewhere(_) => "not_allowed",
                OutboundError::Unresolved(_) | OutboundError::Connect(_) => "unreachable",
                OutboundError::Redirected(_) => "redirected",
                OutboundError::TooLarge(_) => "too_large",
                OutboundError::TimedOut(_) => "timed_out",
                OutboundError::Broken(_) => "broken_off",
            },
        }
    }

    /// Whose fault it is.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::BadRequest(_) | Self::NotFound(_) => Fault::Answer,
            Self::KeyMissing(_) | Self::KeyRefused(_) => Fault::Provider,
            Self::Outbound(error) => match error {
                OutboundError::TooLarge(_)
                | OutboundError::TimedOut(_)
                | OutboundError::Broken(_)
                | OutboundError::Redirected(_) => Fault::Store,
                _ => Fault::Provider,
            },
            _ => Fault::Store,
        }
    }
}

/// What the provider itself said, cut to a sensible length.
fn said(text: &str) -> String {
    const LONGEST: usize = 200;
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() {
        return String::new();
    }
    let cut: String = text.chars().take(LONGEST).collect();
    let more = if text.chars().count() > LONGEST { "…" } else { "" };
    format!(" ({cut}{more})")
}
