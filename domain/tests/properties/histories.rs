//! Random histories of one person's collection, with pictures of it, and figures that are merged meanwhile.

mod pictures;

use crate::runner::{Streams, decide};
use chrono::{DateTime, Days, NaiveDate, Utc};
use domain::collection::{ArchiveReason, Collection, CollectionEvent, Condition, Cost};
use domain::commands::{
    AcquireWish, AddPiece, ArchivePieces, CancelPreorder, CatalogueFigure, DeletePieces, EditFigure,
    EditPiece, EditPreorder, Fate, MergeFigures, PieceFields, PieceVersion, PlacePreorder, PreorderFields,
    ReplacePreorder, RestorePiece, SetWish, SlipRelease, StepPreorder, Steps, Unwish,
};
use domain::dates::{Precision, ReleaseDate};
use domain::ids::{CommandId, FigureId, PieceId, PreorderId, UserId};
use domain::money::{Amount, Currency, Money};
use domain::preorder::{Chapter, Preorder, PreorderEvent, SlipSource, Status};
use domain::stream::{Event, StreamId, Version};
use domain::text::{Line, Name};
use domain::world::{Circumstances, Command, State};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rust_decimal::Decimal;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

const ANNA: UserId = UserId(Uuid::from_u128(0xa1));
const FIGURES: u8 = 4;
const SLOTS: u8 = 3;

/// What somebody tries; figures and pieces are told by small numbers, so that the tries meet.
#[derive(Debug, Clone)]
enum Try {
    Add {
        slot: u8,
        figure: u8,
        paid: Paid,
    },
    Place {
        slot: u8,
        figure: u8,
        paid: Paid,
        deposit: Option<u8>,
        release: Option<When>,
    },
    Acquire {
        slot: u8,
        figure: u8,
        paid: Paid,
    },
    Wish {
        figure: u8,
        target: Option<u8>,
    },
    Unwish {
        figure: u8,
    },
    Archive {
        slot: u8,
        reason: ArchiveReason,
        refund: Option<u8>,
    },
    ArchiveTwo {
        slots: (u8, u8),
    },
    Restore {
        slot: u8,
    },
    Delete {
        slot: u8,
        refund: Option<u8>,
    },
    /// The refund is an amount, or all that was paid.
    Cancel {
        slot: u8,
        refund: Option<u8>,
        fate: Option<Fate>,
    },
    RestoreAndReplace {
        slot: u8,
        paid: Paid,
        release: Option<When>,
    },
    Replace {
        slot: u8,
        paid: Paid,
        deposit: Option<u8>,
        release: Option<When>,
    },
    Step {
        slot: u8,
        to: Status,
    },
    Ship {
        slot: u8,
        days_ago: Option<u8>,
    },
    Receive {
        slot: u8,
        condition: Option<Condition>,
    },
    Slip {
        slot: u8,
        release: When,
    },
    Amounts {
        slot: u8,
        price: Option<u8>,
        deposit: Option<Option<u8>>,
    },
    Balance {
        slot: u8,
        paid: bool,
    },
    PieceCost {
        slot: u8,
        price: Option<Option<u8>>,
        fees: Option<Option<u8>>,
        yen: Option<bool>,
    },
    Merge {
        loser: u8,
        winner: u8,
    },
    Announce {
        figure: u8,
        release: When,
    },
    Picture(pictures::Picturing),
}

/// Price and shipping in hundreds of yen or euro cents; `None` is nothing said.
#[derive(Debug, Clone, Copy)]
struct Paid {
    price: Option<u8>,
    shipping: Option<u8>,
    yen: bool,
}

impl Paid {
    fn cost(self) -> Cost {
        let any = self.price.is_some() || self.shipping.is_some();
        Cost {
            price: self.price.map(tens),
            shipping: self.shipping.map(tens),
            currency: any.then_some(currency(self.yen)),
            ..Cost::default()
        }
    }
}

fn tens(n: u8) -> Amount {
    Amount::new(Decimal::from(u32::from(n) * 10)).unwrap()
}
fn currency(yen: bool) -> Currency {
    if yen { Currency::Jpy } else { Currency::Eur }
}

/// A release some months from the start, more or less precisely.
#[derive(Debug, Clone, Copy)]
struct When(u8, Precision);

impl When {
    fn release(self) -> ReleaseDate {
        let day = day_one() + Days::new(u64::from(self.0) * 17);
        ReleaseDate::new(day, self.1).unwrap()
    }
}

fn day_one() -> NaiveDate {
    NaiveDate::from_ymd_opt(2027, 1, 5).unwrap()
}

fn any_try() -> impl Strategy<Value = Try> {
    let slot = || 0..SLOTS;
    let figure = || 0..FIGURES;
    let maybe = || proptest::option::of(0_u8..4);
    let paid = || {
        (proptest::option::weighted(0.8, 0_u8..4), maybe(), prop::bool::weighted(0.2))
            .prop_map(|(price, shipping, yen)| Paid { price, shipping, yen })
    };
    let when = || {
        let precision = prop_oneof![Just(Precision::Day), Just(Precision::Month), Just(Precision::Year)];
        (0_u8..60, precision).prop_map(|(n, p)| When(n, p))
    };
    let maybe_when = || proptest::option::of(when());
    let fate = prop_oneof![Just(None), Just(Some(Fate::Archive)), Just(Some(Fate::Delete))];
    let condition = proptest::option::of(prop::sample::select(Condition::ALL));
    prop_oneof![
        2 => (slot(), figure(), paid()).prop_map(|(slot, figure, paid)| Try::Add { slot, figure, paid }),
        5 => (slot(), figure(), paid(), maybe(), maybe_when()).prop_map(|(slot, figure, paid, deposit, release)| {
            Try::Place { slot, figure, paid, deposit, release }
        }),
        3 => (slot(), figure(), paid()).prop_map(|(slot, figure, paid)| Try::Acquire { slot, figure, paid }),
        6 => (figure(), maybe()).prop_map(|(figure, target)| Try::Wish { figure, target }),
        1 => figure().prop_map(|figure| Try::Unwish { figure }),
        3 => (slot(), prop::sample::select(ArchiveReason::ALL), maybe()).prop_map(|(slot, reason, refund)| {
            Try::Archive { slot, reason, refund }
        }),
        1 => (slot(), slot()).prop_map(|slots| Try::ArchiveTwo { slots }),
        4 => slot().prop_map(|slot| Try::Restore { slot }),
        1 => (slot(), maybe()).prop_map(|(slot, refund)| Try::Delete { slot, refund }),
        5 => (slot(), maybe(), fate).prop_map(|(slot, refund, fate)| Try::Cancel { slot, refund, fate }),
        4 => (slot(), paid(), maybe(), maybe_when()).prop_map(|(slot, paid, deposit, release)| {
            Try::Replace { slot, paid, deposit, release }
        }),
        5 => (slot(), paid(), maybe_when()).prop_map(|(slot, paid, release)| {
            Try::RestoreAndReplace { slot, paid, release }
        }),
        4 => (slot(), prop::sample::select(&Status::ALL[..5])).prop_map(|(slot, to)| Try::Step { slot, to }),
        2 => (slot(), prop::sample::select(Status::ALL)).prop_map(|(slot, to)| Try::Step { slot, to }),
        2 => (slot(), maybe()).prop_map(|(slot, days_ago)| Try::Ship { slot, days_ago }),
        1 => (slot(), condition).prop_map(|(slot, condition)| Try::Receive { slot, condition }),
        6 => (slot(), when()).prop_map(|(slot, release)| Try::Slip { slot, release }),
        4 => (slot(), maybe(), proptest::option::of(maybe())).prop_map(|(slot, price, deposit)| {
            Try::Amounts { slot, price, deposit }
        }),
        4 => (slot(), any::<bool>()).prop_map(|(slot, paid)| Try::Balance { slot, paid }),
        3 => (slot(), proptest::option::of(maybe()), proptest::option::of(maybe()), any::<Option<bool>>())
            .prop_map(|(slot, price, fees, yen)| Try::PieceCost { slot, price, fees, yen }),
        1 => (figure(), figure()).prop_map(|(loser, winner)| Try::Merge { loser, winner }),
        1 => (figure(), when()).prop_map(|(figure, release)| Try::Announce { figure, release }),
        45 => pictures::any_picturing().prop_map(Try::Picture),
    ]
}

fn histories() -> impl Strategy<Value = Vec<Try>> {
    proptest::collection::vec(any_try(), 10..180)
}

fn figure(n: u8) -> FigureId {
    FigureId(Uuid::from_u128(0xf000 + u128::from(n)))
}

/// What a chapter's events said so far, kept beside the aggregate and not with it.
#[derive(Default, Clone)]
struct Told {
    original: Option<ReleaseDate>,
    current: Option<ReleaseDate>,
}

/// A history as it unfolds.
struct History {
    streams: Streams,
    slots: Vec<PieceId>,
    made: u128,
    commands: u128,
    now: DateTime<Utc>,
    told: HashMap<PreorderId, Told>,
    /// The pieces that were ever pre-ordered.
    ordered: BTreeSet<PieceId>,
    /// The types of the events that happened.
    seen: BTreeSet<&'static str>,
}

impl History {
    fn new() -> Self {
        let mut history = Self {
            streams: Streams::default(),
            slots: vec![],
            made: 0,
            commands: 0,
            now: day_one().and_hms_opt(9, 0, 0).unwrap().and_utc(),
            told: HashMap::new(),
            ordered: BTreeSet::new(),
            seen: BTreeSet::new(),
        };
        history.slots = (0..SLOTS).map(|_| PieceId(history.fresh())).collect();
        for n in 0..FIGURES {
            let releases = match n {
                0 => vec![],
                n => vec![When(n * 12, Precision::Month).release()],
            };
            let entry = CatalogueFigure {
                releases,
                mfc_id: Some(i64::from(n) + 1),
                ..CatalogueFigure::named(
                    figure(n),
                    Name::new("Lantern Girl").unwrap(),
                    Line::new("scale").unwrap(),
                )
            };
            assert!(history.ask(&entry).is_some());
        }
        history
    }

    fn fresh(&mut self) -> Uuid {
        self.made += 1;
        Uuid::from_u128(0xb000_0000 + self.made)
    }

    fn collection(&self) -> Arc<Collection> {
        match self.streams.get(&StreamId::Collection(ANNA)).0 {
            State::Collection(state) => state,
            _ => unreachable!(),
        }
    }

    fn preorder(&self, piece: PieceId) -> Arc<Preorder> {
        match self.streams.get(&StreamId::Preorder(piece)).0 {
            State::Preorder(state) => state,
            _ => unreachable!(),
        }
    }

    fn chapter(&self, piece: PieceId) -> Option<Chapter> {
        self.preorder(piece).chapter.clone()
    }

    /// The figure that an id stands for now.
    fn now_called(&self, figure: FigureId) -> FigureId {
        match self.streams.get(&StreamId::Figure(figure)).0 {
            State::Figure(state) => state.merged_into.map_or(figure, |winner| self.now_called(winner)),
            _ => unreachable!(),
        }
    }

    /// How many wishes there are of a figure under any of its names, and whether a piece of it is owned.
    fn wished_and_owned(&self, figure: FigureId) -> (usize, bool) {
        let collection = self.collection();
        let same = |f: &FigureId| self.now_called(*f) == figure;
        let owned = collection.pieces.values().any(|p| p.archived.is_none() && same(&p.figure_id));
        (collection.wishes.keys().filter(|f| same(f)).count(), owned)
    }

    /// Archived pieces with a live pre-order.
    fn adrift(&self) -> HashSet<PieceId> {
        let collection = self.collection();
        let archived = collection.pieces.iter().filter(|(_, p)| p.archived.is_some());
        archived.map(|(id, _)| *id).filter(|id| self.preorder(*id).is_live()).collect()
    }

    fn piece_version(&self, piece: PieceId) -> Option<PieceVersion> {
        let version = self.collection().pieces.get(&piece)?.version;
        let preorder = self.chapter(piece).map_or(Version::NONE, |c| c.version);
        Some(PieceVersion { piece: version, preorder })
    }

    /// The piece that a slot holds; a new one where the last one is gone or archived.
    fn new_piece(&mut self, slot: u8) -> PieceId {
        let slot = usize::from(slot);
        let taken = self.collection().pieces.get(&self.slots[slot]).is_some_and(|p| p.archived.is_none());
        if !taken {
            self.slots[slot] = PieceId(self.fresh());
        }
        self.slots[slot]
    }

    /// Decides and, when accepted, appends; gives the events, or `None` when refused.
    fn ask<C: Command>(&mut self, command: &C) -> Option<Vec<Event>> {
        self.commands += 1;
        self.now += chrono::TimeDelta::days(3);
        let circumstances = Circumstances {
            actor: None,
            is_admin: true,
            now: self.now,
            command_id: CommandId(Uuid::from_u128(self.commands)),
        };
        let (_, decided) = decide(&self.streams, circumstances, command).ok()?;
        let mut events = Vec::new();
        for staged in decided.staged {
            if let (StreamId::Preorder(piece), Event::Preorder(event)) = (&staged.stream, &staged.event) {
                self.follow(*piece, event);
            }
            self.streams.fold(&staged.stream, &staged.event);
            self.seen.insert(staged.event.event_type());
            events.push(staged.event);
        }
        Some(events)
    }

    /// Checks one event of a pre-order against what happened before it.
    fn follow(&mut self, piece: PieceId, event: &PreorderEvent) {
        use PreorderEvent as P;
        self.ordered.insert(piece);
        let before = self.chapter(piece);
        let told = self.told.entry(event.preorder_id().unwrap()).or_default();
        match event {
            P::Placed(placed) | P::Replaced(placed) => {
                assert!(told.current.is_none(), "a chapter begins once");
                *told = Told { original: placed.release, current: placed.release };
                let expected = matches!(event, P::Replaced(_)).then_some(Status::Cancelled);
                assert_eq!(before.map(|c| c.status), expected, "only a cancelled one is replaced");
                return;
            }
            P::ReleaseDateNamed { release, .. } => {
                assert_eq!(told.current, None, "a date is named once");
                *told = Told { original: Some(*release), current: Some(*release) };
            }
            P::ReleaseDateSlipped(change)
            | P::ReleaseDateBroughtForward(change)
            | P::ReleaseDateNarrowed(change) => {
                assert_eq!(told.current, Some(change.previous), "the chain of dates is unbroken");
                assert_ne!(change.release, change.previous);
                let late = change.release.date() > change.previous.last_day();
                assert_eq!(late, matches!(event, P::ReleaseDateSlipped(_)), "{change:?}");
                told.current = Some(change.release);
            }
            P::Cancelled { paid, refund, .. } => {
                let chapter = before.clone().unwrap();
                let sum = |a: Option<Amount>| a.map_or(Decimal::ZERO, Amount::decimal);
                let due = if chapter.balance_paid {
                    sum(chapter.cost.price) + sum(chapter.cost.shipping)
                } else {
                    sum(chapter.deposit)
                };
                assert_eq!(paid.decimal(), due, "what was paid");
                assert!(refund <= paid, "no more comes back than was paid");
            }
            _ => {}
        }
        let before = before.unwrap();
        assert_eq!(Some(before.id), event.preorder_id(), "events belong to the chapter that is open");
        assert_ne!(before.status, Status::Cancelled, "nothing happens to a cancelled chapter");
    }

    /// What holds at any time.
    fn check(&self) {
        let collection = self.collection();
        let mut live: HashMap<FigureId, u32> = HashMap::new();
        for piece in collection.pieces.values().filter(|p| p.archived.is_none()) {
            *live.entry(piece.figure_id).or_default() += 1;
        }
        assert_eq!(collection.live.iter().map(|(f, n)| (*f, *n)).collect::<HashMap<_, _>>(), live);
        for id in &self.ordered {
            let preorder = self.preorder(*id);
            let chapter = preorder.chapter.as_ref().unwrap();
            assert!(
                chapter.deposit.is_none_or(|d| chapter.cost.price.is_some_and(|p| d <= p)),
                "a deposit is part of the price: {chapter:?}"
            );
            assert!(!chapter.balance_paid || chapter.cost.price.is_some(), "a paid balance has a price");
            let told = &self.told[&chapter.id];
            assert_eq!(chapter.release_original, told.original, "the original date never changes once named");
            assert_eq!(chapter.release, told.current);
            assert_eq!(
                chapter.shipped_at.is_some(),
                chapter.status == Status::Shipped || {
                    // A receipt and a cancellation keep the day on which it left.
                    chapter.shipped_at.is_some() && !chapter.status.is_live()
                }
            );
            match collection.pieces.get(id) {
                Some(piece) if preorder.states_cost() => {
                    let shared = |c: &Cost| {
                        let any = c.price.is_some() || c.shipping.is_some();
                        (c.price, c.shipping, c.currency.filter(|_| any))
                    };
                    assert_eq!(shared(&piece.cost), shared(&chapter.cost), "both rows show one price");
                    assert_eq!(piece.store_id, chapter.store_id);
                }
                Some(_) => {}
                None => assert!(!preorder.is_live(), "a live pre-order has its piece"),
            }
        }
        for (id, piece) in &collection.pieces {
            assert_eq!(piece.preordered, self.chapter(*id).is_some());
        }
    }

    fn go(&mut self, tried: &Try) {
        let before: Vec<(usize, bool)> = (0..FIGURES).map(|n| self.wished_and_owned(figure(n))).collect();
        let adrift = self.adrift();
        let pictured = pictures::kept(self);
        let seen: Vec<_> = self.slots.iter().map(|p| (*p, self.piece_version(*p), self.facts(*p))).collect();
        let accepted = self.attempt(tried);
        self.check();
        pictures::check(self);
        if !matches!(tried, Try::Picture(_)) {
            let now = self.collection();
            for (piece, before) in pictured {
                let after = now.pieces.get(&piece).map(|piece| piece.pictures());
                assert!(after.is_none() || before.is_none() || before == after, "{tried:?} changed pictures");
            }
        }

        let merged = accepted && matches!(tried, Try::Merge { .. });
        for n in (0..FIGURES).filter(|_| !merged) {
            let (was, is) = (before[usize::from(n)], self.wished_and_owned(figure(n)));
            // Only a merge may bring two wishes, or a wish and a piece, together under one figure.
            assert!(is.0 <= was.0.max(1), "a second wish of a figure: {tried:?}");
            let (clashed, clashes) = (was.0 > 0 && was.1, is.0 > 0 && is.1);
            assert!(!clashes || clashed, "owned and wished at once: {tried:?}");
        }
        // Only taking a receipt back may wake the pre-order of a piece that was archived since.
        let correction = matches!(tried, Try::Step { .. });
        assert!(correction || self.adrift().is_subset(&adrift), "archived with a live pre-order: {tried:?}");
        for (piece, version, facts) in seen {
            let changed = self.facts(piece) != facts;
            assert!(!changed || self.piece_version(piece) != version, "{tried:?} changed it behind If-Match");
        }
    }

    /// What is known of a piece, its pre-order and how its cover looks, without their versions.
    fn facts(&self, piece: PieceId) -> String {
        let mut known = self.collection().pieces.get(&piece).cloned();
        let mut chapter = self.chapter(piece);
        let mut cover = String::new();
        if let Some(piece) = known.as_mut().map(Arc::make_mut) {
            piece.version = Version::NONE;
            cover = pictures::cover_of(piece);
        }
        if let Some(chapter) = chapter.as_mut() {
            chapter.version = Version::NONE;
        }
        format!("{known:?} {cover} {chapter:?}")
    }

    /// Asks for something that states how it shall be: asking again must change nothing.
    fn state<C: Command>(&mut self, command: &C) -> bool {
        let accepted = self.ask(command).is_some();
        if accepted {
            assert_eq!(self.ask(command), Some(vec![]), "saying the same again is no change");
        }
        accepted
    }

    /// Tries it; gives whether it was accepted.
    fn attempt(&mut self, tried: &Try) -> bool {
        let user_id = ANNA;
        let expected = None;
        let of = |history: &Self, slot: u8| history.slots[usize::from(slot)];
        match tried.clone() {
            Try::Add { slot, figure: f, paid } => {
                let piece_id = self.new_piece(slot);
                let fields = PieceFields { cost: paid.cost(), ..PieceFields::default() };
                self.ask(&AddPiece { user_id, piece_id, figure_id: figure(f), fields }).is_some()
            }
            Try::Place { slot, figure: f, paid, deposit, release } => {
                let (piece_id, preorder_id) = (self.new_piece(slot), PreorderId(self.fresh()));
                let piece = PieceFields { cost: paid.cost(), ..PieceFields::default() };
                let preorder = PreorderFields {
                    deposit: deposit.map(tens),
                    release: release.map(When::release),
                    ..PreorderFields::default()
                };
                let figure_id = figure(f);
                self.ask(&PlacePreorder { user_id, piece_id, preorder_id, figure_id, piece, preorder })
                    .is_some()
            }
            Try::Acquire { slot, figure: f, paid } => {
                let (piece_id, preorder_id) = (self.new_piece(slot), PreorderId(self.fresh()));
                let piece = PieceFields { cost: paid.cost(), ..PieceFields::default() };
                let preorder = PreorderFields::default();
                let figure_id = figure(f);
                let command = AcquireWish {
                    user_id,
                    figure_id,
                    expected: None,
                    piece_id,
                    preorder_id,
                    piece,
                    preorder,
                };
                let Some(events) = self.ask(&command) else { return false };
                let ended = |e: &Event| matches!(e, Event::Collection(CollectionEvent::Unwished { .. }));
                assert!(events.iter().any(ended), "what is acquired is wished no more");
                true
            }
            Try::Wish { figure: f, target } => {
                let target = target.map(|n| Money::new(tens(n), Currency::Eur).unwrap());
                self.state(&SetWish { user_id, figure_id: figure(f), expected: None, target, note: None })
            }
            Try::Unwish { figure: f } => {
                let accepted = self.ask(&Unwish { user_id, figure_id: figure(f), expected: None }).is_some();
                assert_eq!(self.wished_and_owned(self.now_called(figure(f))).0, 0, "no wish is left");
                accepted
            }
            Try::Archive { slot, reason, refund } => {
                let piece_ids = vec![of(self, slot)];
                let refund = refund.map(tens);
                self.ask(&ArchivePieces { user_id, piece_ids, expected, reason, sale: None, refund })
                    .is_some()
            }
            Try::ArchiveTwo { slots } => {
                let piece_ids = vec![of(self, slots.0), of(self, slots.1)];
                let reason = ArchiveReason::Other;
                let archive =
                    ArchivePieces { user_id, piece_ids, expected, reason, sale: None, refund: None };
                self.ask(&archive).is_some()
            }
            Try::Restore { slot } => {
                self.state(&RestorePiece { user_id, piece_id: of(self, slot), expected })
            }
            Try::Delete { slot, refund } => {
                let (piece_ids, refund) = (vec![of(self, slot)], refund.map(tens));
                self.ask(&DeletePieces { user_id, piece_ids, expected, refund }).is_some()
            }
            Try::Cancel { slot, refund, fate } => {
                let piece_id = of(self, slot);
                let paid = self.chapter(piece_id).map(|c| c.paid());
                let refund = refund.map(tens).or(paid).unwrap_or(Amount::ZERO);
                let accepted =
                    self.ask(&CancelPreorder { user_id, piece_id, expected, refund, fate }).is_some();
                if accepted {
                    let kept = self.collection().pieces.get(&piece_id).map(|p| p.archived);
                    let deleted = fate == Some(Fate::Delete);
                    assert_eq!(kept, (!deleted).then_some(Some(ArchiveReason::Cancelled)));
                    assert!(!deleted || paid == Some(refund), "a loss is remembered");
                }
                accepted
            }
            Try::Replace { slot, paid, deposit, release } => {
                let preorder_id = PreorderId(self.fresh());
                let preorder = PreorderFields {
                    deposit: deposit.map(tens),
                    release: release.map(When::release),
                    ..PreorderFields::default()
                };
                let (piece_id, cost) = (of(self, slot), paid.cost());
                let command =
                    ReplacePreorder { user_id, piece_id, expected, preorder_id, cost, store: None, preorder };
                self.ask(&command).is_some()
            }
            Try::RestoreAndReplace { slot, paid, release } => {
                let restored = self.attempt(&Try::Restore { slot });
                self.attempt(&Try::Replace { slot, paid, deposit: None, release }) || restored
            }
            Try::Step { slot, to } => {
                let piece_id = of(self, slot);
                self.state(&StepPreorder { user_id, piece_id, expected, step: Steps::To(to) })
            }
            Try::Ship { slot, days_ago } => {
                let shipped_at = days_ago.map(|n| self.now - chrono::TimeDelta::days(i64::from(n)));
                let step = Steps::Ship {
                    shipped_at,
                    tracking_url: None,
                    estimated_delivery_days: days_ago.map(u16::from),
                };
                self.state(&StepPreorder { user_id, piece_id: of(self, slot), expected, step })
            }
            Try::Receive { slot, condition } => {
                let step = Steps::Receive { received_at: None, condition };
                self.ask(&StepPreorder { user_id, piece_id: of(self, slot), expected, step }).is_some()
            }
            Try::Slip { slot, release } => self.state(&SlipRelease {
                user_id,
                piece_id: of(self, slot),
                expected,
                release: release.release(),
                source: SlipSource::User,
                note: None,
            }),
            Try::Amounts { slot, price, deposit } => self.state(&EditPreorder {
                price: price.map(|n| Some(tens(n))),
                currency: price.map(|_| Some(Currency::Eur)),
                deposit: deposit.map(|d| d.map(tens)),
                ..EditPreorder::of(ANNA, of(self, slot))
            }),
            Try::Balance { slot, paid } => self
                .state(&EditPreorder { balance_paid: Some(paid), ..EditPreorder::of(ANNA, of(self, slot)) }),
            Try::PieceCost { slot, price, fees, yen } => self.state(&EditPiece {
                price: price.map(|p| p.map(tens)),
                fees: fees.map(|f| f.map(tens)),
                currency: yen.map(|yen| Some(currency(yen))),
                ..EditPiece::of(ANNA, of(self, slot))
            }),
            Try::Merge { loser, winner } => {
                let merge = MergeFigures { loser_id: figure(loser), winner_id: figure(winner) };
                let photos = [loser, winner].map(|n| pictures::originals(self, figure(n)));
                let accepted = self.ask(&merge).is_some();
                if accepted {
                    assert_eq!(self.now_called(figure(loser)), self.now_called(figure(winner)));
                    let together: BTreeSet<_> = photos.into_iter().flatten().collect();
                    assert_eq!(pictures::originals(self, figure(winner)), together, "no photo is lost");
                    assert_eq!(self.ask(&merge), None, "two are merged once");
                }
                accepted
            }
            Try::Announce { figure: f, release } => {
                let releases = Some(vec![release.release()]);
                self.state(&EditFigure { releases, ..EditFigure::of(figure(f)) })
            }
            Try::Picture(tried) => self.picture(&tried),
        }
    }
}

proptest! {
    #![proptest_config(crate::cases(192))]

    #[test]
    fn whatever_is_tried_the_rules_hold(tries in histories()) {
        let mut history = History::new();
        for tried in &tries {
            history.go(tried);
        }
        history.streams.check_snapshots();
    }
}

#[test]
fn the_random_histories_reach_every_corner_that_the_rules_speak_of() {
    let mut runner = TestRunner::deterministic();
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for _ in 0..100 {
        let mut history = History::new();
        for tried in &histories().new_tree(&mut runner).unwrap().current() {
            history.go(tried);
        }
        for event_type in history.seen {
            *seen.entry(event_type).or_default() += 1;
        }
    }
    for event_type in [
        "collection.document_added",
        "collection.document_removed",
        "collection.photo_removed",
        "collection.photo_replaced",
        "collection.photo_shared",
        "collection.photos_added",
        "collection.photos_ordered",
        "collection.piece_added",
        "collection.piece_cost_recorded",
        "collection.piece_cover_pinned",
        "collection.piece_restored",
        "collection.pieces_archived",
        "collection.pieces_deleted",
        "collection.pieces_condition_set",
        "collection.scan_frames_replaced",
        "collection.scan_made",
        "collection.scan_removed",
        "collection.scan_shared",
        "collection.unwished",
        "collection.wish_target_set",
        "collection.wished",
        "figure.absorbed",
        "figure.merged_into",
        "figure.photo_removed",
        "figure.photo_replaced",
        "figure.photos_added",
        "figure.photos_ordered",
        "figure.primary_photo_set",
        "preorder.balance_paid",
        "preorder.balance_reopened",
        "preorder.cancelled",
        "preorder.cost_recorded",
        "preorder.placed",
        "preorder.received",
        "preorder.release_date_brought_forward",
        "preorder.release_date_named",
        "preorder.release_date_narrowed",
        "preorder.release_date_slipped",
        "preorder.replaced",
        "preorder.shipped",
        "preorder.status_advanced",
        "preorder.status_corrected",
    ] {
        let histories = seen.get(event_type).copied().unwrap_or(0);
        assert!(histories >= 3, "{histories} of 100 random histories came to {event_type}");
    }
}
