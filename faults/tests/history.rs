//! What the witnesses rest on can fail: the history checker finds each kind of violation.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use faults::history::{History, Op, What, Written};
use std::time::{Duration, Instant};
use uuid::Uuid;

const FIGURE: Uuid = Uuid::from_u128(0xf1);
const OTHER: Uuid = Uuid::from_u128(0xf2);

/// A history that goes by milliseconds from a common beginning.
struct Told {
    begin: Instant,
    history: History,
}

impl Told {
    fn new() -> Self {
        Self { begin: Instant::now(), history: History::default() }
    }

    fn op(self, (begun, ended): (u64, u64), what: What) -> Self {
        let at = |millis| self.begin + Duration::from_millis(millis);
        self.history.note(Op { figure: FIGURE, begun: at(begun), ended: at(ended), what });
        self
    }

    fn wrote(self, times: (u64, u64), note: &str, if_match: Option<i64>, position: Option<i64>) -> Self {
        self.op(times, What::Wrote { note: note.to_owned(), if_match, position })
    }

    fn saw(self, times: (u64, u64), note: &str, version: i64, at_least: i64) -> Self {
        self.op(times, What::Saw { note: note.to_owned(), version, at_least })
    }

    fn complaints(&self, log: &[Written]) -> String {
        self.history.check(log).join("\n")
    }
}

fn written(position: i64, version: i64, note: &str) -> Written {
    Written { position, version, figure: FIGURE, note: note.to_owned() }
}

/// `a` at 10 and `b` at 12, with somebody else's event between them.
fn log() -> Vec<Written> {
    vec![written(10, 1, "a"), Written { figure: OTHER, ..written(11, 2, "x") }, written(12, 3, "b")]
}

fn sound() -> Told {
    Told::new()
        .wrote((0, 10), "a", None, Some(10))
        .wrote((5, 30), "b", Some(1), Some(12))
        .wrote((40, 50), "c", Some(1), None)
        .saw((11, 20), "a", 1, 10)
        .saw((12, 35), "b", 3, 10)
        .saw((60, 61), "b", 3, 12)
}

#[test]
fn a_history_that_the_log_explains_raises_no_complaint() {
    assert_eq!(sound().complaints(&log()), "");
    assert_eq!(sound().history.len(), 6);
}

#[test]
fn an_acknowledged_write_that_vanished_or_stands_twice_is_found() {
    let told = sound();
    assert!(told.complaints(&log()[..2]).contains("an acknowledged write has vanished"));
    let mut twice = log();
    twice.push(written(14, 4, "b"));
    assert!(told.complaints(&twice).contains("b was written 2 times"));
}

#[test]
fn a_refused_write_that_took_place_is_found() {
    let mut log = log();
    log.push(written(14, 4, "c"));
    assert!(sound().complaints(&log).contains("a refused write took place"));
}

#[test]
fn a_write_at_another_position_than_was_told_is_found() {
    let mut log = log();
    log[2].position = 13;
    assert!(sound().complaints(&log).contains("b was told to be at 12"));
}

#[test]
fn a_lost_update_is_found() {
    let told = sound().wrote((31, 45), "d", Some(1), Some(15));
    let mut log = log();
    log.push(written(15, 5, "d"));
    assert!(told.complaints(&log).contains("d was to follow version 1 and follows"));
}

#[test]
fn writes_in_another_order_than_that_of_time_are_found() {
    let told = Told::new().wrote((0, 10), "b", None, Some(12)).wrote((20, 30), "a", None, Some(10));
    assert!(told.complaints(&log()).contains("was over before"), "{}", told.complaints(&log()));
    let overlapping = Told::new().wrote((0, 25), "b", None, Some(12)).wrote((20, 30), "a", None, Some(10));
    assert_eq!(overlapping.complaints(&log()), "");
}

#[test]
fn a_read_that_misses_what_it_had_to_include_is_found() {
    let told = sound().saw((70, 71), "a", 1, 12);
    assert!(told.complaints(&log()).contains("does not show"), "{}", told.complaints(&log()));
}

#[test]
fn a_read_of_what_nobody_wrote_or_not_yet_is_found() {
    assert!(sound().saw((70, 71), "a", 2, 0).complaints(&log()).contains("nobody wrote that version"));
    assert!(sound().saw((70, 71), "z", 3, 0).complaints(&log()).contains("the log has"));
    let early = Told::new().saw((0, 1), "a", 1, 0).wrote((5, 10), "a", None, Some(10));
    assert!(early.complaints(&log()[..1]).contains("came before its writing"));
}
