//! Decides commands over streams held in memory: what a store does, without the store.

use domain::money::rates::Rates;
use domain::stream::{Event, StreamId, Version};
use domain::upcast::decode;
use domain::world::{Circumstances, Command, Decided, State, Stop, World};
use std::collections::HashMap;

/// Every stream's state and version, and the rates in hand.
#[derive(Clone, Default)]
pub struct Streams(HashMap<StreamId, (State, Version)>, Rates);

impl Streams {
    /// A stream as it stands; empty when nothing happened on it.
    pub fn get(&self, stream: &StreamId) -> (State, Version) {
        self.0.get(stream).cloned().unwrap_or_else(|| (State::empty(stream), Version::NONE))
    }

    /// A state written away and read back is the same state: that is what snapshots rest on.
    pub fn check_snapshots(&self) {
        for (stream, (state, _)) in &self.0 {
            let written = serde_json::to_string(state).unwrap();
            assert_eq!(serde_json::from_str::<State>(&written).unwrap(), *state, "{stream}");
        }
    }

    /// From now on these rates are in hand.
    pub fn set_rates(&mut self, rates: Rates) {
        self.1 = rates;
    }

    /// Appends one event.
    pub fn fold(&mut self, stream: &StreamId, event: &Event) {
        let (state, version) =
            self.0.entry(stream.clone()).or_insert_with(|| (State::empty(stream), Version::NONE));
        state.apply(event);
        *version = version.next();
    }
}

/// What a command came to: its answer and its events, or a refusal.
pub type Outcome<A> = Result<(A, Decided), domain::refusal::Refusal>;

/// Loads what the command asks for until it is decided. Every promise that all decisions share is checked
/// here: deciding again on the same state comes to the same, what is written was read at the version it
/// has, events carry their owner, and what is staged can be stored and read back.
pub fn decide<C: Command>(
    streams: &Streams,
    circumstances: Circumstances,
    command: &C,
) -> Outcome<C::Answer> {
    let mut loaded = HashMap::new();
    let outcome = loop {
        let mut world = World::new(circumstances, loaded.clone()).with_rates(streams.1.clone());
        match command.decide(&mut world) {
            Ok(answer) => break Ok((answer, world.decided())),
            Err(Stop::Refused(refusal)) => break Err(refusal),
            Err(Stop::Load(stream)) => {
                let state = streams.get(&stream);
                assert!(loaded.insert(stream.clone(), state).is_none(), "{stream} was asked for twice");
            }
        }
    };

    let mut world = World::new(circumstances, loaded).with_rates(streams.1.clone());
    match (&outcome, command.decide(&mut world)) {
        (Ok((answer, decided)), Ok(again)) => {
            assert_eq!(serde_json::to_string(answer).unwrap(), serde_json::to_string(&again).unwrap());
            assert_eq!(*decided, world.decided(), "deciding twice must come to the same");
        }
        (Err(refusal), Err(Stop::Refused(again))) => assert_eq!(*refusal, again),
        _ => panic!("deciding twice came to different ends"),
    }

    if let Ok((_, decided)) = &outcome {
        for (stream, version) in &decided.read {
            assert_eq!(*version, streams.get(stream).1, "{stream} was read at another version");
        }
        for staged in &decided.staged {
            assert!(decided.read.iter().any(|(s, _)| *s == staged.stream), "{} unread", staged.stream);
            let personal = matches!(staged.stream, StreamId::Collection(_) | StreamId::Preorder(_));
            assert_eq!(staged.owner.is_some(), personal, "the owner of an event on {}", staged.stream);
            let stored = staged.event.to_json().unwrap();
            let read = decode(staged.event.event_type(), staged.event.event_version(), &stored).unwrap();
            assert_eq!(read, staged.event, "an event must survive being stored");
        }
    }
    outcome
}
