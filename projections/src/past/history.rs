//! What became of one piece, change by change.

use super::walk::{PastError, Walk};
use crate::collection::{Collections, OwnedItemRow};
use crate::engine::Projections;
use crate::preorders::{PreorderRow, Preorders};
use chrono::{DateTime, Utc};
use domain::ids::{CommandId, PieceId, UserId};
use domain::stream::{Position, Recorded};
use std::ops::ControlFlow;

/// How a piece and the current chapter of its pre-order stand.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Standing {
    /// The piece; none before it was added and after it was deleted.
    pub piece: Option<OwnedItemRow>,
    /// Its pre-order.
    pub preorder: Option<PreorderRow>,
}

impl Standing {
    /// The same without what changes whenever anything does.
    fn facts(&self) -> Self {
        let piece = self.piece.clone().map(|row| OwnedItemRow {
            version: 0,
            preorder_version: 0,
            updated_at: row.created_at,
            ..row
        });
        let preorder =
            self.preorder.clone().map(|row| PreorderRow { version: 0, updated_at: row.created_at, ..row });
        Self { piece, preorder }
    }
}

/// What one doing changed of a piece.
#[derive(Debug, Clone)]
pub struct Change {
    /// The position of its last event.
    pub position: Position,
    /// When it was recorded.
    pub at: DateTime<Utc>,
    /// The events that changed something: one append's, and never none.
    pub events: Vec<Recorded>,
    /// How it stood before.
    pub before: Standing,
    /// And after.
    pub after: Standing,
}

/// The changes of a piece that this person has, or has deleted, and of its pre-order: oldest first, after a
/// position, `limit` at most. None when the person never had it.
///
/// # Errors
/// As [`Past::of`](super::Past::of).
pub async fn history(
    projections: &Projections,
    user: UserId,
    piece: PieceId,
    after: Position,
    limit: usize,
) -> Result<Option<Vec<Change>>, PastError> {
    let until = projections.log().head().await?;
    let mut collection = projections.apart::<Collections>().await?;
    let mut preorders = projections.apart::<Preorders>().await?;
    let mut walk = Walk::prepare(projections.log(), user, until).await?;
    let piece = piece.uuid();
    let (mut standing, mut known) = (Standing::default(), false);
    let mut told: Vec<Change> = Vec::new();
    let mut open: Option<(CommandId, Change)> = None;
    walk.each(|entries| {
        for entry in entries {
            collection.run(std::slice::from_ref(entry))?;
            preorders.run(std::slice::from_ref(entry))?;
            let rows = preorders.rows().preorders.rows_where(PreorderRow::owned_item_id, piece);
            let now = (collection.rows().pieces.get(&piece), rows.into_iter().next());
            if now == (standing.piece.as_ref(), standing.preorder.as_ref()) {
                continue;
            }
            let now = Standing { piece: now.0.cloned(), preorder: now.1.cloned() };
            let before = std::mem::replace(&mut standing, now.clone());
            known = true;
            let Ok(event) = entry else { continue };
            if before.facts() == now.facts() {
                continue;
            }
            let command = event.metadata.command_id;
            if let Some((_, change)) = open.as_mut().filter(|(of, _)| *of == command) {
                change.position = event.position;
                change.events.push(event.clone());
                change.after = now;
                continue;
            }
            close(&mut open, after, &mut told);
            if told.len() >= limit {
                return Ok(ControlFlow::Break(()));
            }
            let change = Change {
                position: event.position,
                at: event.recorded_at,
                events: vec![event.clone()],
                before,
                after: now,
            };
            open = Some((command, change));
        }
        Ok(ControlFlow::Continue(()))
    })
    .await?;
    if told.len() < limit {
        close(&mut open, after, &mut told);
    }
    Ok(known.then_some(told))
}

/// Tells a change, unless it came to nothing in the end or was told on a page before.
fn close(open: &mut Option<(CommandId, Change)>, after: Position, told: &mut Vec<Change>) {
    let Some((_, change)) = open.take() else { return };
    if change.position > after && change.before.facts() != change.after.facts() {
        told.push(change);
    }
}
