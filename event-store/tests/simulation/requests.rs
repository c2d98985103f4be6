//! What was asked, how often, and what was told.

use crate::commands::Do;
use domain::collection::{CollectionCommand, UnwishReason};
use domain::ids::{FigureId, UserId};
use domain::refusal::Refusal;
use domain::stream::{Position, Recorded, StreamId, Version};
use domain::world::{Circumstances, Command, Stop, World};
use event_store::ExecuteError;
use serde_json::Value;
use uuid::Uuid;

/// What became of a request, as its client saw it.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Done {
        answer: Value,
        position: Position,
        versions: Vec<(StreamId, Version)>,
        events: Vec<Recorded>,
        replayed: bool,
    },
    Refused(Refusal),
    KeyReused,
    Rejected,
    /// Nothing was written, it says.
    NotNow(String),
    /// The process died or could not tell.
    Lost,
}

#[derive(Debug, Clone)]
pub struct Request {
    pub command: Do,
    pub slot: usize,
    pub key: Option<String>,
    pub body: u8,
    /// Sent again after nobody knew what became of it.
    pub again: bool,
}

/// One sending of a request.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub request: Request,
    pub process: usize,
    pub circumstances: Circumstances,
    /// How many events of the schedule were in the log before it was sent.
    pub before: usize,
    /// How many when it was answered.
    pub after: Option<usize>,
    /// How many attempts were sent before it was answered.
    pub sent_by_then: usize,
    pub outcome: Option<Outcome>,
}

impl Attempt {
    /// What was there when the schedule began.
    pub fn before_all(circumstances: Circumstances) -> Self {
        let command = Do::Look { owners: [UserId(Uuid::nil()); 2] };
        let request = Request { command, slot: 0, key: None, body: 0, again: false };
        Self {
            request,
            process: usize::MAX,
            circumstances,
            before: 0,
            after: None,
            sent_by_then: usize::MAX,
            outcome: None,
        }
    }

    pub fn is_before_all(&self) -> bool {
        self.process == usize::MAX
    }
}

pub fn told(outcome: Result<event_store::Executed<Value>, ExecuteError>) -> Outcome {
    match outcome {
        Ok(done) => Outcome::Done {
            answer: done.answer,
            position: done.position,
            versions: done.versions,
            events: done.events,
            replayed: done.replayed,
        },
        Err(ExecuteError::Refused(refusal)) => Outcome::Refused(refusal),
        Err(ExecuteError::KeyReused) => Outcome::KeyReused,
        Err(ExecuteError::Rejected(_)) => Outcome::Rejected,
        Err(ExecuteError::OutcomeUnknown) => Outcome::Lost,
        Err(error @ (ExecuteError::Busy | ExecuteError::Contended | ExecuteError::Unavailable(_))) => {
            Outcome::NotNow(error.to_string())
        }
        Err(error) => panic!("{error}"),
    }
}

/// Many wishes in one append, for a stream that is worth a snapshot.
pub struct WishMany(pub UserId, pub Vec<FigureId>);

impl Command for WishMany {
    type Answer = ();
    const NAME: &'static str = "wish_many";
    fn decide(&self, world: &mut World) -> Result<(), Stop> {
        for figure in &self.1 {
            let figure_id = *figure;
            let wish =
                CollectionCommand::Wish { figure_id, same_figure: vec![figure_id], target: None, note: None };
            world.tell_collection(self.0, wish)?;
            let unwish =
                CollectionCommand::Unwish { same_figure: vec![figure_id], reason: UnwishReason::Removed };
            world.tell_collection(self.0, unwish)?;
        }
        Ok(())
    }
}
