//! What happens to a code. See `docs/events.md`.

use super::{ClaimCode, Holder};
use crate::stream::event_types;
use serde::{Deserialize, Serialize};

/// An event of one code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the fields are the payload table of docs/events.md")]
pub enum ClaimEvent {
    Claimed { code: ClaimCode, holder: Holder },
    Released { holder: Holder },
}

event_types!(ClaimEvent, "claim", { Claimed = "claimed", Released = "released" });
