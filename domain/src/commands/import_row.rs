//! One row of somebody's own list, brought in from elsewhere: a piece, a pre-order or a wish.
//!
//! Bringing the same list in again never doubles anything: ids derive from the user, the row's source and
//! the copy, and what the owner did in the meantime wins over what the list says.

use super::catalogue_figure::CatalogueFigure;
use super::finding::{LiveFigure, code_holder, live_figure};
use super::pieces::{PieceFields, add};
use super::place_preorder::{PreorderFields, place};
use crate::claim::{ClaimCode, ClaimCommand, Holder};
use crate::collection::{Collection, CollectionCommand, Piece, UnwishReason, words};
use crate::dates::ReleaseDate;
use crate::figure::Figure;
use crate::gtin::Gtin;
use crate::ids::{FigureId, PieceId, PreorderId, UserId};
use crate::preorder::{PreorderCommand, Status};
use crate::refusal::{Code, Refusal};
use crate::stream::StreamId;
use crate::text::{HttpUrl, Line, Note};
use crate::world::{Command, Stop, World};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The most copies that one row may name.
pub const MOST_COPIES: u16 = 500;

/// Under which the ids of imported pieces are derived. Changing it would double everybody's next import.
const NAMESPACE: Uuid = Uuid::from_u128(0x8c1f_6a52_40de_5b0b_9a6e_2f7d_c3b1_4e90);

words! {
    /// What a row says of its figure.
    RowStatus {
        /// It is there.
        Owned = "owned",
        /// It is on order.
        Ordered = "ordered",
        /// It is wanted.
        Wished = "wished",
    }
}

words! {
    /// What became of a row.
    RowFate {
        /// Its copies were added.
        Added = "added",
        /// Some of its copies were there; the others were added.
        CopiesAdded = "copies_added",
        /// Its copies were placed as pre-orders.
        Preordered = "preordered",
        /// Its wish became a pre-order.
        Ordered = "ordered",
        /// Its pre-order was received.
        Received = "received",
        /// Its pre-order was shipped.
        Shipped = "shipped",
        /// It was wished.
        Wished = "wished",
        /// Everything it says is known.
        Unchanged = "unchanged",
        /// Its owner deleted it here, and it stays so.
        DeletedByOwner = "deleted_by_owner",
    }
}

words! {
    /// How a row's figure was found.
    FigureFound {
        /// An earlier import of the same row knew it.
        Before = "before",
        /// By its barcode.
        Jan = "jan",
        /// By its MyFigureCollection id.
        MfcId = "mfc_id",
        /// By its name.
        Name = "name",
        /// By a name that is nearly the same.
        Likeness = "likeness",
        /// Not at all: it was added to the catalogue.
        Created = "created",
        /// Several could be meant, so it was added to the catalogue.
        AmbiguousCreated = "ambiguous_created",
    }
}

words! {
    /// What its owner should know of a row besides its fate.
    Remark {
        /// It was on the wishlist and is not any more.
        WishEnded = "wish_ended",
        /// A piece of it is archived, and stays so.
        Archived = "archived",
        /// The list says ordered or wished, but it is owned here already.
        OwnedHere = "owned_here",
        /// Its pre-order was cancelled here, and stays so.
        CancelledHere = "cancelled_here",
        /// The list names fewer copies than are here; none was deleted.
        FewerCopies = "fewer_copies",
        /// Copies that its owner deleted here were left out.
        SomeDeleted = "some_deleted",
        /// The list marks it as adult, the catalogue does not.
        NsfwDiffers = "nsfw_differs",
    }
}

/// Bring in one row.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportRow {
    /// Whose collection.
    pub user_id: UserId,
    /// What the row is for good, whatever else in it changes: `mfc:12345`.
    pub source: Line<100>,
    /// What an export with fewer columns may have called it.
    pub also: Vec<Line<100>>,
    /// What it says.
    pub status: RowStatus,
    /// How many copies, 1 to [`MOST_COPIES`]. A wish is one whatever this says.
    pub copies: u16,
    /// The figure that the read models suggest by its name. It is not taken when a code contradicts it.
    pub likely: Option<(FigureId, FigureFound)>,
    /// Whether several figures of the catalogue could be meant.
    pub ambiguous: bool,
    /// What to catalogue when the figure is unknown. Its codes are what it is looked for by first.
    pub figure: CatalogueFigure,
    /// Whether the row names its figure; an unknown one without a name cannot be catalogued.
    pub named: bool,
    /// What is known of each copy; `source` is filled in here.
    pub piece: PieceFields,
    /// The release date that a pre-order begins with.
    pub release: Option<ReleaseDate>,
    /// The day an order was paid.
    pub paid_on: Option<NaiveDate>,
    /// The day an order was shipped.
    pub shipped_on: Option<NaiveDate>,
    /// The day it arrived.
    pub received_on: Option<NaiveDate>,
    /// Where to follow the parcel.
    pub tracking_url: Option<HttpUrl>,
    /// The note of a wish.
    pub wish_note: Option<Note>,
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowImported {
    /// In a word.
    pub fate: RowFate,
    /// How its figure was found; absent when nothing had to be found.
    pub found: Option<FigureFound>,
    /// The figure; absent when all its copies were deleted by their owner.
    pub figure_id: Option<FigureId>,
    /// Its pieces, by copy; deleted ones are left out.
    pub piece_ids: Vec<PieceId>,
    /// How many copies are new.
    pub new_copies: u16,
    /// What else there is to say.
    pub remarks: Vec<Remark>,
}

/// The id of a row's copy; the first is 1.
pub fn imported_piece_id(user: UserId, source: &Line<100>, copy: u16) -> PieceId {
    PieceId(Uuid::new_v5(&NAMESPACE, format!("piece\0{user}\0{source}\0{copy}").as_bytes()))
}

/// The claim that remembers which figure a row's wish is for. It is a hash, so that it tells nobody whose.
pub(super) fn wish_code(user: UserId, source: &Line<100>) -> ClaimCode {
    let hash = Uuid::new_v5(&NAMESPACE, format!("wish\0{user}\0{source}").as_bytes());
    ClaimCode::import("wish", &hash.to_string())
}

fn start_of(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

/// What happened to the copies of a row so far.
#[derive(Default)]
struct Tally {
    pieces: Vec<PieceId>,
    kept: u16,
    new: u16,
    received: u16,
    shipped: u16,
    deleted: u16,
    remarks: Vec<Remark>,
}

impl Tally {
    fn remark(&mut self, remark: Remark) {
        if !self.remarks.contains(&remark) {
            self.remarks.push(remark);
        }
    }
}

impl Command for ImportRow {
    type Answer = RowImported;
    const NAME: &'static str = "import_row";

    fn decide(&self, world: &mut World) -> Result<RowImported, Stop> {
        if self.copies == 0 || self.copies > MOST_COPIES {
            return Err(Refusal::new(Code::TooMany, "a row names between 1 and 500 copies")
                .on("count")
                .into());
        }
        match self.status {
            RowStatus::Wished => self.wish(world),
            RowStatus::Owned | RowStatus::Ordered => self.pieces(world),
        }
    }
}

impl ImportRow {
    /// The streams it will ask for in any case, to be loaded together.
    pub fn streams(&self) -> Vec<StreamId> {
        let wish = StreamId::Claim(wish_code(self.user_id, &self.source));
        let mut streams = vec![StreamId::Collection(self.user_id), wish];
        if self.status == RowStatus::Ordered {
            streams.extend(
                (1..=self.copies.min(MOST_COPIES)).map(|n| StreamId::Preorder(self.copy(&self.source, n))),
            );
        }
        if let Some((id, _)) = self.likely {
            streams.push(StreamId::Figure(id));
        }
        streams.extend(self.figure.streams());
        streams
    }

    fn copy(&self, source: &Line<100>, number: u16) -> PieceId {
        imported_piece_id(self.user_id, source, number)
    }

    /// What an earlier import called the row: its columns are the collector's choice, so the id or the barcode
    /// may have been there then or may be missing now. The row's own name when no other brought its copies.
    fn known_as(&self, world: &mut World, collection: &Collection) -> Result<Line<100>, Stop> {
        let known = |source: &Line<100>| {
            let first = self.copy(source, 1);
            collection.pieces.contains_key(&first) || collection.deleted_imports.contains(&first)
        };
        if known(&self.source) {
            return Ok(self.source.clone());
        }
        if let Some(other) = self.also.iter().find(|source| known(source)) {
            return Ok(other.clone());
        }
        let figure = if self.figure.mfc_id.is_none() { self.known_figure(world)? } else { None };
        let by_id = figure
            .and_then(|(found, _)| found.figure.mfc_id)
            .and_then(|id| Line::new(&format!("mfc:{id}")).ok())
            .filter(known);
        Ok(by_id.unwrap_or_else(|| self.source.clone()))
    }

    /// The pieces of this row that are in the collection.
    fn present<'a>(&self, source: &Line<100>, collection: &'a Collection) -> Option<&'a Piece> {
        (1..=self.copies).find_map(|n| collection.piece(self.copy(source, n)).ok())
    }

    fn pieces(&self, world: &mut World) -> Result<RowImported, Stop> {
        let collection = world.collection(self.user_id)?;
        let source = self.known_as(world, &collection)?;
        let mut tally = Tally::default();
        let mut missing = Vec::new();
        for number in 1..=self.copies {
            let id = self.copy(&source, number);
            if let Some(piece) = collection.pieces.get(&id) {
                tally.pieces.push(id);
                self.carry_on(world, id, piece, &mut tally)?;
            } else if collection.deleted_imports.contains(&id) {
                tally.deleted += 1;
            } else {
                missing.push(number);
            }
        }
        if self.copies < MOST_COPIES && collection.pieces.contains_key(&self.copy(&source, self.copies + 1)) {
            tally.remark(Remark::FewerCopies);
        }
        let before = self.present(&source, &collection).map(|p| p.figure_id);
        let (mut found, mut figure_id, mut wished) = (None, before, false);
        if !missing.is_empty() {
            let (figure, how) = match before {
                Some(id) => (live_figure(world, id)?, FigureFound::Before),
                None => self.find(world)?,
            };
            wished = figure.same().iter().any(|f| collection.wishes.contains_key(f));
            self.differs(&figure.figure, how, &mut tally);
            for number in missing {
                self.add_copy(world, &figure, &source, number)?;
                tally.pieces.push(self.copy(&source, number));
                tally.new += 1;
            }
            (found, figure_id) = (Some(how), Some(figure.id));
        }
        let anew = match self.status {
            _ if tally.kept > 0 || tally.deleted > 0 => RowFate::CopiesAdded,
            RowStatus::Ordered if wished => RowFate::Ordered,
            RowStatus::Ordered => RowFate::Preordered,
            _ => RowFate::Added,
        };
        let fate = match &tally {
            t if t.received > 0 => RowFate::Received,
            t if t.new > 0 => anew,
            t if t.shipped > 0 => RowFate::Shipped,
            t if t.pieces.is_empty() => RowFate::DeletedByOwner,
            _ => RowFate::Unchanged,
        };
        if wished && fate != RowFate::Ordered {
            tally.remark(Remark::WishEnded);
        }
        if tally.deleted > 0 && fate != RowFate::DeletedByOwner {
            tally.remark(Remark::SomeDeleted);
        }
        Ok(RowImported {
            fate,
            found,
            figure_id,
            piece_ids: tally.pieces,
            new_copies: tally.new,
            remarks: tally.remarks,
        })
    }

    /// Takes a copy that is here already to where the row says it is, if that is further on.
    fn carry_on(&self, world: &mut World, id: PieceId, piece: &Piece, tally: &mut Tally) -> Result<(), Stop> {
        tally.kept += 1;
        if piece.archived.is_some() {
            tally.remark(Remark::Archived);
            return Ok(());
        }
        let chapter = if piece.preordered { world.preorder(id)?.chapter.clone() } else { None };
        let now = world.now();
        match (self.status, chapter) {
            (RowStatus::Owned, Some(chapter)) if chapter.status.is_live() => {
                let earliest = chapter.shipped_at.map(|s| s.date_naive());
                let received_at = self
                    .received_on
                    .filter(|day| *day <= now.date_naive() && earliest.is_none_or(|e| e <= *day))
                    .map(start_of)
                    .or_else(|| chapter.shipped_at.filter(|s| s.date_naive() > now.date_naive()));
                let receive = PreorderCommand::Receive { received_at, now, condition: None };
                world.tell_preorder(self.user_id, id, receive)?;
                tally.received += 1;
            }
            (RowStatus::Ordered, Some(chapter)) if chapter.status.is_live() => {
                if chapter.status < Status::Shipped && self.ship(world, id)? {
                    tally.shipped += 1;
                }
            }
            (_, Some(chapter)) if chapter.status == Status::Cancelled => tally.remark(Remark::CancelledHere),
            (RowStatus::Owned, _) => {}
            (RowStatus::Ordered | RowStatus::Wished, _) => tally.remark(Remark::OwnedHere),
        }
        Ok(())
    }

    /// Ships an order whose shipping day is known and not still to come.
    fn ship(&self, world: &mut World, id: PieceId) -> Result<bool, Stop> {
        let now = world.now();
        let Some(day) = self.shipped_on.filter(|day| *day <= now.date_naive()) else { return Ok(false) };
        let ship = PreorderCommand::Ship {
            shipped_at: Some(start_of(day)),
            now,
            tracking_url: self.tracking_url.clone(),
            estimated_delivery_days: None,
        };
        world.tell_preorder(self.user_id, id, ship)?;
        Ok(true)
    }

    fn add_copy(
        &self,
        world: &mut World,
        figure: &LiveFigure,
        source: &Line<100>,
        number: u16,
    ) -> Result<(), Stop> {
        let (user, id) = (self.user_id, self.copy(source, number));
        let piece =
            PieceFields { source: Line::new(&format!("{source}#{number}")).ok(), ..self.piece.clone() };
        if self.status == RowStatus::Owned {
            add(world, user, id, figure.id, &piece, false, UnwishReason::Acquired)?;
            return Ok(());
        }
        let preorder_id = PreorderId(Uuid::new_v5(&id.uuid(), b"preorder"));
        let fields = PreorderFields {
            release: self.release,
            tracking_url: self.tracking_url.clone(),
            ..PreorderFields::default()
        };
        place(world, user, (id, preorder_id), figure.id, &piece, &fields, UnwishReason::Acquired)?;
        let paid = self.paid_on.filter(|day| *day <= world.now().date_naive());
        if let (Some(day), Some(_)) = (paid, piece.cost.price) {
            world.tell_preorder(user, id, PreorderCommand::SetBalance { paid: true, now: start_of(day) })?;
        }
        self.ship(world, id).map(drop)
    }

    fn wish(&self, world: &mut World) -> Result<RowImported, Stop> {
        let user = self.user_id;
        let collection = world.collection(user)?;
        let mut outcome = RowImported {
            fate: RowFate::Unchanged,
            found: None,
            figure_id: None,
            piece_ids: Vec::new(),
            new_copies: 0,
            remarks: Vec::new(),
        };
        if let Some(piece) = self.present(&self.source, &collection).filter(|p| p.archived.is_none()) {
            outcome.figure_id = Some(piece.figure_id);
            outcome.piece_ids = (1..=self.copies)
                .map(|n| self.copy(&self.source, n))
                .filter(|id| collection.pieces.contains_key(id))
                .collect();
            outcome.remarks.push(Remark::OwnedHere);
            return Ok(outcome);
        }
        let code = wish_code(user, &self.source);
        let wished_before = world.claim(code.clone())?.holder.is_some();
        let (figure, how) = self.find(world)?;
        let same_figure = figure.same();
        outcome.figure_id = Some(figure.id);
        outcome.found = Some(how);
        if same_figure.iter().any(|f| collection.wishes.contains_key(f)) {
            return Ok(outcome);
        }
        if collection.owns_any(&same_figure) {
            outcome.remarks.push(Remark::OwnedHere);
            return Ok(outcome);
        }
        if wished_before {
            outcome.fate = RowFate::DeletedByOwner;
            return Ok(outcome);
        }
        let mut tally = Tally::default();
        self.differs(&figure.figure, how, &mut tally);
        outcome.remarks = tally.remarks;
        outcome.fate = RowFate::Wished;
        let note = self.wish_note.clone();
        let wish = CollectionCommand::Wish { figure_id: figure.id, same_figure, target: None, note };
        world.tell_collection(user, wish)?;
        world.tell_claim(
            &code,
            ClaimCommand::Take { code: code.clone(), holder: Holder::Figure(figure.id) },
        )?;
        Ok(outcome)
    }

    fn differs(&self, figure: &Figure, how: FigureFound, tally: &mut Tally) {
        let new = matches!(how, FigureFound::Created | FigureFound::AmbiguousCreated);
        if self.figure.is_nsfw && !figure.is_nsfw && !new {
            tally.remark(Remark::NsfwDiffers);
        }
    }

    /// The row's figure: what an earlier import took it for, who holds its codes, whose name it has.
    fn known_figure(&self, world: &mut World) -> Result<Option<(LiveFigure, FigureFound)>, Stop> {
        let wanted = &self.figure;
        let codes = [
            (Some(wish_code(self.user_id, &self.source)), FigureFound::Before),
            (wanted.jan.as_ref().map(ClaimCode::gtin), FigureFound::Jan),
            (wanted.mfc_id.map(ClaimCode::mfc), FigureFound::MfcId),
            (
                wanted.imported_as.as_ref().map(|(l, n)| ClaimCode::import(l.as_str(), n.as_str())),
                FigureFound::Before,
            ),
        ];
        for (code, how) in codes {
            let Some(code) = code else { continue };
            if let Some(id) = code_holder(world, &code)? {
                return Ok(Some((live_figure(world, id)?, how)));
            }
        }
        if let Some((id, how)) = self.likely {
            let figure = live_figure(world, id)?;
            if !contradicts(&self.figure, &figure.figure) {
                return Ok(Some((figure, how)));
            }
        }
        Ok(None)
    }

    /// The row's figure, a new one when it is unknown.
    fn find(&self, world: &mut World) -> Result<(LiveFigure, FigureFound), Stop> {
        if let Some(known) = self.known_figure(world)? {
            return Ok(known);
        }
        if !self.named {
            return Err(Refusal::new(
                Code::FigureNotFound,
                "no figure of the catalogue has its code, and without a title none can be added",
            )
            .into());
        }
        let made = self.figure.decide(world)?;
        let how = if self.ambiguous { FigureFound::AmbiguousCreated } else { FigureFound::Created };
        Ok((live_figure(world, made.figure_id)?, how))
    }
}

/// Whether a figure has another code of a kind that the wanted one has too: then it is another figure.
pub(super) fn contradicts(wanted: &CatalogueFigure, figure: &Figure) -> bool {
    let jans = (wanted.jan.as_ref().map(Gtin::normalised), figure.jan.as_ref().map(Gtin::normalised));
    let differ = |(a, b): (Option<String>, Option<String>)| a.is_some() && b.is_some() && a != b;
    let other_mfc = matches!((wanted.mfc_id, figure.mfc_id), (Some(a), Some(b)) if a != b);
    differ(jans) || other_mfc
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collection::Cost;
    use crate::commands::{CancelPreorder, DeletePieces, EditFigure, RestorePiece, Unwish};
    use crate::figure::Details;
    use crate::ids::CommandId;
    use crate::money::{Amount, Currency};
    use crate::stream::{Event, Version};
    use crate::world::{Circumstances, State};
    use std::collections::HashMap;

    /// Streams in memory: decides, appends, counts.
    struct Bench {
        states: HashMap<StreamId, (State, Version)>,
        runs: u128,
        events: Vec<Event>,
    }

    const USER: UserId = UserId(Uuid::from_u128(7));

    impl Bench {
        fn new() -> Self {
            Self { states: HashMap::new(), runs: 0, events: Vec::new() }
        }

        fn run<C: Command>(&mut self, command: &C) -> Result<C::Answer, Refusal> {
            self.runs += 1;
            let circumstances = Circumstances {
                actor: Some(USER),
                is_admin: true,
                now: "2026-06-15T12:00:00Z".parse().unwrap(),
                command_id: CommandId(Uuid::from_u128(self.runs)),
            };
            loop {
                let mut world = World::new(circumstances, self.states.clone());
                match command.decide(&mut world) {
                    Err(Stop::Load(stream)) => {
                        let empty = (State::empty(&stream), Version::NONE);
                        self.states.insert(stream, empty);
                    }
                    Err(Stop::Refused(refusal)) => return Err(refusal),
                    Ok(answer) => {
                        self.events.clear();
                        for staged in world.decided().staged {
                            let entry = self.states.get_mut(&staged.stream).unwrap();
                            entry.0.apply(&staged.event);
                            entry.1 = entry.1.next();
                            self.events.push(staged.event);
                        }
                        return Ok(answer);
                    }
                }
            }
        }

        fn collection(&self) -> Collection {
            match self.states.get(&StreamId::Collection(USER)) {
                Some((State::Collection(c), _)) => c.as_ref().clone(),
                _ => Collection::default(),
            }
        }

        fn status(&self, piece: PieceId) -> Option<Status> {
            match self.states.get(&StreamId::Preorder(piece)) {
                Some((State::Preorder(p), _)) => p.chapter.as_ref().map(|c| c.status),
                _ => None,
            }
        }
    }

    fn figure(name: &str, mfc_id: Option<i64>, jan: Option<&str>) -> CatalogueFigure {
        CatalogueFigure {
            figure_id: FigureId(Uuid::new_v5(&NAMESPACE, format!("{name}{mfc_id:?}{jan:?}").as_bytes())),
            name: Line::new(name).unwrap(),
            figure_type: Line::new("scale").unwrap(),
            manufacturer: None,
            sculptor: None,
            series: vec![],
            characters: vec![],
            details: Details::default(),
            releases: vec![],
            msrp: None,
            jan: jan.map(|j| Gtin::new(j).unwrap()),
            mfc_id,
            is_nsfw: false,
            buy_links: vec![],
            imported_as: None,
        }
    }

    fn row(status: RowStatus, copies: u16) -> ImportRow {
        ImportRow {
            user_id: USER,
            source: Line::new("mfc:12").unwrap(),
            also: vec![],
            status,
            copies,
            likely: None,
            ambiguous: false,
            figure: figure("Aster", Some(12), None),
            named: true,
            piece: PieceFields::default(),
            release: None,
            paid_on: None,
            shipped_on: None,
            received_on: None,
            tracking_url: None,
            wish_note: None,
        }
    }

    fn day(s: &str) -> Option<NaiveDate> {
        Some(s.parse().unwrap())
    }

    #[test]
    fn the_same_row_again_changes_nothing() {
        for status in [RowStatus::Owned, RowStatus::Ordered, RowStatus::Wished] {
            let mut bench = Bench::new();
            let first = bench.run(&row(status, 2)).unwrap();
            assert_eq!(first.found, Some(FigureFound::Created));
            let again = bench.run(&row(status, 2)).unwrap();
            assert_eq!(again.fate, RowFate::Unchanged, "{status}");
            assert_eq!(bench.events, vec![], "{status}");
            assert_eq!((again.figure_id, again.piece_ids), (first.figure_id, first.piece_ids));
        }
    }

    #[test]
    fn a_row_goes_from_wished_over_ordered_to_owned_as_one_piece() {
        let mut bench = Bench::new();
        assert_eq!(bench.run(&row(RowStatus::Wished, 1)).unwrap().fate, RowFate::Wished);
        assert_eq!(bench.collection().wishes.len(), 1);
        let ordered = bench.run(&row(RowStatus::Ordered, 1)).unwrap();
        assert_eq!(ordered.fate, RowFate::Ordered);
        assert!(bench.collection().wishes.is_empty());
        let piece = ordered.piece_ids[0];
        assert_eq!(bench.status(piece), Some(Status::Preordered));
        let owned = ImportRow { received_on: day("2026-06-10"), ..row(RowStatus::Owned, 1) };
        let received = bench.run(&owned).unwrap();
        assert_eq!((received.fate, received.piece_ids), (RowFate::Received, vec![piece]));
        assert_eq!(bench.status(piece), Some(Status::Received));
        assert_eq!(bench.collection().pieces.len(), 1);
        let back = bench.run(&row(RowStatus::Wished, 1)).unwrap();
        assert_eq!((back.fate, back.remarks), (RowFate::Unchanged, vec![Remark::OwnedHere]));
    }

    #[test]
    fn a_wish_that_is_owned_now_says_so() {
        let mut bench = Bench::new();
        bench.run(&row(RowStatus::Wished, 1)).unwrap();
        let owned = bench.run(&row(RowStatus::Owned, 1)).unwrap();
        assert_eq!((owned.fate, owned.remarks), (RowFate::Added, vec![Remark::WishEnded]));
    }

    #[test]
    fn a_raised_count_adds_the_difference_and_a_lowered_one_deletes_nothing() {
        let mut bench = Bench::new();
        let two = bench.run(&row(RowStatus::Owned, 2)).unwrap();
        assert_eq!((two.fate, two.new_copies), (RowFate::Added, 2));
        let five = bench.run(&row(RowStatus::Owned, 5)).unwrap();
        assert_eq!((five.fate, five.new_copies), (RowFate::CopiesAdded, 3));
        assert_eq!(five.piece_ids[..2], two.piece_ids[..]);
        let one = bench.run(&row(RowStatus::Owned, 1)).unwrap();
        assert_eq!((one.fate, one.remarks), (RowFate::Unchanged, vec![Remark::FewerCopies]));
        assert_eq!(bench.collection().pieces.len(), 5);
    }

    #[test]
    fn a_row_of_an_export_with_other_columns_is_the_same_row() {
        let jan = Some("4580590123458");
        let full = ImportRow { figure: figure("Aster", Some(12), jan), ..row(RowStatus::Owned, 2) };
        let by_jan = Line::new("jan:04580590123458").unwrap();
        let without_id = ImportRow {
            source: by_jan.clone(),
            figure: figure("Aster", None, jan),
            copies: 3,
            ..row(RowStatus::Owned, 3)
        };
        let mut bench = Bench::new();
        let two = bench.run(&full).unwrap();
        let three = bench.run(&without_id).unwrap();
        assert_eq!((three.fate, three.new_copies), (RowFate::CopiesAdded, 1));
        assert_eq!(three.piece_ids[..2], two.piece_ids[..]);

        let mut bench = Bench::new();
        bench.run(&ImportRow { copies: 1, ..without_id }).unwrap();
        let again = ImportRow { also: vec![by_jan], copies: 1, ..full };
        assert_eq!(bench.run(&again).unwrap().fate, RowFate::Unchanged);
        assert_eq!(bench.collection().pieces.len(), 1);
    }

    #[test]
    fn what_its_owner_deleted_stays_deleted() {
        let mut bench = Bench::new();
        let piece_ids = bench.run(&row(RowStatus::Owned, 1)).unwrap().piece_ids;
        bench.run(&DeletePieces { user_id: USER, piece_ids, expected: None, refund: None }).unwrap();
        let again = bench.run(&row(RowStatus::Owned, 1)).unwrap();
        assert_eq!(again.fate, RowFate::DeletedByOwner);
        assert_eq!(bench.events, vec![]);
        let more = bench.run(&row(RowStatus::Owned, 2)).unwrap();
        assert_eq!((more.fate, more.new_copies), (RowFate::CopiesAdded, 1));
        assert_eq!(more.remarks, vec![Remark::SomeDeleted]);
    }

    #[test]
    fn a_wish_its_owner_took_off_stays_off() {
        let mut bench = Bench::new();
        let figure_id = bench.run(&row(RowStatus::Wished, 1)).unwrap().figure_id.unwrap();
        bench.run(&Unwish { user_id: USER, figure_id, expected: None }).unwrap();
        assert_eq!(bench.run(&row(RowStatus::Wished, 1)).unwrap().fate, RowFate::DeletedByOwner);
        assert!(bench.collection().wishes.is_empty());
    }

    #[test]
    fn an_archived_piece_and_a_cancelled_order_stay_as_they_are() {
        let mut bench = Bench::new();
        let piece_id = bench.run(&row(RowStatus::Ordered, 1)).unwrap().piece_ids[0];
        let cancel =
            CancelPreorder { user_id: USER, piece_id, expected: None, refund: Amount::ZERO, fate: None };
        bench.run(&cancel).unwrap();
        let owned = bench.run(&row(RowStatus::Owned, 1)).unwrap();
        assert_eq!((owned.fate, owned.remarks), (RowFate::Unchanged, vec![Remark::Archived]));
        bench.run(&RestorePiece { user_id: USER, piece_id, expected: None }).unwrap();
        let owned = bench.run(&row(RowStatus::Owned, 1)).unwrap();
        assert_eq!((owned.fate, owned.remarks), (RowFate::Unchanged, vec![Remark::CancelledHere]));
    }

    #[test]
    fn an_order_that_was_paid_and_shipped_arrives_so() {
        let mut bench = Bench::new();
        let mut paid = row(RowStatus::Ordered, 1);
        paid.piece.cost =
            Cost { price: Some("12800".parse().unwrap()), currency: Some(Currency::Jpy), ..Cost::default() };
        paid.paid_on = day("2026-01-05");
        let piece = bench.run(&paid).unwrap().piece_ids[0];
        assert_eq!(bench.status(piece), Some(Status::Preordered));
        match bench.states.get(&StreamId::Preorder(piece)) {
            Some((State::Preorder(p), _)) => assert!(p.chapter.as_ref().unwrap().balance_paid),
            other => panic!("{other:?}"),
        }
        paid.shipped_on = day("2026-06-01");
        assert_eq!(bench.run(&paid).unwrap().fate, RowFate::Shipped);
        assert_eq!(bench.run(&paid).unwrap().fate, RowFate::Unchanged);
        let owned = ImportRow { received_on: day("2026-05-01"), ..row(RowStatus::Owned, 1) };
        assert_eq!(
            bench.run(&owned).unwrap().fate,
            RowFate::Received,
            "a day of arrival before that of shipping is not taken"
        );
    }

    #[test]
    fn the_barcode_goes_before_the_id_and_both_before_the_name() {
        let mut bench = Bench::new();
        let by_jan = figure("Briar", None, Some("4580590123458"));
        let by_mfc = figure("Cosmos", Some(12), None);
        let by_name = figure("Aster", None, None);
        for f in [&by_jan, &by_mfc, &by_name] {
            bench.run(f).unwrap();
        }
        let mut wanted = row(RowStatus::Owned, 1);
        wanted.likely = Some((by_name.figure_id, FigureFound::Name));
        wanted.figure.jan = by_jan.jan.clone();
        let outcome = bench.run(&wanted).unwrap();
        assert_eq!((outcome.figure_id, outcome.found), (Some(by_jan.figure_id), Some(FigureFound::Jan)));

        wanted.source = Line::new("mfc:13").unwrap();
        wanted.figure.jan = None;
        let outcome = bench.run(&wanted).unwrap();
        assert_eq!((outcome.figure_id, outcome.found), (Some(by_mfc.figure_id), Some(FigureFound::MfcId)));

        wanted.source = Line::new("mfc:14").unwrap();
        wanted.figure.mfc_id = Some(14);
        let outcome = bench.run(&wanted).unwrap();
        assert_eq!((outcome.figure_id, outcome.found), (Some(by_name.figure_id), Some(FigureFound::Name)));
    }

    #[test]
    fn a_name_is_not_taken_when_the_codes_differ() {
        let mut bench = Bench::new();
        let other = figure("Aster", Some(99), None);
        bench.run(&other).unwrap();
        let mut wanted = row(RowStatus::Wished, 1);
        wanted.likely = Some((other.figure_id, FigureFound::Name));
        wanted.ambiguous = true;
        let outcome = bench.run(&wanted).unwrap();
        assert_ne!(outcome.figure_id, Some(other.figure_id));
        assert_eq!(outcome.found, Some(FigureFound::AmbiguousCreated));
    }

    #[test]
    fn a_wish_found_by_name_stays_with_its_figure_when_the_names_change() {
        let mut bench = Bench::new();
        let named = figure("Aster", None, None);
        bench.run(&named).unwrap();
        let mut wanted = row(RowStatus::Wished, 1);
        wanted.likely = Some((named.figure_id, FigureFound::Name));
        bench.run(&wanted).unwrap();
        let renamed =
            EditFigure { name: Some(Line::new("Dahlia").unwrap()), ..EditFigure::of(named.figure_id) };
        bench.run(&renamed).unwrap();
        let ordered = bench.run(&row(RowStatus::Ordered, 1)).unwrap();
        assert_eq!((ordered.fate, ordered.figure_id), (RowFate::Ordered, Some(named.figure_id)));
    }

    #[test]
    fn an_unknown_figure_without_a_name_is_refused() {
        let unnamed = ImportRow { named: false, ..row(RowStatus::Owned, 1) };
        assert_eq!(Bench::new().run(&unnamed).unwrap_err().code, Code::FigureNotFound);
    }

    #[test]
    fn no_row_and_too_many_copies_are_refused() {
        for copies in [0, MOST_COPIES + 1] {
            let refusal = Bench::new().run(&row(RowStatus::Owned, copies)).unwrap_err();
            assert_eq!(refusal.code, Code::TooMany);
        }
    }
}
