//! From events to pre-orders.

use super::is_live;
use super::rows::{CatalogueDateRow, ChapterRow, DateHistoryRow, PreorderRow, PreorderRows};
use crate::engine::FoldError;
use chrono::{DateTime, NaiveDate, SubsecRound, Utc};
use domain::collection::{CollectionEvent, Cost};
use domain::dates::ReleaseDate;
use domain::entity::{EntityEvent, EntityKind};
use domain::figure::FigureEvent;
use domain::ids::{PieceId, PreorderId};
use domain::preorder::{DateChanged, Placed, PreorderEvent, SlipSource, Status};
use domain::stream::{Event, Recorded, StreamId};
use domain::text::Note;
use rust_decimal::Decimal;
use uuid::Uuid;

pub(super) fn fold(rows: &mut PreorderRows, recorded: &Recorded) -> Result<(), FoldError> {
    match (&recorded.event, &recorded.stream) {
        (Event::Preorder(event), _) => preorder(rows, recorded, event),
        (Event::Collection(CollectionEvent::PersonErased {}), StreamId::Collection(user)) => {
            erase(rows, user.uuid());
            Ok(())
        }
        (Event::Collection(CollectionEvent::PiecesDeleted { piece_ids }), _) => {
            for piece in piece_ids {
                forget(rows, *piece);
            }
            Ok(())
        }
        (Event::Figure(FigureEvent::Catalogued(entry)), StreamId::Figure(figure)) => {
            if let Some(first) = first(&entry.releases) {
                catalogue(rows, figure.uuid(), Some(first));
            }
            Ok(())
        }
        (Event::Figure(FigureEvent::ReleasesAnnounced { releases }), StreamId::Figure(figure)) => {
            let (figure, now) = (figure.uuid(), first(releases));
            let before = catalogued(rows, figure);
            catalogue(rows, figure, now.clone());
            offer(rows, figure, before.as_ref(), now.as_ref())
        }
        (Event::Figure(FigureEvent::MergedInto { winner_id }), StreamId::Figure(loser)) => {
            let (loser, winner) = (loser.uuid(), winner_id.uuid());
            merge_dates(rows, loser, winner)?;
            for id in rows.preorders.keys_where(PreorderRow::figure_id, loser) {
                rows.preorders.change(&id, |row| row.figure_id = winner)?;
            }
            for id in rows.chapters.keys_where(ChapterRow::figure_id, loser) {
                rows.chapters.change(&id, |row| row.figure_id = winner)?;
            }
            Ok(())
        }
        (
            Event::Entity(EntityEvent::MergedInto { kind: EntityKind::Store, winner_id }),
            StreamId::Entity(loser),
        ) => {
            let (loser, winner) = (loser.uuid(), Some(winner_id.uuid()));
            for id in rows.preorders.keys_where(PreorderRow::store_id, loser) {
                rows.preorders.change(&id, |row| row.store_id = winner)?;
            }
            for id in rows.chapters.keys_where(ChapterRow::store_id, loser) {
                rows.chapters.change(&id, |row| row.store_id = winner)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// A date and its precision, as the rows hold them.
type Period = (NaiveDate, String);

fn period(date: Option<NaiveDate>, precision: Option<&String>) -> Option<Period> {
    date.zip(precision.cloned())
}

/// The first announced release.
fn first(releases: &[ReleaseDate]) -> Option<Period> {
    releases.iter().min().map(|release| (release.date(), release.precision().as_str().to_owned()))
}

fn catalogued(rows: &PreorderRows, figure: Uuid) -> Option<Period> {
    let row = rows.catalogue_dates.get(&figure)?;
    Some((row.release_date, row.release_date_precision.clone()))
}

fn catalogue(rows: &mut PreorderRows, figure: Uuid, now: Option<Period>) {
    match now {
        Some((release_date, release_date_precision)) => {
            let row = CatalogueDateRow { figure_id: figure, release_date, release_date_precision };
            rows.catalogue_dates.insert(row);
        }
        None => rows.catalogue_dates.remove(&figure),
    }
}

/// Offers the catalogue's new date of a figure to the live pre-orders that carried the old one, also to
/// those that were offered the old one and did not take it. A date that the catalogue takes back is offered
/// to nobody.
fn offer(
    rows: &mut PreorderRows,
    figure: Uuid,
    before: Option<&Period>,
    now: Option<&Period>,
) -> Result<(), FoldError> {
    if before == now {
        return Ok(());
    }
    for id in rows.preorders.keys_where(PreorderRow::figure_id, figure) {
        rows.preorders.change(&id, |row| {
            let own = period(row.release_date_current, row.release_date_precision.as_ref());
            let offered = period(row.offered_release_date, row.offered_release_date_precision.as_ref());
            let follows = own.as_ref() == before || (offered.is_some() && offered.as_ref() == before);
            if is_live(row) && follows {
                let new = now.filter(|now| own.as_ref() != Some(now)).cloned();
                (row.offered_release_date, row.offered_release_date_precision) = new.unzip();
            }
        })?;
    }
    Ok(())
}

/// The pre-orders of a merged figure see the date of the one it went into. What that one lacks it takes over
/// from the merged one, as its own events go on to say.
fn merge_dates(rows: &mut PreorderRows, loser: Uuid, winner: Uuid) -> Result<(), FoldError> {
    let (lost, kept) = (catalogued(rows, loser), catalogued(rows, winner));
    catalogue(rows, loser, None);
    match (&lost, &kept) {
        (_, Some(_)) => offer(rows, loser, lost.as_ref(), kept.as_ref()),
        (Some(_), None) => {
            catalogue(rows, winner, lost.clone());
            offer(rows, winner, None, lost.as_ref())
        }
        (None, None) => Ok(()),
    }
}

fn withdraw_offer(row: &mut PreorderRow) {
    row.offered_release_date = None;
    row.offered_release_date_precision = None;
}

/// PostgreSQL keeps whole microseconds; a time that a payload states may be finer.
fn kept(at: DateTime<Utc>) -> DateTime<Utc> {
    at.trunc_subsecs(6)
}

fn set_cost(row: &mut PreorderRow, cost: &Cost) {
    row.price_amount = cost.price.map(Decimal::from);
    row.shipping_amount = cost.shipping.map(Decimal::from);
    row.price_currency = cost.currency.map(|currency| currency.code().to_owned());
    row.price_fx_rate = cost.fx_rate.map(Decimal::from);
}

fn set_release(row: &mut PreorderRow, release: ReleaseDate) {
    withdraw_offer(row);
    row.release_date_current = Some(release.date());
    row.release_date_precision = Some(release.precision().as_str().to_owned());
}

fn chapter(placed: &Placed, recorded: &Recorded) -> PreorderRow {
    let mut row = PreorderRow {
        id: placed.preorder_id.uuid(),
        user_id: placed.user_id.uuid(),
        owned_item_id: placed.piece_id.uuid(),
        figure_id: placed.figure_id.uuid(),
        store_id: placed.store_id.map(|store| store.uuid()),
        status: placed.status.as_str().to_owned(),
        release_date_original: placed.release.map(ReleaseDate::date),
        release_date_original_precision: placed.release.map(|r| r.precision().as_str().to_owned()),
        release_date_current: None,
        release_date_precision: None,
        offered_release_date: None,
        offered_release_date_precision: None,
        price_amount: None,
        price_currency: None,
        price_fx_rate: None,
        shipping_amount: None,
        deposit_amount: placed.deposit.map(Decimal::from),
        deposit_refund_amount: None,
        paid_amount: None,
        balance_paid_at: None,
        shipped_at: None,
        received_at: None,
        cancelled_at: None,
        estimated_delivery_days: placed.estimated_delivery_days.map(i32::from),
        tracking_url: placed.tracking_url.as_ref().map(|url| url.as_str().to_owned()),
        slip_count: 0,
        created_at: recorded.recorded_at,
        updated_at: recorded.recorded_at,
        version: recorded.version.0,
    };
    set_cost(&mut row, &placed.cost);
    if let Some(release) = placed.release {
        set_release(&mut row, release);
    }
    row
}

fn preorder(rows: &mut PreorderRows, recorded: &Recorded, event: &PreorderEvent) -> Result<(), FoldError> {
    use PreorderEvent as E;
    if let E::Placed(placed) | E::Replaced(placed) = event {
        for id in rows.preorders.keys_where(PreorderRow::owned_item_id, placed.piece_id.uuid()) {
            if let Some(earlier) = rows.preorders.get(&id).cloned() {
                rows.preorders.remove(&id);
                rows.chapters.insert(earlier.into());
            }
        }
        rows.preorders.insert(chapter(placed, recorded));
        return Ok(());
    }
    let Some(id) = event.preorder_id().map(PreorderId::uuid) else { return Ok(()) };
    tell_date(rows, recorded, event);
    if let PreorderEvent::ChapterDated { preorder_id, told_at, .. } = event {
        date_history(rows, preorder_id.uuid(), told_at);
    }
    rows.preorders.change(&id, |row| {
        row.updated_at = recorded.recorded_at;
        row.version = recorded.version.0;
        match event {
            E::Placed(_) | E::Replaced(_) => {}
            E::StatusAdvanced { status, .. } => row.status = status.as_str().to_owned(),
            E::StatusCorrected { status, .. } => {
                row.status = status.as_str().to_owned();
                row.received_at = None;
                if *status != Status::Shipped {
                    row.shipped_at = None;
                }
            }
            E::Shipped { shipped_at, tracking_url, estimated_delivery_days, .. } => {
                row.status = Status::Shipped.as_str().to_owned();
                row.shipped_at = Some(kept(*shipped_at));
                if let Some(url) = tracking_url {
                    row.tracking_url = Some(url.as_str().to_owned());
                }
                if let Some(days) = estimated_delivery_days {
                    row.estimated_delivery_days = Some(i32::from(*days));
                }
            }
            E::Received { received_at, .. } => {
                row.status = Status::Received.as_str().to_owned();
                row.received_at = Some(kept(*received_at));
                withdraw_offer(row);
            }
            E::Cancelled { paid, refund, .. } => {
                row.status = Status::Cancelled.as_str().to_owned();
                row.paid_amount = Some((*paid).into());
                row.deposit_refund_amount = Some((*refund).into());
                row.cancelled_at = Some(recorded.recorded_at);
                withdraw_offer(row);
            }
            E::ReleaseDateNamed { release, .. } => {
                row.release_date_original = Some(release.date());
                row.release_date_original_precision = Some(release.precision().as_str().to_owned());
                set_release(row, *release);
            }
            E::ReleaseDateSlipped(change) => {
                row.slip_count += 1;
                set_release(row, change.release);
            }
            E::ReleaseDateBroughtForward(change) | E::ReleaseDateNarrowed(change) => {
                set_release(row, change.release);
            }
            E::CostRecorded { cost, deposit, .. } => {
                set_cost(row, cost);
                row.deposit_amount = deposit.map(Decimal::from);
            }
            E::BalancePaid { paid_at, .. } => row.balance_paid_at = Some(kept(*paid_at)),
            E::BalanceReopened { .. } => row.balance_paid_at = None,
            E::TrackingRecorded { tracking_url, .. } => {
                row.tracking_url = tracking_url.as_ref().map(|url| url.as_str().to_owned());
            }
            E::DeliveryEstimated { days, .. } => row.estimated_delivery_days = days.map(i32::from),
            E::StoreRecorded { store_id, .. } => row.store_id = store_id.map(|store| store.uuid()),
            E::ChapterDated { placed_at, cancelled_at, .. } => {
                row.created_at = kept(*placed_at);
                row.cancelled_at = cancelled_at.map(kept);
            }
            E::Erased {} => {}
        }
    })
}

/// Writes the history of the date; saying the same date more exactly is no change of it.
fn tell_date(rows: &mut PreorderRows, recorded: &Recorded, event: &PreorderEvent) {
    use PreorderEvent as E;
    let (previous, release, source, note, is_slip): (_, ReleaseDate, SlipSource, &Option<Note>, bool) =
        match event {
            E::ReleaseDateNamed { release, source, note, .. } => (None, *release, *source, note, false),
            E::ReleaseDateSlipped(DateChanged { previous, release, source, note, .. }) => {
                (Some(*previous), *release, *source, note, true)
            }
            E::ReleaseDateBroughtForward(DateChanged { previous, release, source, note, .. })
            | E::ReleaseDateNarrowed(DateChanged { previous, release, source, note, .. }) => {
                (Some(*previous), *release, *source, note, false)
            }
            _ => return,
        };
    if previous.is_some_and(|previous| previous.date() == release.date()) {
        return;
    }
    let Some(preorder_id) = event.preorder_id() else { return };
    rows.history.insert(DateHistoryRow {
        id: recorded.event_id.uuid(),
        preorder_id: preorder_id.uuid(),
        position: recorded.position.0,
        previous_date: previous.map(ReleaseDate::date),
        previous_precision: previous.map(|previous| previous.precision().as_str().to_owned()),
        new_date: release.date(),
        new_precision: release.precision().as_str().to_owned(),
        source: source.as_str().to_owned(),
        note: note.as_ref().map(|note| note.as_str().to_owned()),
        is_slip,
        recorded_at: recorded.recorded_at,
    });
}

/// A backup says when the rows of a history were told, in their order.
fn date_history(rows: &mut PreorderRows, preorder: Uuid, told_at: &[DateTime<Utc>]) {
    let told = rows.history.rows_where(DateHistoryRow::preorder_id, preorder);
    let mut order: Vec<(i64, Uuid)> = told.iter().map(|row| (row.position, row.id)).collect();
    order.sort_unstable();
    for ((_, id), at) in order.into_iter().zip(told_at) {
        rows.history.update(&id, |row| row.recorded_at = kept(*at));
    }
}

/// An erased person takes all pre-orders of theirs along.
fn erase(rows: &mut PreorderRows, user: Uuid) {
    let mut chapters = rows.preorders.keys_owned_by(user);
    chapters.extend(rows.chapters.keys_owned_by(user));
    for id in chapters {
        rows.history.remove_where(DateHistoryRow::preorder_id, id);
    }
    rows.preorders.remove_owned_by(user);
    rows.chapters.remove_owned_by(user);
}

/// A deleted piece takes everything of its pre-order with it.
fn forget(rows: &mut PreorderRows, piece: PieceId) {
    let piece = piece.uuid();
    for id in rows.preorders.keys_where(PreorderRow::owned_item_id, piece) {
        rows.preorders.remove(&id);
        rows.history.remove_where(DateHistoryRow::preorder_id, id);
    }
    for id in rows.chapters.keys_where(ChapterRow::owned_item_id, piece) {
        rows.chapters.remove(&id);
        rows.history.remove_where(DateHistoryRow::preorder_id, id);
    }
}
