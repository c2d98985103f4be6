//! The projections at the head of the log, each with the rows that its fold asked for.
//!
//! A projection that has read everything there was takes its seat here. From then on those who fold several
//! at once fold it: the appender (`inline.rs`) and the task that follows it (`together.rs`). Between batches
//! the rows stay, so that most batches load nothing; that is right as long as its checkpoint is as it was
//! left, which everybody who writes checks. One that goes wrong loses its seat, and goes back to the task
//! that follows the log for it alone (`runner.rs`), which knows how to halve, to stop and to tell. The others that were
//! folded with it are doubted: their rows are taken back, and those whose checkpoint is as they left it sit down again.

use super::fold::Fold;
use super::projection::{Definition, Timing};
use chrono::{DateTime, Utc};
use domain::stream::Position;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, watch};

/// How many rows of a table are kept between batches.
const MOST_ROWS: usize = 20_000;

/// A projection that has a seat.
pub(super) struct Seated {
    pub definition: Definition,
    /// Its tables are here.
    pub position: Position,
    /// When its checkpoint was changed.
    pub updated_at: DateTime<Utc>,
    pub fold: Fold,
    /// Both as they are unless what is folded comes to stand.
    left: (Position, DateTime<Utc>),
}

impl Seated {
    /// One whose checkpoint is here, and was changed then.
    pub fn new(
        definition: Definition,
        skips: BTreeSet<Position>,
        position: Position,
        updated_at: DateTime<Utc>,
    ) -> Self {
        let (fold, left) = (Fold::on_demand(&definition, skips), (position, updated_at));
        Self { definition, position, updated_at, fold, left }
    }

    /// Its events up to here are folded, and its checkpoint is moved with what they changed.
    pub fn move_to(&mut self, position: Position, updated_at: DateTime<Utc>) {
        (self.position, self.updated_at) = (position, updated_at);
    }

    /// What was folded stands in the database.
    fn settle(&mut self) {
        self.left = (self.position, self.updated_at);
        self.fold.tables().into_iter().for_each(|table| table.settle_keeping(MOST_ROWS));
    }

    /// What was folded came to nothing.
    fn take_back(&mut self) {
        (self.position, self.updated_at) = self.left;
        self.fold.tables().into_iter().for_each(|table| table.roll_back());
    }
}

/// How a projection stands with those who fold several at once.
pub(super) enum Standing {
    /// Its tables are at this position; the checkpoint was changed then.
    At(Position, DateTime<Utc>),
    /// It is being folded.
    Busy,
    /// It has no seat any more.
    Gone,
}

#[derive(Default)]
struct Taken {
    seated: BTreeMap<&'static str, Seated>,
    /// Up from their seats to be folded.
    away: BTreeSet<&'static str>,
    /// Of those, the ones that were folded for nothing.
    doubted: Vec<Seated>,
}

/// The seats of a process.
#[derive(Default)]
pub(super) struct Seats {
    taken: Mutex<Taken>,
    /// Changed when somebody lost a seat, or sat down.
    changed: watch::Sender<()>,
    /// Rung when somebody waits for what could wait.
    called: Notify,
}

impl Seats {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes up whoever wants to know that a seat was taken or lost.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn tell(&self) {
        self.changed.send_modify(|()| ());
    }

    /// Asks for those that fold [`Timing::After`] to be folded now: somebody waits.
    pub fn call(&self) {
        self.called.notify_one();
    }

    /// Waits for that.
    pub async fn is_called(&self) {
        self.called.notified().await;
    }

    /// Gives a projection a seat.
    pub fn sit(&self, seated: Seated) {
        self.taken().seated.insert(seated.definition.name, seated);
        self.tell();
    }

    /// How a projection stands.
    pub fn standing(&self, name: &str) -> Standing {
        let taken = self.taken();
        match taken.seated.get(name) {
            Some(seated) => Standing::At(seated.position, seated.updated_at),
            None if taken.away.contains(name) => Standing::Busy,
            None => Standing::Gone,
        }
    }

    /// Takes the seat from a projection, if it still is there.
    pub fn dismiss_unmoved(&self, name: &str, position: Position) -> bool {
        let mut taken = self.taken();
        let unmoved = taken.seated.get(name).is_some_and(|seated| seated.position == position);
        if unmoved {
            taken.seated.remove(name);
        }
        unmoved
    }

    /// Takes the seat from a projection, wherever it stands; one that is being folded does not get it back.
    pub fn dismiss(&self, name: &str) {
        let mut taken = self.taken();
        taken.seated.remove(name);
        taken.away.remove(name);
        taken.doubted.retain(|seated| seated.definition.name != name);
    }

    /// Takes the seats from all.
    pub fn clear(&self) {
        *self.taken() = Taken::default();
    }

    /// Those that are exactly here and fold inside the append, to be folded.
    pub fn up_inside(&self, position: Position) -> Vec<Seated> {
        self.up(|seated| seated.position == position && seated.definition.timing == Timing::Inside)
    }

    /// Those that are furthest behind the head, all at one position, to be folded; those that can wait only
    /// when `all` are wanted.
    pub fn up_behind(&self, head: Position, all: bool) -> Vec<Seated> {
        let wanted =
            |seated: &Seated| seated.position < head && (all || seated.definition.timing == Timing::Inside);
        let first = self.taken().seated.values().filter(|one| wanted(one)).map(|one| one.position).min();
        first.map_or_else(Vec::new, |first| self.up(|seated| seated.position == first && wanted(seated)))
    }

    fn up(&self, wanted: impl Fn(&Seated) -> bool) -> Vec<Seated> {
        let mut taken = self.taken();
        let names: Vec<_> =
            taken.seated.iter().filter(|(_, one)| wanted(one)).map(|(name, _)| *name).collect();
        taken.away.extend(&names);
        names.iter().filter_map(|name| taken.seated.remove(name)).collect()
    }

    /// What was folded has been committed: of those who were up, these sit down again, but for those whose seat was
    /// taken meanwhile, and the rest have lost their seats. Nobody may see the one without the other: whoever sits
    /// again may be called up at once by somebody else, and is none of the rest.
    pub fn back(&self, up: &[&'static str], folded: Vec<Seated>) {
        self.end(up, folded, |taken, mut seated| {
            seated.settle();
            taken.seated.insert(seated.definition.name, seated);
        });
    }

    /// What was folded came to nothing, and not all of these are to blame. They stay up until somebody has looked at
    /// their checkpoints; see [`doubted`](Self::doubted). The rest of those who were up have lost their seats.
    pub fn doubt(&self, up: &[&'static str], folded: Vec<Seated>) {
        let are_doubted = !folded.is_empty();
        self.end(up, folded, |taken, mut seated| {
            seated.take_back();
            taken.away.insert(seated.definition.name);
            taken.doubted.push(seated);
        });
        if are_doubted {
            self.tell();
        }
    }

    /// Those that are to be looked at. They are to be given [`back`](Self::back) or to be [lost](Self::lose).
    pub fn doubted(&self) -> Vec<Seated> {
        std::mem::take(&mut self.taken().doubted)
    }

    /// These were up, and have lost their seats.
    pub fn lose(&self, up: &[&'static str]) {
        self.end(up, Vec::new(), |_, _| ());
    }

    /// Does with those that were folded what is to be done, unless their seat was taken meanwhile.
    fn end(&self, up: &[&'static str], folded: Vec<Seated>, each: impl Fn(&mut Taken, Seated)) {
        let mut taken = self.taken();
        let mut lost: BTreeSet<_> = up.iter().filter(|name| taken.away.remove(*name)).collect();
        for seated in folded {
            if lost.remove(&seated.definition.name) {
                each(&mut taken, seated);
            }
        }
        drop(taken);
        if !lost.is_empty() {
            self.tell();
        }
    }

    /// Whether somebody that can wait is behind.
    pub fn is_behind(&self, head: Position) -> bool {
        self.taken().seated.values().any(|seated| seated.position < head)
    }
}

#[cfg(test)]
mod tests {
    use super::super::projection::{FoldError, Projection, row_set};
    use super::super::rows::row;
    use super::*;
    use domain::stream::Recorded;
    use uuid::Uuid;

    row! { struct NoteRow in "notes", key(id: Uuid) { label: String } }
    row_set! { struct Notes { notes: NoteRow } }

    struct Asked;
    impl Projection for Asked {
        const NAME: &'static str = "asked";
        const VERSION: u32 = 1;
        const DDL: &'static str = "";
        type Rows = Notes;
        fn fold(rows: &mut Notes, _: &Recorded) -> Result<(), FoldError> {
            rows.notes.get(&Uuid::nil());
            Ok(())
        }
    }

    struct Waiting;
    impl Projection for Waiting {
        const NAME: &'static str = "waiting";
        const VERSION: u32 = 1;
        const DDL: &'static str = "";
        const TIMING: Timing = Timing::After;
        type Rows = Notes;
        fn fold(_: &mut Notes, _: &Recorded) -> Result<(), FoldError> {
            Ok(())
        }
    }

    fn seats(asked: i64, waiting: i64) -> Seats {
        let seats = Seats::default();
        for (definition, position) in
            [(Definition::of::<Asked>(), asked), (Definition::of::<Waiting>(), waiting)]
        {
            let at = DateTime::UNIX_EPOCH;
            seats.sit(Seated::new(definition, BTreeSet::new(), Position(position), at));
        }
        seats
    }

    fn names(up: &[Seated]) -> Vec<&'static str> {
        up.iter().map(|seated| seated.definition.name).collect()
    }

    #[test]
    fn the_append_folds_only_what_answers_are_read_from_and_is_right_before_it() {
        assert_eq!(names(&seats(7, 7).up_inside(Position(7))), ["asked"]);
        assert!(seats(6, 7).up_inside(Position(7)).is_empty());
    }

    #[test]
    fn what_can_wait_is_folded_only_when_all_are_wanted_and_whoever_is_furthest_behind_first() {
        assert!(seats(9, 7).up_behind(Position(9), false).is_empty());
        assert_eq!(names(&seats(9, 7).up_behind(Position(9), true)), ["waiting"]);
        assert_eq!(names(&seats(6, 7).up_behind(Position(9), true)), ["asked"]);
        assert_eq!(names(&seats(7, 7).up_behind(Position(9), true)), ["asked", "waiting"]);
    }

    #[test]
    fn one_that_is_dismissed_while_it_is_folded_does_not_get_its_seat_back() {
        let seats = seats(7, 7);
        let up = seats.up_inside(Position(7));
        assert!(matches!(seats.standing("asked"), Standing::Busy));
        seats.dismiss("asked");
        seats.back(&["asked"], up);
        assert!(matches!(seats.standing("asked"), Standing::Gone));
    }

    #[test]
    fn what_was_folded_for_nothing_is_taken_back_and_looked_at_before_it_sits_down_again() {
        let seats = seats(7, 7);
        let mut up = seats.up_behind(Position(9), true);
        up.iter_mut().for_each(|seated| seated.move_to(Position(9), DateTime::UNIX_EPOCH));
        // One of them cannot even be folded, and nobody knows whose fault the rest is.
        up.retain(|seated| seated.definition.name == "waiting");
        seats.doubt(&["asked", "waiting"], up);
        assert!(matches!(seats.standing("asked"), Standing::Gone));
        assert!(matches!(seats.standing("waiting"), Standing::Busy));
        assert!(seats.up_behind(Position(9), true).is_empty(), "nobody folds it meanwhile");
        let doubted = seats.doubted();
        assert_eq!(names(&doubted), ["waiting"]);
        seats.back(&["waiting"], doubted);
        assert!(matches!(seats.standing("waiting"), Standing::At(Position(7), _)));
    }

    #[test]
    fn one_that_is_dismissed_while_it_is_doubted_does_not_get_its_seat_back() {
        let seats = seats(7, 7);
        let up = seats.up_inside(Position(7));
        seats.doubt(&["asked"], up);
        let doubted = seats.doubted();
        seats.dismiss("asked");
        seats.back(&["asked"], doubted);
        assert!(matches!(seats.standing("asked"), Standing::Gone));
        let again = seats.up_inside(Position(7));
        seats.doubt(&["asked"], again);
        seats.dismiss("asked");
        assert!(seats.doubted().is_empty());
    }

    #[test]
    fn whoever_was_not_folded_with_the_others_loses_the_seat_and_the_others_keep_theirs() {
        let seats = seats(7, 7);
        let mut up = seats.up_behind(Position(9), true);
        up.retain(|seated| seated.definition.name == "waiting");
        seats.back(&["asked", "waiting"], up);
        assert!(matches!(seats.standing("asked"), Standing::Gone));
        assert!(matches!(seats.standing("waiting"), Standing::At(Position(7), _)));
    }
}
