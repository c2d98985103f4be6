//! Opening an NSFW thing of one's own asks first, for those who hide such figures, as opening the figure does.

use operational::users::User;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::shown::hides_nsfw;

/// All that is told of an NSFW thing of one's own to somebody who hides such figures, until they ask with
/// `confirm_nsfw=true`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BehindGate, example = json!({
    "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b10",
    "figure_id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b02",
    "is_nsfw": true,
    "nsfw_gate": true
}))]
pub struct Gate {
    id: Uuid,
    figure_id: Uuid,
    is_nsfw: bool,
    /// Always true.
    nsfw_gate: bool,
}

/// A thing that was opened.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Gated<T> {
    /// All of it.
    Open(T),
    /// NSFW, and whoever asks hides such figures.
    Shut(Gate),
}

impl<T> Gated<T> {
    /// The thing as its owner sees it: `nsfw` are its own id and its figure's, where that is NSFW, and `confirmed`
    /// says that they asked for it knowing so.
    pub fn of(thing: T, nsfw: Option<(Uuid, Uuid)>, owner: &User, confirmed: bool) -> Self {
        match nsfw {
            Some((id, figure_id)) if !confirmed && hides_nsfw(owner) => {
                Self::Shut(Gate { id, figure_id, is_nsfw: true, nsfw_gate: true })
            }
            _ => Self::Open(thing),
        }
    }
}
