//! How events become worth.
//!
//! A piece is worth its owner's valuation, else what its figure sold for on the day, else the list price, from
//! the day it was acquired until the day it was archived. Valuations and list prices count as constants: when
//! one changes, it changes for the past, too. Whatever an event does, the changes of worth of the pieces
//! concerned are told before and after it, and `cote_days` takes the difference: so it is always the sum over
//! the pieces as they are, however they came to be so.

use super::rows::{CoteDayRow, CoteFigureRow, CotePieceRow, CotePointRow, CoteRows};
use crate::engine::FoldError;
use chrono::{DateTime, NaiveDate, SubsecRound, Utc};
use domain::collection::{ArchiveReason, CollectionEvent, Cost, Origin, Sale};
use domain::figure::{FigureEvent, PriceMove};
use domain::ids::{EntityId, PieceId};
use domain::money::Money;
use domain::preorder::PreorderEvent;
use domain::stream::{Event, Recorded, StreamId};
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Changes of worth, by person, day and currency.
type Changes = BTreeMap<(Uuid, NaiveDate, String), Decimal>;
/// An amount and its currency.
type Worth<'a> = Option<(Decimal, &'a str)>;

pub(super) fn fold(rows: &mut CoteRows, recorded: &Recorded) -> Result<(), FoldError> {
    let day = recorded.recorded_at.date_naive();
    match (&recorded.stream, &recorded.event) {
        (StreamId::Collection(user), Event::Collection(event)) => rows.collection(user.uuid(), event, day),
        (StreamId::Preorder(piece), Event::Preorder(event)) => {
            rows.preorder(piece.uuid(), event);
            Ok(())
        }
        (StreamId::Figure(figure), Event::Figure(event)) => rows.figure(figure.uuid(), event),
        _ => Ok(()),
    }
}

fn split(money: Option<Money>) -> (Option<Decimal>, Option<String>) {
    money.map(|money| (money.amount().decimal(), money.currency().code().to_owned())).unzip()
}

impl CotePieceRow {
    /// The day from which on it counts; none while it is awaited.
    fn acquired_on(&self) -> Option<NaiveDate> {
        if self.awaited {
            return None;
        }
        Some(self.received_on.or(self.purchase_date).unwrap_or(self.added_on))
    }

    fn set_cost(&mut self, cost: &Cost) {
        self.price_amount = cost.price.map(|amount| amount.decimal());
        self.shipping_amount = cost.shipping.map(|amount| amount.decimal());
        self.fees_amount = cost.fees.map(|amount| amount.decimal());
        self.price_currency = cost.currency.map(|currency| currency.code().to_owned());
        self.price_fx_rate = cost.fx_rate.map(|rate| rate.decimal());
    }

    fn set_figure(&mut self, figure: &CoteFigureRow) {
        self.figure_type = Some(figure.figure_type.clone());
        self.manufacturer_id = figure.manufacturer_id;
        self.sculptor_id = figure.sculptor_id;
        self.series_id = figure.series_id;
        self.has_several_series = figure.has_several_series;
        self.msrp_amount = figure.msrp_amount;
        self.msrp_currency.clone_from(&figure.msrp_currency);
        self.is_nsfw = Some(figure.is_nsfw);
    }

    fn own(&self) -> Worth<'_> {
        Some((self.value_amount?, self.value_currency.as_deref()?))
    }

    /// Whether it counts on some day between the one it was acquired on and the given one.
    fn counts_on(&self, day: NaiveDate) -> bool {
        self.archived_on.is_none_or(|archived| day < archived)
    }
}

impl CoteFigureRow {
    fn set_series(&mut self, ids: &[EntityId]) {
        let first = ids.first().copied();
        self.has_several_series = ids.iter().any(|id| Some(*id) != first);
        self.series_id = first.filter(|_| !self.has_several_series).map(|id| id.uuid());
    }

    fn msrp(&self) -> Worth<'_> {
        Some((self.msrp_amount?, self.msrp_currency.as_deref()?))
    }

    fn market(&self) -> Worth<'_> {
        Some((self.market_amount?, self.market_currency.as_deref()?))
    }
}

fn add(changes: &mut Changes, user: Uuid, day: NaiveDate, worth: Worth<'_>, gained: bool) {
    let Some((amount, currency)) = worth.filter(|(amount, _)| !amount.is_zero()) else { return };
    let change = changes.entry((user, day, currency.to_owned())).or_default();
    *change = if gained { change.saturating_add(amount) } else { change.saturating_sub(amount) };
}

impl CoteRows {
    fn collection(&mut self, user: Uuid, event: &CollectionEvent, day: NaiveDate) -> Result<(), FoldError> {
        use CollectionEvent as E;
        match event {
            E::PieceAdded { piece_id, figure_id, preordered, cost, purchase_date, origin, value, .. } => {
                let (value_amount, value_currency) = split(*value);
                let mut row = CotePieceRow {
                    piece_id: piece_id.uuid(),
                    user_id: user,
                    figure_id: figure_id.uuid(),
                    added_on: day,
                    purchase_date: *purchase_date,
                    received_on: None,
                    awaited: *preordered,
                    archived_on: None,
                    is_gift: *origin == Origin::Gift,
                    value_amount,
                    value_currency,
                    price_amount: None,
                    shipping_amount: None,
                    fees_amount: None,
                    price_currency: None,
                    price_fx_rate: None,
                    sold_amount: None,
                    sold_currency: None,
                    sold_on: None,
                    figure_type: None,
                    manufacturer_id: None,
                    sculptor_id: None,
                    series_id: None,
                    has_several_series: false,
                    msrp_amount: None,
                    msrp_currency: None,
                    is_nsfw: None,
                };
                row.set_cost(cost);
                if let Some(figure) = self.figures.get(&row.figure_id) {
                    row.set_figure(figure);
                }
                let id = row.piece_id;
                self.pieces.insert(row);
                let after = self.told(&[id]);
                self.note(&Changes::new(), after);
                Ok(())
            }
            E::PieceCostRecorded { piece_id, cost } => {
                self.pieces.change(&piece_id.uuid(), |row| row.set_cost(cost))
            }
            E::PieceProvenanceRecorded { piece_id, origin, .. } => {
                self.pieces.change(&piece_id.uuid(), |row| row.is_gift = *origin == Origin::Gift)
            }
            E::PiecePurchaseRecorded { piece_id, purchase_date, .. } => {
                self.restated(&[*piece_id], |row| row.purchase_date = *purchase_date)
            }
            E::PieceValued { piece_id, value } => self.restated(&[*piece_id], |row| {
                (row.value_amount, row.value_currency) = split(Some(*value));
            }),
            E::PieceValuationCleared { piece_id } => self.restated(&[*piece_id], |row| {
                (row.value_amount, row.value_currency) = (None, None);
            }),
            E::PiecesArchived { piece_ids, reason, sale } => {
                let sale = sale
                    .filter(|_| *reason == ArchiveReason::Sold)
                    .unwrap_or(Sale { price: None, sold_on: None });
                let (amount, currency) = split(sale.price);
                self.restated(piece_ids, |row| {
                    row.archived_on = Some(day);
                    row.sold_amount = amount;
                    row.sold_currency.clone_from(&currency);
                    row.sold_on = sale.sold_on;
                })
            }
            E::PieceRestored { piece_id } => self.restated(&[*piece_id], |row| {
                row.archived_on = None;
                (row.sold_amount, row.sold_currency, row.sold_on) = (None, None, None);
            }),
            E::PieceDated { piece_id, added_at, archived_at } => self.restated(&[*piece_id], |row| {
                row.added_on = added_at.date_naive();
                row.archived_on = archived_at.map(|at| at.date_naive());
            }),
            E::PiecesDeleted { piece_ids } => {
                let ids: Vec<Uuid> = piece_ids.iter().map(|id| id.uuid()).collect();
                let before = self.told(&ids);
                for id in &ids {
                    self.pieces.remove(id);
                }
                self.note(&before, Changes::new());
                Ok(())
            }
            E::PersonErased {} => {
                self.pieces.remove_owned_by(user);
                self.days.remove_owned_by(user);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn preorder(&mut self, piece: Uuid, event: &PreorderEvent) {
        use PreorderEvent as E;
        let (awaited, received_on) = match event {
            E::Received { received_at, .. } => (false, Some(received_at.trunc_subsecs(6).date_naive())),
            E::Placed(_)
            | E::Replaced(_)
            | E::StatusAdvanced { .. }
            | E::StatusCorrected { .. }
            | E::Shipped { .. }
            | E::Cancelled { .. } => (true, None),
            _ => return,
        };
        // A piece that was deleted together with its pre-order is not there any more.
        let same = |row: &CotePieceRow| row.awaited == awaited && row.received_on == received_on;
        if self.pieces.get(&piece).is_none_or(same) {
            return;
        }
        let before = self.told(&[piece]);
        self.pieces.update(&piece, |row| {
            row.awaited = awaited;
            row.received_on = received_on;
        });
        let after = self.told(&[piece]);
        self.note(&before, after);
    }

    fn figure(&mut self, figure: Uuid, event: &FigureEvent) -> Result<(), FoldError> {
        match event {
            FigureEvent::Catalogued(entry) => {
                let (msrp_amount, msrp_currency) = split(entry.msrp);
                let mut row = CoteFigureRow {
                    figure_id: figure,
                    figure_type: entry.figure_type.to_string(),
                    manufacturer_id: entry.manufacturer_id.map(|id| id.uuid()),
                    sculptor_id: entry.sculptor_id.map(|id| id.uuid()),
                    series_id: None,
                    has_several_series: false,
                    msrp_amount,
                    msrp_currency,
                    market_amount: None,
                    market_currency: None,
                    market_at: None,
                    is_nsfw: entry.is_nsfw,
                };
                row.set_series(&entry.series_ids);
                self.figures.insert(row);
                Ok(())
            }
            FigureEvent::MsrpSet { msrp } => {
                let pieces = self.pieces.keys_where(CotePieceRow::figure_id, figure);
                let before = self.told(&pieces);
                self.described(figure, |row| (row.msrp_amount, row.msrp_currency) = split(*msrp))?;
                let after = self.told(&pieces);
                self.note(&before, after);
                Ok(())
            }
            FigureEvent::Retyped { figure_type } => {
                self.described(figure, |row| row.figure_type = figure_type.to_string())
            }
            FigureEvent::Credited { manufacturer_id, sculptor_id, series_ids, .. } => {
                self.described(figure, |row| {
                    row.manufacturer_id = manufacturer_id.map(|id| id.uuid());
                    row.sculptor_id = sculptor_id.map(|id| id.uuid());
                    row.set_series(series_ids);
                })
            }
            FigureEvent::NsfwMarked { is_nsfw } => self.described(figure, |row| row.is_nsfw = *is_nsfw),
            FigureEvent::PriceMoved(price) => self.price_moved(figure, price),
            FigureEvent::MergedInto { winner_id } => {
                self.merge(figure, winner_id.uuid());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn price_moved(&mut self, figure: Uuid, price: &PriceMove) -> Result<(), FoldError> {
        let seen_at = price.seen_at.trunc_subsecs(6);
        let day = seen_at.date_naive();
        let (amount, currency) = split(Some(price.price));
        let (Some(amount), Some(currency)) = (amount, currency) else { return Ok(()) };
        let point = CotePointRow { figure_id: figure, day, amount, currency: currency.clone(), seen_at };
        let standing = self.figures.require(&figure)?.clone();
        let pieces = self.pieces.keys_where(CotePieceRow::figure_id, figure);
        if standing.market_at.is_none_or(|at| at.date_naive() <= day) {
            // Nothing that came before moves, so the points before need not be read.
            self.points.insert(point);
            let was = if standing.market_at.is_some() { standing.market() } else { standing.msrp() };
            let mut changes = Changes::new();
            for id in pieces {
                let Some(row) = self.pieces.get(&id).filter(|row| row.own().is_none()) else { continue };
                let Some(from) = row.acquired_on().map(|acquired| acquired.max(day)) else { continue };
                if row.counts_on(from) {
                    add(&mut changes, row.user_id, from, was, false);
                    add(&mut changes, row.user_id, from, Some((amount, &currency)), true);
                    // A price of a day before it went: what goes is the new worth.
                    if let Some(archived) = row.archived_on {
                        add(&mut changes, row.user_id, archived, was, true);
                        add(&mut changes, row.user_id, archived, Some((amount, &currency)), false);
                    }
                }
            }
            self.stand(figure, &currency, amount, seen_at)?;
            self.note(&Changes::new(), changes);
            return Ok(());
        }
        let before = self.told(&pieces);
        self.put(point);
        let after = self.told(&pieces);
        self.note(&before, after);
        Ok(())
    }

    fn stand(
        &mut self,
        figure: Uuid,
        currency: &str,
        amount: Decimal,
        seen_at: DateTime<Utc>,
    ) -> Result<(), FoldError> {
        self.figures.change(&figure, |row| {
            row.market_amount = Some(amount);
            row.market_currency = Some(currency.to_owned());
            row.market_at = Some(seen_at);
        })
    }

    /// Keeps the later of two points of one day.
    fn put(&mut self, point: CotePointRow) {
        let key = (point.figure_id, point.day);
        if self.points.get(&key).is_none_or(|own| own.seen_at <= point.seen_at) {
            self.points.insert(point);
        }
    }

    /// Everything of one figure is another's from now on; both histories become one.
    fn merge(&mut self, loser: Uuid, winner: Uuid) {
        let mut pieces = self.pieces.keys_where(CotePieceRow::figure_id, winner);
        pieces.extend(self.pieces.keys_where(CotePieceRow::figure_id, loser));
        let before = self.told(&pieces);
        for id in self.pieces.keys_where(CotePieceRow::figure_id, loser) {
            self.pieces.update(&id, |row| row.figure_id = winner);
        }
        for key in self.points.keys_where(CotePointRow::figure_id, loser) {
            if let Some(point) = self.points.get(&key).cloned() {
                self.points.remove(&key);
                self.put(CotePointRow { figure_id: winner, ..point });
            }
        }
        let gone = self.figures.get(&loser).cloned();
        self.figures.remove(&loser);
        if let Some(gone) = gone {
            self.figures.update(&winner, |row| {
                if gone.market_at > row.market_at {
                    row.market_amount = gone.market_amount;
                    row.market_currency = gone.market_currency;
                    row.market_at = gone.market_at;
                }
            });
        }
        self.beside(winner);
        let after = self.told(&pieces);
        self.note(&before, after);
    }

    /// Changes what is kept of a figure, and with it what stands beside its pieces.
    fn described(&mut self, figure: Uuid, with: impl FnOnce(&mut CoteFigureRow)) -> Result<(), FoldError> {
        self.figures.change(&figure, with)?;
        self.beside(figure);
        Ok(())
    }

    fn beside(&mut self, figure: Uuid) {
        let pieces = self.pieces.keys_where(CotePieceRow::figure_id, figure);
        let Some(figure) = self.figures.get(&figure).cloned() else { return };
        for id in pieces {
            self.pieces.update(&id, |row| row.set_figure(&figure));
        }
    }

    /// Changes pieces, and their worth with them.
    fn restated(&mut self, ids: &[PieceId], with: impl Fn(&mut CotePieceRow)) -> Result<(), FoldError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        self.pieces.prefetch(&ids);
        let before = self.told(&ids);
        for id in &ids {
            self.pieces.change(id, &with)?;
        }
        let after = self.told(&ids);
        self.note(&before, after);
        Ok(())
    }

    /// The changes of worth of these pieces, as they stand.
    fn told(&self, pieces: &[Uuid]) -> Changes {
        let mut changes = Changes::new();
        for id in pieces {
            if let Some(row) = self.pieces.get(id) {
                self.tell(row, &mut changes);
            }
        }
        changes
    }

    fn tell(&self, row: &CotePieceRow, changes: &mut Changes) {
        let Some(acquired) = row.acquired_on().filter(|day| row.counts_on(*day)) else { return };
        let figure = self.figures.get(&row.figure_id);
        let mut worth = row.own().or_else(|| figure.and_then(CoteFigureRow::msrp));
        let mut points = Vec::new();
        if row.own().is_none() && figure.is_some_and(|figure| figure.market_at.is_some()) {
            points = self.points.rows_where(CotePointRow::figure_id, row.figure_id);
        }
        for point in points.iter().take_while(|point| point.day <= acquired) {
            worth = Some((point.amount, point.currency.as_str()));
        }
        add(changes, row.user_id, acquired, worth, true);
        for point in points.iter().filter(|point| point.day > acquired && row.counts_on(point.day)) {
            add(changes, row.user_id, point.day, worth, false);
            worth = Some((point.amount, point.currency.as_str()));
            add(changes, row.user_id, point.day, worth, true);
        }
        if let Some(archived) = row.archived_on {
            add(changes, row.user_id, archived, worth, false);
        }
    }

    /// Puts down by how much the worth changed in another way than it had.
    fn note(&mut self, before: &Changes, after: Changes) {
        let mut changes = after;
        for (key, change) in before {
            let left = changes.entry(key.clone()).or_default();
            *left = left.saturating_sub(*change);
        }
        for (key, change) in changes.into_iter().filter(|(_, change)| !change.is_zero()) {
            let new =
                || CoteDayRow { user_id: key.0, day: key.1, currency: key.2.clone(), change: Decimal::ZERO };
            self.days.upsert(&key, new, |row| row.change = row.change.saturating_add(change).normalize());
            if self.days.get(&key).is_some_and(|row| row.change.is_zero()) {
                self.days.remove(&key);
            }
        }
    }
}
