//! Commands decided in memory and folded, for the tests of folds.

use crate::engine::{Projection, RowSet};
use chrono::{DateTime, TimeDelta, Utc};
use domain::commands::CatalogueFigure;
use domain::ids::{CommandId, EventId, FigureId, UserId};
use domain::picture::{BlobKey, BlurHash, ImageType, Picture};
use domain::refusal::Refusal;
use domain::stream::{Metadata, Position, Recorded, StreamId, Version};
use domain::world::{Circumstances, Command, State, Stop, World};
use std::collections::HashMap;
use uuid::Uuid;

/// A log that commands append to.
pub(crate) struct Log {
    pub(crate) events: Vec<Recorded>,
    /// The time of the next command; each one takes an hour.
    pub(crate) now: DateTime<Utc>,
    states: HashMap<StreamId, (State, Version)>,
    commands: u128,
}

impl Log {
    pub(crate) fn new() -> Self {
        let now = DateTime::parse_from_rfc3339("2026-03-01T10:00:00.123456789Z").unwrap().to_utc();
        Self { events: Vec::new(), now, states: HashMap::new(), commands: 0 }
    }

    /// Decides a command as an admin or anybody else would have it decided, and records what it stages.
    pub(crate) fn try_run<C: Command>(&mut self, user: UserId, command: &C) -> Result<C::Answer, Refusal> {
        self.commands += 1;
        let command_id = CommandId(Uuid::from_u128(0xC0_0000 + self.commands));
        let circumstances = Circumstances { actor: Some(user), is_admin: true, now: self.now, command_id };
        let (answer, staged) = loop {
            let mut world = World::new(circumstances, self.states.clone());
            match command.decide(&mut world) {
                Ok(answer) => break (answer, world.decided().staged),
                Err(Stop::Refused(refusal)) => return Err(refusal),
                Err(Stop::Load(stream)) => {
                    let empty = State::empty(&stream);
                    self.states.insert(stream, (empty, Version::NONE));
                }
            }
        };
        for one in staged {
            let entry = self
                .states
                .entry(one.stream.clone())
                .or_insert_with(|| (State::empty(&one.stream), Version::NONE));
            entry.0.apply(&one.event);
            entry.1 = entry.1.next();
            let position = i64::try_from(self.events.len()).unwrap() + 1;
            self.events.push(Recorded {
                position: Position(position),
                event_id: EventId(Uuid::from_u128(0xE0_0000 + u128::try_from(position).unwrap())),
                version: entry.1,
                stream: one.stream,
                owner: one.owner,
                recorded_at: self.now,
                metadata: Metadata {
                    actor: Some(user),
                    command_id,
                    correlation_id: None,
                    causation_id: None,
                },
                event: one.event,
            });
        }
        self.now += TimeDelta::hours(1);
        Ok(answer)
    }

    pub(crate) fn run<C: Command>(&mut self, user: UserId, command: &C) -> C::Answer {
        self.try_run(user, command).unwrap_or_else(|refusal| panic!("{}: {refusal:?}", C::NAME))
    }

    pub(crate) fn state(&self, stream: &StreamId) -> &State {
        &self.states.get(stream).unwrap().0
    }

    /// Folds the whole log, as a rebuild does.
    pub(crate) fn fold<P: Projection>(&self) -> P::Rows {
        let mut rows = P::Rows::default();
        rows.tables().into_iter().for_each(|table| table.make_whole());
        for event in &self.events {
            P::fold(&mut rows, event).unwrap();
        }
        rows
    }

    /// A new figure of this maker and these series.
    pub(crate) fn figure(
        &mut self,
        user: UserId,
        name: &str,
        maker: Option<&str>,
        series: &[&str],
        is_nsfw: bool,
    ) -> FigureId {
        let figure_id = FigureId(Uuid::from_u128(0xF0_0000 + self.commands));
        let command = CatalogueFigure {
            manufacturer: maker.map(|name| name.parse().unwrap()),
            series: series.iter().map(|name| name.parse().unwrap()).collect(),
            is_nsfw,
            ..CatalogueFigure::named(figure_id, name.parse().unwrap(), "scale".parse().unwrap())
        };
        self.run(user, &command).figure_id
    }
}

/// The id with that number.
pub(crate) fn id<T: From<Uuid>>(number: u128) -> T {
    T::from(Uuid::from_u128(number))
}

/// A picture; another number is another picture.
pub(crate) fn picture(n: u8) -> Picture {
    let key = |size: u8| {
        let mut digest = [0; 32];
        digest[0] = size;
        digest[31] = n;
        BlobKey::of_digest(digest)
    };
    Picture {
        original: key(1),
        media_type: ImageType::Jpeg,
        bytes: 1_000,
        width: 400,
        height: 300,
        small: key(2),
        large: key(3),
        blurhash: BlurHash::new("LEHV6nWB2yk8pyo0adR*.7kCMdnj").unwrap(),
    }
}
