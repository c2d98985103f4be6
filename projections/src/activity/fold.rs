//! From events to the feed. The table in the module above says what is told and how.

use super::kind;
use super::rows::{ActivityRow, ActivityRows, LatestRow, ToldFigureRow, ToldPieceRow};
use crate::engine::FoldError;
use domain::collection::{CollectionEvent, Cost, UnwishReason};
use domain::dates::ReleaseDate;
use domain::figure::FigureEvent;
use domain::ids::{FigureId, PieceId};
use domain::money::{Amount, Currency, Money, display_amount};
use domain::preorder::{DateChanged, Placed, PreorderEvent};
use domain::stream::{Event, Recorded, StreamId};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Merges are followed this far; cycles are refused when merging.
const MOST_HOPS: usize = 64;
/// How many figures of a bulk edit are named.
const MOST_NAMED: usize = 5;

pub(super) fn fold(rows: &mut ActivityRows, recorded: &Recorded) -> Result<(), FoldError> {
    match (&recorded.event, &recorded.stream) {
        (Event::Collection(event), StreamId::Collection(user)) => {
            Teller { rows, recorded, user: user.uuid() }.collection(event);
            Ok(())
        }
        (Event::Preorder(event), StreamId::Preorder(piece)) => {
            let owner = match event {
                PreorderEvent::Placed(placed) | PreorderEvent::Replaced(placed) => Some(placed.user_id),
                _ => recorded.owner,
            };
            let user =
                owner.ok_or_else(|| FoldError::Unfit("a pre-order's event has no owner".to_owned()))?;
            Teller { rows, recorded, user: user.uuid() }.preorder(*piece, event);
            Ok(())
        }
        (Event::Figure(event), StreamId::Figure(id)) => figure(rows, id.uuid(), event),
        _ => Ok(()),
    }
}

fn figure(rows: &mut ActivityRows, id: Uuid, event: &FigureEvent) -> Result<(), FoldError> {
    match event {
        FigureEvent::Catalogued(entry) => {
            rows.figures.insert(ToldFigureRow {
                figure_id: id,
                name: entry.name.as_str().to_owned(),
                slug: entry.slug.clone(),
                is_nsfw: entry.is_nsfw,
                merged_into: None,
            });
            Ok(())
        }
        FigureEvent::Renamed { name } => rows.figures.change(&id, |row| row.name = name.as_str().to_owned()),
        FigureEvent::NsfwMarked { is_nsfw } => rows.figures.change(&id, |row| row.is_nsfw = *is_nsfw),
        FigureEvent::MergedInto { winner_id } => {
            rows.figures.change(&id, |row| row.merged_into = Some(winner_id.uuid()))
        }
        _ => Ok(()),
    }
}

type Facts = Map<String, Value>;

/// Puts a fact down, unless there is none.
fn put(facts: &mut Facts, name: &str, value: impl Into<Option<Value>>) {
    if let Some(value) = value.into() {
        facts.insert(name.to_owned(), value);
    }
}

fn text(value: impl AsRef<str>) -> Value {
    Value::String(value.as_ref().to_owned())
}

/// An amount as it is shown in its currency.
fn shown(amount: Amount, currency: Option<Currency>) -> Value {
    Value::String(currency.map_or_else(|| amount.to_string(), |c| display_amount(amount.decimal(), c)))
}

fn put_cost(facts: &mut Facts, cost: &Cost) {
    put(facts, "price_amount", cost.price.map(|amount| shown(amount, cost.currency)));
    put(facts, "shipping_amount", cost.shipping.map(|amount| shown(amount, cost.currency)));
    put(facts, "fees_amount", cost.fees.map(|amount| shown(amount, cost.currency)));
    put(facts, "price_currency", cost.currency.map(|currency| text(currency.code())));
}

fn put_money(facts: &mut Facts, amount: &str, currency: &str, money: Option<Money>) {
    put(facts, amount, money.map(|money| shown(money.amount(), Some(money.currency()))));
    put(facts, currency, money.map(|money| text(money.currency().code())));
}

fn put_release(facts: &mut Facts, date: &str, precision: &str, release: Option<ReleaseDate>) {
    put(facts, date, release.map(|release| Value::String(release.date().to_string())));
    put(facts, precision, release.map(|release| text(release.precision().as_str())));
}

struct Teller<'a> {
    rows: &'a mut ActivityRows,
    recorded: &'a Recorded,
    user: Uuid,
}

impl Teller<'_> {
    /// What a figure is called now, following merges.
    fn named(&self, figure: Uuid) -> Value {
        let mut id = figure;
        for _ in 0..MOST_HOPS {
            let Some(row) = self.rows.figures.get(&id) else { break };
            match row.merged_into {
                Some(winner) => id = winner,
                None => {
                    return json!({"id": id, "name": row.name, "slug": row.slug, "is_nsfw": row.is_nsfw});
                }
            }
        }
        Value::Null
    }

    fn of_figure(&self, figure: FigureId) -> Facts {
        Facts::from_iter([("figure".to_owned(), self.named(figure.uuid()))])
    }

    fn of_piece(&self, piece: Uuid) -> Facts {
        let figure = self.rows.pieces.get(&piece).map(|row| row.figure_id);
        let figure = figure.map_or(Value::Null, |figure| self.named(figure));
        Facts::from_iter([("figure".to_owned(), figure), ("piece_id".to_owned(), json!(piece))])
    }

    /// One piece by its figure, several by their number and the names of the first few figures.
    fn of_pieces(&self, pieces: &[PieceId]) -> Facts {
        if let [piece] = pieces {
            let mut facts = self.of_piece(piece.uuid());
            facts.insert("count".to_owned(), json!(1));
            return facts;
        }
        let mut figures: Vec<Value> = Vec::new();
        for piece in pieces.iter().take(MOST_NAMED) {
            let Some(figure) = self.rows.pieces.get(&piece.uuid()).map(|row| row.figure_id) else { continue };
            let named = self.named(figure);
            if !named.is_null() && !figures.contains(&named) {
                figures.push(named);
            }
        }
        Facts::from_iter([
            ("count".to_owned(), json!(pieces.len())),
            ("figures".to_owned(), Value::Array(figures)),
        ])
    }

    /// Adds a row to the feed.
    fn tell(&mut self, kind: &'static str, piece: Option<Uuid>, facts: Facts) {
        let id = self.recorded.event_id.uuid();
        self.rows.told.insert(ActivityRow {
            id,
            user_id: self.user,
            position: self.recorded.position.0,
            kind: kind.to_owned(),
            payload: Value::Object(facts),
            created_at: self.recorded.recorded_at,
        });
        self.rows.latest.insert(LatestRow {
            user_id: self.user,
            command_id: self.recorded.metadata.command_id.uuid(),
            event_id: id,
            piece_id: piece,
        });
    }

    /// The row that this very command told last, and the piece it is about.
    fn told_by_this_command(&self) -> Option<(ActivityRow, Option<Uuid>)> {
        let latest = self.rows.latest.get(&self.user)?;
        let (event, piece) = (latest.event_id, latest.piece_id);
        if latest.command_id != self.recorded.metadata.command_id.uuid() {
            return None;
        }
        self.rows.told.get(&event).cloned().map(|row| (row, piece))
    }

    fn add_to(&mut self, mut row: ActivityRow, with: impl FnOnce(&mut Facts)) {
        if let Value::Object(facts) = &mut row.payload {
            with(facts);
        }
        self.rows.told.insert(row);
    }

    /// An edit: one row for all that one command changes of the same pieces. What the command told of the
    /// piece in a row of another kind (it was placed, received …) needs no second one.
    fn changed(&mut self, pieces: &[PieceId], changes: Facts) {
        let single = match pieces {
            [piece] => Some(piece.uuid()),
            _ => None,
        };
        if let Some((row, about)) = self.told_by_this_command() {
            let same = match (single, about) {
                (Some(piece), Some(about)) => piece == about,
                // Only one command edits several pieces, and it does one edit.
                _ => row.kind == kind::PIECES_EDITED,
            };
            if same {
                if row.kind == kind::PIECES_EDITED {
                    self.changed_too(row, pieces, changes);
                }
                return;
            }
        }
        let mut facts = self.of_pieces(pieces);
        facts.insert("changes".to_owned(), Value::Object(changes));
        self.tell(kind::PIECES_EDITED, single, facts);
    }

    /// Adds changes to an edit that is told already. Of the two sets of pieces the larger is named: a bulk
    /// edit leaves out those that are so already.
    fn changed_too(&mut self, row: ActivityRow, pieces: &[PieceId], changes: Facts) {
        let told = row.payload.get("count").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let wider = told.is_none_or(|told| told < pieces.len()).then(|| self.of_pieces(pieces));
        if wider.is_some() {
            let user = self.user;
            self.rows.latest.update(&user, |latest| latest.piece_id = None);
        }
        self.add_to(row, |facts| {
            if let Some(wider) = wider {
                facts.retain(|name, _| name == "changes");
                facts.extend(wider);
            }
            if let Some(Value::Object(already)) = facts.get_mut("changes") {
                already.extend(changes);
            }
        });
    }

    /// What became of the piece of a pre-order that this command cancelled; `false` if it cancelled none.
    fn fate(&mut self, pieces: &[PieceId], item: &str) -> bool {
        let [piece] = pieces else { return false };
        match self.told_by_this_command() {
            Some((row, Some(about))) if row.kind == kind::PREORDER_CANCELLED && about == piece.uuid() => {
                self.add_to(row, |facts| put(facts, "item", text(item)));
                true
            }
            _ => false,
        }
    }

    fn collection(&mut self, event: &CollectionEvent) {
        use CollectionEvent as E;
        match event {
            E::PieceAdded {
                piece_id, figure_id, preordered, cost, location, origin, origin_from, ..
            } => {
                let piece = piece_id.uuid();
                self.rows.pieces.insert(ToldPieceRow {
                    piece_id: piece,
                    user_id: self.user,
                    figure_id: figure_id.uuid(),
                });
                if !preordered {
                    let mut facts = self.of_piece(piece);
                    put_cost(&mut facts, cost);
                    put(&mut facts, "origin", text(origin.as_str()));
                    put(&mut facts, "origin_from", origin_from.as_ref().map(|from| text(from.as_str())));
                    put(&mut facts, "location", location.as_ref().map(|place| text(place.as_str())));
                    self.tell(kind::PIECE_ADDED, Some(piece), facts);
                }
            }
            E::PiecesConditionSet { piece_ids, condition } => {
                let condition = condition.map_or(Value::Null, |condition| text(condition.as_str()));
                self.changed(piece_ids, Facts::from_iter([("condition".to_owned(), condition)]));
            }
            E::PiecesMoved { piece_ids, location } => {
                let location = location.as_ref().map_or(Value::Null, |place| text(place.as_str()));
                self.changed(piece_ids, Facts::from_iter([("location".to_owned(), location)]));
            }
            E::PieceCostRecorded { piece_id, cost } => {
                let mut changes = Facts::new();
                put_cost(&mut changes, cost);
                self.changed(&[*piece_id], changes);
            }
            E::PieceProvenanceRecorded { piece_id, origin, origin_from } => {
                let mut changes = Facts::new();
                put(&mut changes, "origin", text(origin.as_str()));
                put(&mut changes, "origin_from", origin_from.as_ref().map(|from| text(from.as_str())));
                self.changed(&[*piece_id], changes);
            }
            E::PieceValued { piece_id, value } => {
                let mut facts = self.of_piece(piece_id.uuid());
                put_money(&mut facts, "value_amount", "value_currency", Some(*value));
                self.tell(kind::PIECE_VALUED, Some(piece_id.uuid()), facts);
            }
            E::PieceValuationCleared { piece_id } => {
                let facts = self.of_piece(piece_id.uuid());
                self.tell(kind::VALUATION_CLEARED, Some(piece_id.uuid()), facts);
            }
            E::PiecesArranged { placements } => {
                let pieces: Vec<PieceId> = placements.iter().map(|placement| placement.piece_id).collect();
                let facts = self.of_pieces(&pieces);
                self.tell(kind::PIECES_ARRANGED, None, facts);
            }
            E::PiecesArchived { piece_ids, reason, sale } => {
                if self.fate(piece_ids, "archived") {
                    return;
                }
                let mut facts = self.of_pieces(piece_ids);
                put(&mut facts, "reason", text(reason.as_str()));
                put_money(&mut facts, "sold_amount", "sold_currency", sale.and_then(|sale| sale.price));
                self.tell(kind::PIECES_ARCHIVED, None, facts);
            }
            E::PieceRestored { piece_id } => {
                let facts = self.of_piece(piece_id.uuid());
                self.tell(kind::PIECE_RESTORED, Some(piece_id.uuid()), facts);
            }
            E::PiecesDeleted { piece_ids } => {
                if !self.fate(piece_ids, "deleted") {
                    let facts = self.of_pieces(piece_ids);
                    self.tell(kind::PIECES_DELETED, None, facts);
                }
                for piece in piece_ids {
                    self.rows.pieces.remove(&piece.uuid());
                }
            }
            E::PhotosAdded { piece_id, photos } => {
                let mut facts = self.of_piece(piece_id.uuid());
                put(&mut facts, "count", json!(photos.len()));
                self.tell(kind::PHOTOS_ADDED, Some(piece_id.uuid()), facts);
            }
            E::ScanMade { piece_id, scan_id, frames } => {
                let mut facts = self.of_piece(piece_id.uuid());
                put(&mut facts, "scan_id", json!(scan_id));
                put(&mut facts, "frames", json!(frames.len()));
                self.tell(kind::SCAN_MADE, Some(piece_id.uuid()), facts);
            }
            E::CabinetCreated { name, .. } => self.cabinet(kind::CABINET_CREATED, name.as_str(), None),
            E::CabinetRenamed { previous, name, .. } => {
                self.cabinet(kind::CABINET_RENAMED, name.as_str(), Some(previous.as_str()));
            }
            E::CabinetDeleted { name, .. } => self.cabinet(kind::CABINET_DELETED, name.as_str(), None),
            E::Wished { figure_id, target, .. } => self.wish(kind::WISHED, *figure_id, *target),
            E::WishTargetSet { figure_id, target } => {
                self.wish(kind::WISH_TARGET_SET, *figure_id, *target);
            }
            E::Unwished { figure_id, reason: UnwishReason::Removed } => {
                self.wish(kind::UNWISHED, *figure_id, None);
            }
            // A wish that ended by owning is told by the piece; notes, shops, papers and the order of things are
            // housekeeping.
            E::PieceCoverPinned { .. }
            | E::PhotosOrdered { .. }
            | E::PhotoReplaced { .. }
            | E::PhotoRemoved { .. }
            | E::PhotoShared { .. }
            | E::ScanFramesReplaced { .. }
            | E::ScanRemoved { .. }
            | E::ScanShared { .. }
            | E::DocumentAdded { .. }
            | E::DocumentRemoved { .. }
            | E::Unwished { .. }
            | E::WishNoted { .. }
            | E::PieceNoted { .. }
            | E::PiecePurchaseRecorded { .. }
            | E::CabinetsOrdered { .. }
            | E::PieceDated { .. }
            | E::Erased {} => {}
            E::PersonErased {} => {
                self.rows.told.remove_owned_by(self.user);
                self.rows.latest.remove_owned_by(self.user);
                self.rows.pieces.remove_owned_by(self.user);
            }
        }
    }

    fn cabinet(&mut self, kind: &'static str, name: &str, previous: Option<&str>) {
        let mut facts = Facts::new();
        put(&mut facts, "name", text(name));
        put(&mut facts, "previous", previous.map(text));
        self.tell(kind, None, facts);
    }

    fn wish(&mut self, kind: &'static str, figure: FigureId, target: Option<Money>) {
        let mut facts = self.of_figure(figure);
        put_money(&mut facts, "max_price_amount", "max_price_currency", target);
        self.tell(kind, None, facts);
    }

    fn preorder(&mut self, piece: PieceId, event: &PreorderEvent) {
        use PreorderEvent as E;
        match event {
            E::Placed(placed) => self.placed(kind::PREORDER_PLACED, placed),
            E::Replaced(placed) => self.placed(kind::PREORDER_REPLACED, placed),
            E::CostRecorded { cost, deposit, .. } => {
                let mut changes = Facts::new();
                put_cost(&mut changes, cost);
                put(&mut changes, "deposit_amount", deposit.map(|amount| shown(amount, cost.currency)));
                self.changed(&[piece], changes);
            }
            E::StatusAdvanced { previous, status, .. } => {
                self.step(piece, event, kind::PREORDER_ADVANCED, |facts| {
                    put(facts, "from", text(previous.as_str()));
                    put(facts, "to", text(status.as_str()));
                })
            }
            E::StatusCorrected { previous, status, .. } => {
                self.step(piece, event, kind::PREORDER_CORRECTED, |facts| {
                    put(facts, "from", text(previous.as_str()));
                    put(facts, "to", text(status.as_str()));
                });
            }
            E::Shipped { shipped_at, .. } => self.step(piece, event, kind::PREORDER_SHIPPED, |facts| {
                put(facts, "shipped_on", Value::String(shipped_at.date_naive().to_string()));
            }),
            E::Received { received_at, condition, .. } => {
                self.step(piece, event, kind::PREORDER_RECEIVED, |facts| {
                    put(facts, "received_on", Value::String(received_at.date_naive().to_string()));
                    put(facts, "condition", condition.map(|condition| text(condition.as_str())));
                });
            }
            E::Cancelled { paid, refund, currency, .. } => {
                self.step(piece, event, kind::PREORDER_CANCELLED, |facts| {
                    put(facts, "paid_amount", shown(*paid, *currency));
                    put(facts, "refund_amount", shown(*refund, *currency));
                    let lost = paid.minus(*refund).filter(|lost| *lost != Amount::ZERO);
                    put(facts, "lost_amount", lost.map(|lost| shown(lost, *currency)));
                    put(facts, "currency", currency.map(|currency| text(currency.code())));
                });
            }
            E::ReleaseDateNamed { release, source, .. } => {
                self.step(piece, event, kind::RELEASE_DATE_NAMED, |facts| {
                    put_release(facts, "to", "to_precision", Some(*release));
                    put(facts, "source", text(source.as_str()));
                });
            }
            E::ReleaseDateSlipped(change) => self.date(piece, event, kind::RELEASE_DATE_SLIPPED, change),
            E::ReleaseDateBroughtForward(change) => {
                self.date(piece, event, kind::RELEASE_DATE_BROUGHT_FORWARD, change);
            }
            E::ReleaseDateNarrowed(change) => self.date(piece, event, kind::RELEASE_DATE_NARROWED, change),
            E::BalancePaid { .. } => self.step(piece, event, kind::BALANCE_PAID, |_| ()),
            E::BalanceReopened { .. } => self.step(piece, event, kind::BALANCE_REOPENED, |_| ()),
            E::TrackingRecorded { .. }
            | E::DeliveryEstimated { .. }
            | E::StoreRecorded { .. }
            | E::ChapterDated { .. }
            | E::Erased {} => {}
        }
    }

    fn step(
        &mut self,
        piece: PieceId,
        event: &PreorderEvent,
        kind: &'static str,
        with: impl FnOnce(&mut Facts),
    ) {
        let mut facts = self.of_piece(piece.uuid());
        put(&mut facts, "preorder_id", json!(event.preorder_id()));
        with(&mut facts);
        self.tell(kind, Some(piece.uuid()), facts);
    }

    fn date(&mut self, piece: PieceId, event: &PreorderEvent, kind: &'static str, change: &DateChanged) {
        self.step(piece, event, kind, |facts| {
            put_release(facts, "from", "from_precision", Some(change.previous));
            put_release(facts, "to", "to_precision", Some(change.release));
            put(facts, "source", text(change.source.as_str()));
        });
    }

    fn placed(&mut self, kind: &'static str, placed: &Placed) {
        let piece = placed.piece_id.uuid();
        let mut facts = self.of_figure(placed.figure_id);
        put(&mut facts, "piece_id", json!(piece));
        put(&mut facts, "preorder_id", json!(placed.preorder_id));
        put(&mut facts, "status", text(placed.status.as_str()));
        put_cost(&mut facts, &placed.cost);
        put(&mut facts, "deposit_amount", placed.deposit.map(|amount| shown(amount, placed.cost.currency)));
        put_release(&mut facts, "release_date", "release_date_precision", placed.release);
        self.tell(kind, Some(piece), facts);
    }
}
