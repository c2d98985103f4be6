//! What happens to a manufacturer, series, character, sculptor or store. See `docs/events.md`.

use super::EntityKind;
use crate::ids::{EntityId, UserId};
use crate::stream::event_types;
use crate::text::Name;
use serde::{Deserialize, Serialize};

/// An event of one entity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the fields are the payload table of docs/events.md")]
pub enum EntityEvent {
    Named {
        entity_id: EntityId,
        kind: EntityKind,
        name: Name,
        slug: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        created_by: Option<UserId>,
    },
    Renamed {
        kind: EntityKind,
        name: Name,
        slug: String,
    },
    MalIdSet {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mal_id: Option<i64>,
    },
    MergedInto {
        kind: EntityKind,
        winner_id: EntityId,
    },
    Absorbed {
        kind: EntityKind,
        loser_id: EntityId,
        /// Every id that answers as this entity now, the loser's own aliases too.
        aliases: Vec<EntityId>,
    },
}

event_types!(EntityEvent, "entity", {
    Named = "named",
    Renamed = "renamed",
    MalIdSet = "mal_id_set",
    MergedInto = "merged_into",
    Absorbed = "absorbed",
});
