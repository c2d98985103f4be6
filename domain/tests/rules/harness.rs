//! given (what happened) · when (somebody asks) · then (this happens, or this refusal).

use crate::runner::{self, Streams};
use chrono::{DateTime, NaiveDate, Utc};
use domain::claim::{ClaimCode, ClaimEvent, Holder};
use domain::collection::{Collection, CollectionEvent, Cost, Origin};
use domain::commands::{PieceFields, PieceVersion};
use domain::dates::{Precision, ReleaseDate};
use domain::entity::{Entity, EntityEvent, EntityKind};
use domain::figure::{Details, Entry, Figure, FigureEvent};
use domain::gtin::Gtin;
use domain::ids::{CabinetId, CommandId, EntityId, FigureId, PieceId, PreorderId, UserId};
use domain::money::rates::Rates;
use domain::money::{Amount, Currency, FxRate, Money};
use domain::picture::{BlobKey, BlurHash, ImageType, Picture};
use domain::preorder::{Chapter, Placed, Preorder, PreorderEvent, Status};
use domain::refusal::{Code, Refusal};
use domain::slug::{figure_slug, slugify};
use domain::stream::{Event, StreamId, Version};
use domain::text::{Line, Location, Name, Note};
use domain::world::{Circumstances, Command, Decided, State, World};
use std::fmt::Debug;
use std::sync::Arc;
use uuid::Uuid;

// The people and things that the scenarios speak of.
pub const ANNA: UserId = UserId(Uuid::from_u128(0xa1));
pub const BEN: UserId = UserId(Uuid::from_u128(0xa2));
pub const LANTERN: FigureId = FigureId(Uuid::from_u128(0xf1));
pub const TEAPOT: FigureId = FigureId(Uuid::from_u128(0xf2));
pub const COMET: FigureId = FigureId(Uuid::from_u128(0xf3));
pub const NOWHERE: FigureId = FigureId(Uuid::from_u128(0xff));
pub const P1: PieceId = PieceId(Uuid::from_u128(0xb1));
pub const P2: PieceId = PieceId(Uuid::from_u128(0xb2));
pub const P3: PieceId = PieceId(Uuid::from_u128(0xb3));
pub const O1: PreorderId = PreorderId(Uuid::from_u128(0xc1));
pub const O2: PreorderId = PreorderId(Uuid::from_u128(0xc2));
pub const C1: CabinetId = CabinetId(Uuid::from_u128(0xd1));
pub const C2: CabinetId = CabinetId(Uuid::from_u128(0xd2));
pub const SHOP: EntityId = EntityId(Uuid::from_u128(0xe1));
pub const MAKER: EntityId = EntityId(Uuid::from_u128(0xe2));
pub const OTHER_MAKER: EntityId = EntityId(Uuid::from_u128(0xe3));

/// Something that happened on a stream.
pub type Fact = (StreamId, Event);

pub fn moment(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}
/// The time at which every scenario plays unless it says otherwise.
pub fn now() -> DateTime<Utc> {
    moment("2027-03-10T12:00:00Z")
}
pub fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}
pub fn on_day(text: &str) -> ReleaseDate {
    ReleaseDate::new(day(text), Precision::Day).unwrap()
}
pub fn in_month(text: &str) -> ReleaseDate {
    ReleaseDate::new(day(&format!("{text}-01")), Precision::Month).unwrap()
}
pub fn in_year(year: u16) -> ReleaseDate {
    ReleaseDate::new(day(&format!("{year}-01-01")), Precision::Year).unwrap()
}
pub fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}
pub fn eur(text: &str) -> Money {
    Money::new(amount(text), Currency::Eur).unwrap()
}
pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}
pub fn note(text: &str) -> Note {
    Note::new(text).unwrap()
}
pub fn place(text: &str) -> Location {
    Location::new(text).unwrap()
}
pub fn line<const MAX: usize>(text: &str) -> Line<MAX> {
    Line::new(text).unwrap()
}
pub fn gtin(text: &str) -> Gtin {
    Gtin::new(text).unwrap()
}
/// A price in euro and nothing else.
pub fn price(text: &str) -> Cost {
    Cost { price: Some(amount(text)), currency: Some(Currency::Eur), ..Cost::default() }
}
/// The same with the rate that is frozen for it.
pub fn frozen(text: &str) -> Cost {
    cost(text, "", "", Currency::Eur, "1")
}
/// Price, shipping and fees in a currency, with a frozen rate.
pub fn cost(price: &str, shipping: &str, fees: &str, currency: Currency, rate: &str) -> Cost {
    let part = |text: &str| (!text.is_empty()).then(|| amount(text));
    let fx_rate = (!rate.is_empty()).then(|| FxRate::new(rate.parse().unwrap()).unwrap());
    Cost { price: part(price), shipping: part(shipping), fees: part(fees), currency: Some(currency), fx_rate }
}

pub fn collection_of(user: UserId, event: CollectionEvent) -> Fact {
    (StreamId::Collection(user), Event::Collection(event))
}
/// On Anna's collection.
pub fn coll(event: CollectionEvent) -> Fact {
    collection_of(ANNA, event)
}
pub fn pre(piece: PieceId, event: PreorderEvent) -> Fact {
    (StreamId::Preorder(piece), Event::Preorder(event))
}
pub fn fig(figure: FigureId, event: FigureEvent) -> Fact {
    (StreamId::Figure(figure), Event::Figure(event))
}
pub fn ent(entity: EntityId, event: EntityEvent) -> Fact {
    (StreamId::Entity(entity), Event::Entity(event))
}
pub fn claimed(code: &ClaimCode, holder: Holder) -> Fact {
    (StreamId::Claim(code.clone()), Event::Claim(ClaimEvent::Claimed { code: code.clone(), holder }))
}
pub fn released(code: &ClaimCode, holder: Holder) -> Fact {
    (StreamId::Claim(code.clone()), Event::Claim(ClaimEvent::Released { holder }))
}
pub fn slug(kind: EntityKind, name: &str) -> ClaimCode {
    ClaimCode::slug(kind, &slugify(name).unwrap())
}

/// What a figure of a name is when nothing else is known of it.
pub fn entry(id: FigureId, called: &str) -> Entry {
    Entry {
        figure_id: id,
        slug: figure_slug(called, id.uuid()),
        name: name(called),
        figure_type: line("scale"),
        manufacturer_id: None,
        sculptor_id: None,
        series_ids: vec![],
        character_ids: vec![],
        details: Details::default(),
        releases: vec![],
        msrp: None,
        jan: None,
        mfc_id: None,
        is_nsfw: false,
        buy_links: vec![],
        created_by: Some(ANNA),
        source: None,
    }
}
/// A figure that Anna catalogued, with more said of it; its barcode and number are claimed.
pub fn figure_with(id: FigureId, with: impl FnOnce(&mut Entry)) -> Vec<Fact> {
    let mut entry = entry(id, "Lantern Girl");
    with(&mut entry);
    let codes = [entry.jan.as_ref().map(ClaimCode::gtin), entry.mfc_id.map(ClaimCode::mfc)];
    let mut facts: Vec<Fact> =
        codes.into_iter().flatten().map(|code| claimed(&code, Holder::Figure(id))).collect();
    facts.push(fig(id, FigureEvent::Catalogued(Box::new(entry))));
    facts
}
pub fn figure(id: FigureId) -> Vec<Fact> {
    figure_with(id, |_| ())
}
/// The first continues as the second, which now answers to `aliases` too.
pub fn merged(loser: FigureId, winner: FigureId, aliases: &[FigureId]) -> Vec<Fact> {
    vec![
        fig(loser, FigureEvent::MergedInto { winner_id: winner }),
        fig(winner, FigureEvent::Absorbed { loser_id: loser, aliases: aliases.to_vec() }),
    ]
}
/// An entity that Anna typed first.
pub fn entity(id: EntityId, kind: EntityKind, called: &str) -> Vec<Fact> {
    let slug = slugify(called).unwrap();
    let code = ClaimCode::slug(kind, &slug);
    let named = EntityEvent::Named { entity_id: id, kind, name: name(called), slug, created_by: Some(ANNA) };
    vec![ent(id, named), claimed(&code, Holder::Entity(id))]
}

/// The event of a piece that enters a collection.
pub fn added(
    piece_id: PieceId,
    figure_id: FigureId,
    preordered: bool,
    store_id: Option<EntityId>,
    fields: PieceFields,
) -> CollectionEvent {
    CollectionEvent::PieceAdded {
        piece_id,
        figure_id,
        preordered,
        condition: fields.condition,
        cost: fields.cost,
        purchase_date: fields.purchase_date,
        store_id,
        location: fields.location,
        notes: fields.notes,
        origin: fields.origin.unwrap_or(Origin::Purchased),
        origin_from: fields.origin_from,
        value: fields.value,
        source: fields.source,
    }
}
/// A piece in Anna's collection, with more said of it.
pub fn piece_with(piece: PieceId, figure: FigureId, fields: PieceFields) -> Vec<Fact> {
    vec![coll(added(piece, figure, false, None, fields))]
}
pub fn piece(piece: PieceId, figure: FigureId) -> Vec<Fact> {
    piece_with(piece, figure, PieceFields::default())
}
/// A pre-order as it is when nothing is known of it.
pub fn placing(piece: PieceId, order: PreorderId, figure: FigureId) -> Placed {
    Placed {
        preorder_id: order,
        user_id: ANNA,
        piece_id: piece,
        figure_id: figure,
        status: Status::Preordered,
        release: None,
        cost: Cost::default(),
        deposit: None,
        store_id: None,
        tracking_url: None,
        estimated_delivery_days: None,
    }
}
/// Anna's pre-order `O1` of `P1`, the lantern, with more said of it, and its piece.
pub fn preorder_with(with: impl FnOnce(&mut Placed)) -> Vec<Fact> {
    let mut placed = placing(P1, O1, LANTERN);
    with(&mut placed);
    let fields = PieceFields { cost: placed.cost, ..PieceFields::default() };
    let mut facts = figure(LANTERN);
    facts.push(coll(added(P1, LANTERN, true, placed.store_id, fields)));
    facts.push(pre(P1, PreorderEvent::Placed(placed)));
    facts
}
pub fn preorder() -> Vec<Fact> {
    preorder_with(|_| ())
}
/// A wish of Anna's.
pub fn wish(figure: FigureId) -> Vec<Fact> {
    vec![coll(CollectionEvent::Wished { figure_id: figure, target: None, note: None })]
}
/// A picture; another text is another picture.
pub fn picture(of: &str) -> Picture {
    let key = |size: &str| {
        let mut digest = [0; 32];
        for (to, from) in digest.iter_mut().zip(format!("{size}{of}").bytes()) {
            *to = from;
        }
        BlobKey::of_digest(digest)
    };
    Picture {
        original: key("o"),
        media_type: ImageType::Jpeg,
        bytes: 1_000,
        width: 400,
        height: 300,
        small: key("s"),
        large: key("l"),
        blurhash: BlurHash::new("LEHV6nWB2yk8pyo0adR*.7kCMdnj").unwrap(),
    }
}
pub fn cabinet(id: CabinetId, called: &str) -> Vec<Fact> {
    vec![coll(CollectionEvent::CabinetCreated { cabinet_id: id, name: place(called) })]
}

/// What happened so far, and who is about to ask.
#[derive(Clone)]
pub struct Given {
    streams: Streams,
    circumstances: Circumstances,
    commands: u128,
}

/// Given that these things happened, Anna asks.
pub fn given<const N: usize>(facts: [Vec<Fact>; N]) -> Given {
    let mut streams = Streams::default();
    for (stream, event) in facts.into_iter().flatten() {
        streams.fold(&stream, &event);
    }
    let command_id = CommandId(Uuid::from_u128(0x100));
    let circumstances = Circumstances { actor: Some(ANNA), is_admin: false, now: now(), command_id };
    Given { streams, circumstances, commands: 0x100 }
}

impl Given {
    pub fn by(mut self, user: UserId) -> Self {
        self.circumstances.actor = Some(user);
        self.circumstances.is_admin = false;
        self
    }
    /// Not even the creator of everything there is, unless an admin.
    pub fn by_anyone(self) -> Self {
        self.by(ANNA)
    }
    pub fn by_admin(mut self) -> Self {
        self.circumstances.actor = Some(BEN);
        self.circumstances.is_admin = true;
        self
    }
    pub fn by_operator(mut self) -> Self {
        self.circumstances.actor = None;
        self
    }

    /// With these rates in hand.
    pub fn knowing(mut self, rates: Rates) -> Self {
        self.streams.set_rates(rates);
        self
    }

    /// And these things happened.
    pub fn and(mut self, facts: Vec<Fact>) -> Self {
        for (stream, event) in facts {
            self.streams.fold(&stream, &event);
        }
        self
    }

    /// And this was asked for, and came true.
    pub fn done(self, command: impl Command) -> Self {
        self.when(command).done()
    }

    pub fn when<C: Command>(&self, command: C) -> When<C::Answer> {
        let outcome = runner::decide(&self.streams, self.circumstances, &command);
        When { given: self.clone(), outcome }
    }

    /// The id that the next command gives to the n-th thing it makes.
    pub fn new_id(&self, n: usize) -> Uuid {
        let mut world = World::new(self.circumstances, std::collections::HashMap::new());
        (0..n).map(|_| world.new_id()).last().unwrap()
    }

    pub fn collection(&self) -> Arc<Collection> {
        match self.streams.get(&StreamId::Collection(ANNA)).0 {
            State::Collection(state) => state,
            _ => unreachable!(),
        }
    }
    pub fn preorder(&self, piece: PieceId) -> Arc<Preorder> {
        match self.streams.get(&StreamId::Preorder(piece)).0 {
            State::Preorder(state) => state,
            _ => unreachable!(),
        }
    }
    pub fn chapter(&self, piece: PieceId) -> Chapter {
        self.preorder(piece).chapter.clone().unwrap()
    }
    pub fn figure(&self, figure: FigureId) -> Arc<Figure> {
        match self.streams.get(&StreamId::Figure(figure)).0 {
            State::Figure(state) => state,
            _ => unreachable!(),
        }
    }
    pub fn entity(&self, entity: EntityId) -> Arc<Entity> {
        match self.streams.get(&StreamId::Entity(entity)).0 {
            State::Entity(state) => state,
            _ => unreachable!(),
        }
    }
    pub fn holder(&self, code: &ClaimCode) -> Option<Holder> {
        match self.streams.get(&StreamId::Claim(code.clone())).0 {
            State::Claim(state) => state.holder,
            _ => unreachable!(),
        }
    }
    pub fn piece_version(&self, piece: PieceId) -> PieceVersion {
        PieceVersion {
            piece: self.collection().pieces[&piece].version,
            preorder: self.preorder(piece).chapter.as_ref().map_or(Version::NONE, |c| c.version),
        }
    }
}

/// What became of it.
pub struct When<A> {
    given: Given,
    outcome: runner::Outcome<A>,
}

impl<A: Debug> Debug for When<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.outcome.fmt(f)
    }
}

impl<A> When<A> {
    /// It was accepted, whatever the events.
    pub fn done(self) -> Given {
        self.answered().1
    }

    pub fn answered(self) -> (A, Given) {
        let (answer, decided) = match self.outcome {
            Ok(done) => done,
            Err(refusal) => panic!("refused: {:?} {refusal}", refusal.code),
        };
        let mut given = self.given;
        for staged in &decided.staged {
            given.streams.fold(&staged.stream, &staged.event);
        }
        given.streams.check_snapshots();
        given.commands += 1;
        given.circumstances.command_id = CommandId(Uuid::from_u128(given.commands));
        (answer, given)
    }

    /// The answer, where nothing happened.
    pub fn unchanged(self) -> A {
        match &self.outcome {
            Ok((_, decided)) => assert!(decided.staged.is_empty(), "{} events", decided.staged.len()),
            Err(refusal) => panic!("refused: {:?} {refusal}", refusal.code),
        }
        self.answered().0
    }

    /// Exactly these things happen, in this order; gives the world after them.
    pub fn then<const N: usize>(self, expected: [Fact; N]) -> Given {
        let staged: Vec<Fact> = match &self.outcome {
            Ok((_, Decided { staged, .. })) => {
                staged.iter().map(|s| (s.stream.clone(), s.event.clone())).collect()
            }
            Err(refusal) => panic!("refused: {:?} {refusal}", refusal.code),
        };
        assert_eq!(staged, expected.to_vec());
        self.done()
    }

    /// It is accepted, and nothing happens.
    pub fn then_nothing(self) -> Given {
        self.then([])
    }

    /// It is turned down.
    pub fn refused(self, code: Code, field: Option<&str>) -> Refusal {
        match self.outcome {
            Ok(_) => panic!("accepted, where {code:?} was expected"),
            Err(refusal) => {
                assert_eq!((refusal.code, refusal.field.as_deref()), (code, field), "{refusal}");
                refusal
            }
        }
    }

    /// A row of a table of refusals.
    pub fn refuses(self, code: Code, field: impl Into<Option<&'static str>>, when: &'static str) -> Case {
        Case { when, outcome: self.outcome.map(|_| ()), code, field: field.into() }
    }
}

/// One refusal of one command.
pub struct Case {
    when: &'static str,
    outcome: Result<(), Refusal>,
    code: Code,
    field: Option<&'static str>,
}

impl Case {
    /// The code that really came.
    pub fn produced(&self) -> Option<Code> {
        self.outcome.as_ref().err().map(|r| r.code)
    }
}

/// Every row must have been refused as it says.
pub fn check(cases: &[Case]) {
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let expected = (Some(case.code), case.field);
            let came = (case.produced(), case.outcome.as_ref().err().and_then(|r| r.field.as_deref()));
            (came != expected).then(|| format!("{}: expected {expected:?}, got {came:?}", case.when))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
