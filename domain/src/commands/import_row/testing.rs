//! Rows and streams in memory, for the tests of importing.

use super::ids::NAMESPACE;
use super::{ImportRow, RowStatus};
use crate::collection::Collection;
use crate::commands::{CatalogueFigure, PieceFields};
use crate::figure::Details;
use crate::gtin::Gtin;
use crate::ids::{CommandId, FigureId, PieceId, UserId};
use crate::preorder::Status;
use crate::refusal::Refusal;
use crate::stream::{Event, StreamId, Version};
use crate::text::Line;
use crate::world::{Circumstances, Command, State, Stop, World};
use chrono::NaiveDate;
use std::collections::HashMap;
use uuid::Uuid;

/// Streams in memory: decides, appends, counts.
pub(super) struct Bench {
    pub(super) states: HashMap<StreamId, (State, Version)>,
    runs: u128,
    pub(super) events: Vec<Event>,
}

pub(super) const USER: UserId = UserId(Uuid::from_u128(7));

impl Bench {
    pub(super) fn new() -> Self {
        Self { states: HashMap::new(), runs: 0, events: Vec::new() }
    }

    pub(super) fn run<C: Command>(&mut self, command: &C) -> Result<C::Answer, Refusal> {
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

    pub(super) fn collection(&self) -> Collection {
        match self.states.get(&StreamId::Collection(USER)) {
            Some((State::Collection(c), _)) => c.as_ref().clone(),
            _ => Collection::default(),
        }
    }

    pub(super) fn status(&self, piece: PieceId) -> Option<Status> {
        match self.states.get(&StreamId::Preorder(piece)) {
            Some((State::Preorder(p), _)) => p.chapter.as_ref().map(|c| c.status),
            _ => None,
        }
    }
}

pub(super) fn figure(name: &str, mfc_id: Option<i64>, jan: Option<&str>) -> CatalogueFigure {
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

pub(super) fn row(status: RowStatus, copies: u16) -> ImportRow {
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

pub(super) fn day(s: &str) -> Option<NaiveDate> {
    Some(s.parse().unwrap())
}
