//! The steps of a pre-order, its slips and its end.

use crate::harness::*;
use chrono::{DateTime, Utc};
use domain::collection::{ArchiveReason, CollectionEvent as E, Condition};
use domain::commands::{
    ArchivePieces, CancelPreorder, EditPreorder, Fate, PieceVersion, RestorePiece, SlipRelease, StepPreorder,
    Steps,
};
use domain::dates::ReleaseDate;
use domain::money::Currency;
use domain::preorder::{DateChanged, PreorderEvent as P, SlipSource, Status};
use domain::refusal::Code;
use domain::stream::Version;
use domain::text::HttpUrl;

fn step(step: Steps) -> StepPreorder {
    StepPreorder { user_id: ANNA, piece_id: P1, expected: None, step }
}
fn to(status: Status) -> StepPreorder {
    step(Steps::To(status))
}
fn ship(at: Option<&str>) -> StepPreorder {
    step(Steps::Ship { shipped_at: at.map(moment), tracking_url: None, estimated_delivery_days: None })
}
fn receive(at: Option<&str>) -> StepPreorder {
    step(Steps::Receive { received_at: at.map(moment), condition: None })
}
fn slip(release: ReleaseDate) -> SlipRelease {
    SlipRelease {
        user_id: ANNA,
        piece_id: P1,
        expected: None,
        release,
        source: SlipSource::StoreUpdate,
        note: None,
    }
}
fn cancel(refund: &str, fate: Option<Fate>) -> CancelPreorder {
    CancelPreorder { user_id: ANNA, piece_id: P1, expected: None, refund: amount(refund), fate }
}
fn restore() -> RestorePiece {
    RestorePiece { user_id: ANNA, piece_id: P1, expected: None }
}
fn url() -> HttpUrl {
    HttpUrl::new("https://track.example/7").unwrap()
}
fn with_deposit() -> Vec<Fact> {
    preorder_with(|p| {
        p.cost = cost("100", "10", "", Currency::Eur, "");
        p.deposit = Some(amount("30"));
    })
}
fn announced_for(release: ReleaseDate) -> Vec<Fact> {
    preorder_with(|p| p.release = Some(release))
}
fn shipped(at: DateTime<Utc>) -> Fact {
    let shipped =
        P::Shipped { preorder_id: O1, shipped_at: at, tracking_url: None, estimated_delivery_days: None };
    pre(P1, shipped)
}
fn received(at: DateTime<Utc>) -> Fact {
    pre(P1, P::Received { preorder_id: O1, received_at: at, condition: None })
}
fn archived() -> Fact {
    coll(E::PiecesArchived { piece_ids: vec![P1], reason: ArchiveReason::Cancelled, sale: None })
}
fn cancelled(paid: &str, refund: &str) -> Fact {
    let (paid, refund) = (amount(paid), amount(refund));
    pre(P1, P::Cancelled { preorder_id: O1, paid, refund, currency: Some(Currency::Eur) })
}

pub fn refusals() -> Vec<Case> {
    let world = given([with_deposit(), piece(P2, LANTERN)]);
    let over = world.clone().done(cancel("30", None)).done(restore());
    let here = world.clone().and(vec![received(now())]);
    let on_its_way = world.clone().and(vec![shipped(now())]);
    let stale = Some(PieceVersion { piece: Version(1), preorder: Version(4) });
    let yen = given([preorder_with(|p| {
        p.cost = cost("5000", "", "", Currency::Jpy, "");
        p.deposit = Some(amount("1000"));
    })]);
    let long = Steps::Ship { shipped_at: None, tracking_url: None, estimated_delivery_days: Some(366) };
    let in_the_archive = here.clone().done(ArchivePieces {
        user_id: ANNA,
        piece_ids: vec![P1],
        expected: None,
        reason: ArchiveReason::Lost,
        sale: None,
        refund: None,
    });
    vec![
        world.when(StepPreorder { piece_id: P3, ..to(Status::Released) }).refuses(
            Code::PieceNotFound,
            None,
            "a step of an unknown piece",
        ),
        world.when(StepPreorder { user_id: BEN, ..to(Status::Released) }).refuses(
            Code::PieceNotFound,
            None,
            "a step of somebody else's pre-order",
        ),
        world.when(StepPreorder { piece_id: P2, ..to(Status::Released) }).refuses(
            Code::PreorderNotFound,
            None,
            "a step of a piece without a pre-order",
        ),
        world.when(StepPreorder { expected: stale, ..to(Status::Released) }).refuses(
            Code::Stale,
            None,
            "a step of what was changed since",
        ),
        world.when(to(Status::Cancelled)).refuses(Code::IllegalStatusStep, "status", "cancelling by a step"),
        over.when(to(Status::Preordered)).refuses(Code::PreorderCancelled, None, "a step of a cancelled one"),
        over.when(ship(None)).refuses(Code::PreorderCancelled, None, "shipping a cancelled one"),
        over.when(receive(None)).refuses(Code::PreorderCancelled, None, "receiving a cancelled one"),
        here.when(to(Status::Shipped)).refuses(
            Code::IllegalStatusStep,
            "status",
            "back to shipped without a day",
        ),
        here.when(ship(None)).refuses(Code::IllegalStatusStep, "status", "shipping what was received"),
        here.when(receive(Some("2027-03-09T00:00:00Z"))).refuses(
            Code::IllegalStatusStep,
            "status",
            "receiving on another day what was received",
        ),
        world.when(ship(Some("2027-03-11T12:00:01Z"))).refuses(
            Code::InvalidDate,
            "shipped_at",
            "shipped the day after tomorrow",
        ),
        world.when(ship(Some("1949-01-01T00:00:00Z"))).refuses(
            Code::InvalidDate,
            "shipped_at",
            "shipped before any figure was made",
        ),
        world.when(receive(Some("2027-03-12T00:00:00Z"))).refuses(
            Code::InvalidDate,
            "received_at",
            "received in the future",
        ),
        on_its_way.when(receive(Some("2027-03-09T23:59:59Z"))).refuses(
            Code::InvalidDate,
            "received_at",
            "received before it was shipped",
        ),
        world.when(step(long)).refuses(
            Code::InvalidField,
            "estimated_delivery_days",
            "a parcel for more than a year",
        ),
        world.when(SlipRelease { piece_id: P3, ..slip(in_year(2028)) }).refuses(
            Code::PieceNotFound,
            None,
            "a slip of an unknown piece",
        ),
        world.when(SlipRelease { piece_id: P2, ..slip(in_year(2028)) }).refuses(
            Code::PreorderNotFound,
            None,
            "a slip of a piece without a pre-order",
        ),
        world.when(SlipRelease { expected: stale, ..slip(in_year(2028)) }).refuses(
            Code::Stale,
            None,
            "a slip of what was changed since",
        ),
        over.when(slip(in_year(2028))).refuses(Code::PreorderCancelled, None, "a slip of a cancelled one"),
        world.when(CancelPreorder { piece_id: P3, ..cancel("0", None) }).refuses(
            Code::PieceNotFound,
            None,
            "cancelling for an unknown piece",
        ),
        world.when(CancelPreorder { piece_id: P2, ..cancel("0", None) }).refuses(
            Code::PreorderNotFound,
            None,
            "cancelling where there is none",
        ),
        world.when(CancelPreorder { expected: stale, ..cancel("0", None) }).refuses(
            Code::Stale,
            None,
            "cancelling what was changed since",
        ),
        over.when(cancel("0", None)).refuses(Code::IllegalStatusStep, None, "cancelling twice"),
        here.when(cancel("0", None)).refuses(Code::IllegalStatusStep, None, "cancelling what was received"),
        world.when(cancel("30.01", None)).refuses(
            Code::RefundAbovePaid,
            "refund_amount",
            "more back than was paid",
        ),
        given([preorder()]).when(cancel("1", None)).refuses(
            Code::RefundAbovePaid,
            "refund_amount",
            "something back of nothing",
        ),
        yen.when(cancel("0.5", None)).refuses(Code::InvalidAmount, "refund_amount", "half a yen back"),
        world.when(cancel("29.99", Some(Fate::Delete))).refuses(
            Code::LossMustBeKept,
            "item",
            "deleting a loss",
        ),
        in_the_archive.when(to(Status::Released)).refuses(
            Code::PieceArchived,
            None,
            "taking back the receipt of an archived piece",
        ),
    ]
}

#[test]
fn refusals_are_as_told() {
    check(&refusals());
}

/// Every status with the events that lead to it from `preordered`. `received` comes twice: with a recorded
/// day of shipping and without.
fn at_every_status() -> Vec<(&'static str, Status, Given)> {
    let world = given([preorder_with(|p| p.status = Status::Announced)]);
    let advanced = |status| {
        let event = P::StatusAdvanced { preorder_id: O1, previous: Status::Announced, status };
        world.clone().and(vec![pre(P1, event)])
    };
    let cancelled = P::Cancelled { preorder_id: O1, paid: amount("0"), refund: amount("0"), currency: None };
    vec![
        ("announced", Status::Announced, world.clone()),
        ("preorder_open", Status::PreorderOpen, advanced(Status::PreorderOpen)),
        ("preordered", Status::Preordered, advanced(Status::Preordered)),
        ("in_production", Status::InProduction, advanced(Status::InProduction)),
        ("released", Status::Released, advanced(Status::Released)),
        ("shipped", Status::Shipped, world.clone().and(vec![shipped(now())])),
        ("received, shipped", Status::Received, world.clone().and(vec![shipped(now()), received(now())])),
        ("received", Status::Received, world.clone().and(vec![received(now())])),
        ("cancelled", Status::Cancelled, world.clone().and(vec![pre(P1, cancelled)])),
    ]
}

#[test]
fn every_step_from_every_status_is_an_advance_a_correction_nothing_or_refused() {
    // `a` advanced, `s` shipped, `r` received, `c` corrected, `.` no change, `x` illegal_status_step,
    // `-` preorder_cancelled. Columns are the statuses in their order.
    let table = [
        ("announced", ".aaaasrx"),
        ("preorder_open", "c.aaasrx"),
        ("preordered", "cc.aasrx"),
        ("in_production", "ccc.asrx"),
        ("released", "cccc.srx"),
        ("shipped", "ccccc.rx"),
        ("received, shipped", "xxxxxc.x"),
        ("received", "cccccx.x"),
        ("cancelled", "--------"),
    ];
    let worlds = at_every_status();
    assert_eq!(worlds.len(), table.len());
    for ((label, from, world), (row, outcomes)) in worlds.into_iter().zip(table) {
        assert_eq!(label, row);
        for (status, outcome) in Status::ALL.iter().copied().zip(outcomes.chars()) {
            let when = world.when(to(status));
            let (preorder_id, previous) = (O1, from);
            let after = match outcome {
                'x' => {
                    when.refused(Code::IllegalStatusStep, Some("status"));
                    continue;
                }
                '-' => {
                    when.refused(Code::PreorderCancelled, None);
                    continue;
                }
                '.' => when.then_nothing(),
                'a' => when.then([pre(P1, P::StatusAdvanced { preorder_id, previous, status })]),
                'c' => when.then([pre(P1, P::StatusCorrected { preorder_id, previous, status })]),
                's' => when.then([shipped(now())]),
                'r' => when.then([received(now())]),
                other => panic!("{other}"),
            };
            assert_eq!(after.chapter(P1).status, status, "{label} → {status}");
            let dated = matches!(status, Status::Shipped)
                || (status == Status::Received && label.contains("shipped"));
            assert_eq!(
                after.chapter(P1).shipped_at.is_some(),
                dated,
                "{label} → {status}: the day of shipping"
            );
        }
    }
}

#[test]
fn cancelling_is_possible_from_every_state_but_received_and_cancelled() {
    for (label, status, world) in at_every_status() {
        let when = world.when(cancel("0", None));
        if matches!(status, Status::Received | Status::Cancelled) {
            when.refused(Code::IllegalStatusStep, None);
        } else {
            assert_eq!(when.done().chapter(P1).status, Status::Cancelled, "{label}");
        }
    }
}

#[test]
fn shipping_takes_the_day_given_or_the_moment() {
    let world = given([preorder()]);
    world.when(ship(None)).then([shipped(now())]);
    world.when(ship(Some("2027-03-01T08:00:00Z"))).then([shipped(moment("2027-03-01T08:00:00Z"))]);
    // It is tomorrow already where the parcel left.
    world.when(ship(Some("2027-03-11T11:00:00Z"))).then([shipped(moment("2027-03-11T11:00:00Z"))]);
}

#[test]
fn shipping_again_corrects_the_day_the_tracking_and_the_estimate() {
    let told = |at: Option<&str>, url: Option<HttpUrl>, days| {
        step(Steps::Ship { shipped_at: at.map(moment), tracking_url: url, estimated_delivery_days: days })
    };
    let event = |at: &str, url: Option<HttpUrl>, days| {
        let shipped_at = moment(at);
        pre(P1, P::Shipped { preorder_id: O1, shipped_at, tracking_url: url, estimated_delivery_days: days })
    };
    let first = "2027-03-01T08:00:00Z";
    let world = given([preorder()]).when(told(Some(first), Some(url()), Some(7))).then([event(
        first,
        Some(url()),
        Some(7),
    )]);
    world.when(ship(None)).then_nothing();
    world.when(told(Some(first), Some(url()), Some(7))).then_nothing();
    let later = world.when(told(None, None, Some(9))).then([event(first, None, Some(9))]);
    let chapter = later.chapter(P1);
    assert_eq!((chapter.tracking_url, chapter.estimated_delivery_days), (Some(url()), Some(9)));
    let moved =
        later.when(ship(Some("2027-03-03T08:00:00Z"))).then([event("2027-03-03T08:00:00Z", None, None)]);
    assert_eq!(moved.chapter(P1).shipped_at, Some(moment("2027-03-03T08:00:00Z")));
    assert_eq!(moved.chapter(P1).estimated_delivery_days, Some(9));
}

#[test]
fn receiving_may_carry_a_day_and_the_condition_of_the_piece() {
    let condition = Some(Condition::MibSealed);
    let received_at = moment("2027-03-08T17:00:00Z");
    let command = step(Steps::Receive { received_at: Some(received_at), condition });
    let after = given([preorder()]).when(command).then([
        pre(P1, P::Received { preorder_id: O1, received_at, condition }),
        coll(E::PiecesConditionSet { piece_ids: vec![P1], condition }),
    ]);
    after.when(receive(None)).then_nothing();
}

#[test]
fn a_parcel_may_arrive_on_the_day_it_left() {
    given([preorder(), vec![shipped(moment("2027-03-05T20:00:00Z"))]])
        .when(receive(Some("2027-03-05T09:00:00Z")))
        .then([received(moment("2027-03-05T09:00:00Z"))]);
}

#[test]
fn a_receipt_taken_back_goes_to_shipped_and_its_day_stays() {
    let day = moment("2027-03-05T20:00:00Z");
    let after = given([preorder(), vec![shipped(day), received(now())]]).done(to(Status::Shipped));
    assert_eq!(after.chapter(P1).shipped_at, Some(day));
    let after = after.done(to(Status::InProduction));
    assert_eq!(after.chapter(P1).shipped_at, None, "leaving shipped forgets the day");
    assert!(after.preorder(P1).is_live());
}

#[test]
fn a_date_named_for_the_first_time_is_no_slip_and_stays_the_original() {
    let after = given([preorder()])
        .when(SlipRelease {
            note: Some(note("announced at last")),
            source: SlipSource::Mfc,
            ..slip(in_month("2027-08"))
        })
        .then([pre(
            P1,
            P::ReleaseDateNamed {
                preorder_id: O1,
                release: in_month("2027-08"),
                source: SlipSource::Mfc,
                note: Some(note("announced at last")),
            },
        )]);
    let after = after
        .done(slip(in_month("2027-12")))
        .done(slip(in_month("2027-05")))
        .done(slip(on_day("2027-05-07")));
    assert_eq!(after.chapter(P1).release_original, Some(in_month("2027-08")));
    assert_eq!(after.chapter(P1).release, Some(on_day("2027-05-07")));
}

#[test]
fn the_original_date_of_a_placing_never_changes() {
    let after = given([announced_for(in_month("2027-06"))]).done(slip(in_year(2028)));
    assert_eq!(after.chapter(P1).release_original, Some(in_month("2027-06")));
}

#[test]
fn a_changed_date_is_a_slip_only_after_all_of_the_announced_period() {
    enum Is {
        Same,
        Slipped,
        Forward,
        Narrowed,
    }
    use Is::*;
    for (before, after, is) in [
        (in_month("2027-05"), in_month("2027-05"), Same),
        (on_day("2027-05-10"), on_day("2027-05-10"), Same),
        (in_month("2027-05"), in_month("2027-06"), Slipped),
        (in_month("2027-05"), on_day("2027-06-01"), Slipped),
        (on_day("2027-05-10"), on_day("2027-05-11"), Slipped),
        (on_day("2027-05-10"), in_month("2027-06"), Slipped),
        (in_year(2027), in_year(2028), Slipped),
        (in_month("2027-05"), in_month("2027-04"), Forward),
        (in_month("2027-05"), on_day("2027-04-30"), Forward),
        (on_day("2027-05-10"), on_day("2027-05-09"), Forward),
        (in_year(2027), in_month("2026-12"), Forward),
        (in_month("2027-05"), on_day("2027-05-31"), Narrowed),
        (in_month("2027-05"), on_day("2027-05-01"), Narrowed),
        (in_year(2027), in_month("2027-12"), Narrowed),
        (in_month("2027-12"), in_year(2027), Narrowed),
        (on_day("2027-05-10"), in_month("2027-05"), Narrowed),
    ] {
        let change = DateChanged {
            preorder_id: O1,
            previous: before,
            release: after,
            source: SlipSource::ManufacturerAnnouncement,
            note: Some(note("as told on the site")),
        };
        let when = given([announced_for(before)]).when(SlipRelease {
            source: SlipSource::ManufacturerAnnouncement,
            note: Some(note("as told on the site")),
            ..slip(after)
        });
        match is {
            Same => when.then_nothing(),
            Slipped => when.then([pre(P1, P::ReleaseDateSlipped(change))]),
            Forward => when.then([pre(P1, P::ReleaseDateBroughtForward(change))]),
            Narrowed => when.then([pre(P1, P::ReleaseDateNarrowed(change))]),
        };
    }
}

#[test]
fn a_loss_archives_the_piece_so_that_it_is_remembered() {
    for fate in [None, Some(Fate::Archive)] {
        given([with_deposit()]).when(cancel("10", fate)).then([cancelled("30", "10"), archived()]);
    }
}

#[test]
fn a_full_refund_lets_the_collector_choose() {
    let world = given([with_deposit()]);
    world.when(cancel("30", None)).then([cancelled("30", "30"), archived()]);
    world.when(cancel("30", Some(Fate::Archive))).then([cancelled("30", "30"), archived()]);
    world
        .when(cancel("30", Some(Fate::Delete)))
        .then([cancelled("30", "30"), coll(E::PiecesDeleted { piece_ids: vec![P1] })]);
    let nothing = P::Cancelled { preorder_id: O1, paid: amount("0"), refund: amount("0"), currency: None };
    given([preorder()])
        .when(cancel("0", Some(Fate::Delete)))
        .then([pre(P1, nothing), coll(E::PiecesDeleted { piece_ids: vec![P1] })]);
}

#[test]
fn once_the_balance_is_paid_price_and_shipping_can_come_back() {
    let world =
        given([with_deposit()]).done(EditPreorder { balance_paid: Some(true), ..EditPreorder::of(ANNA, P1) });
    world.when(cancel("110", None)).then([cancelled("110", "110"), archived()]);
    world.when(cancel("110.01", None)).refused(Code::RefundAbovePaid, Some("refund_amount"));
    world.when(cancel("30", Some(Fate::Delete))).refused(Code::LossMustBeKept, Some("item"));
}

#[test]
fn who_saw_the_preorder_last_may_move_it() {
    let world = given([with_deposit()]);
    let expected = Some(world.piece_version(P1));
    let next = world.done(StepPreorder { expected, ..to(Status::Released) });
    next.when(StepPreorder { expected, ..to(Status::Preordered) }).refused(Code::Stale, None);
    let expected = Some(next.piece_version(P1));
    let next = next.done(SlipRelease { expected, ..slip(in_year(2029)) });
    next.when(CancelPreorder { expected, ..cancel("30", None) }).refused(Code::Stale, None);
    let expected = Some(next.piece_version(P1));
    next.when(CancelPreorder { expected, ..cancel("30", None) }).done();
}
