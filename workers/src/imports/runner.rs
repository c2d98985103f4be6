//! Running the commands of an import: in chunks, or in rehearsal.

use super::{ImportError, Mode, Progress, later};
use chrono::Utc;
use domain::commands::Many;
use domain::ids::{CommandId, UserId};
use domain::refusal::Refusal;
use domain::stream::{Position, StreamId, Version};
use domain::world::{Circumstances, Command, State, Stop, World};
use event_store::{EventStore, ExecuteError, Execution, StoreError};
use std::collections::HashMap;
use uuid::Uuid;

/// How many commands one append carries. If one of them is refused, they are run one by one.
const CHUNK: usize = 100;

/// What became of one command, in the order given.
pub(super) type Outcome<A> = Result<A, Refusal>;

/// Runs commands for an import.
pub(super) struct Runner<'a> {
    pub store: &'a EventStore,
    pub mode: Mode,
    /// The user who imports; none for the operator.
    pub actor: Option<UserId>,
}

/// All outcomes, in the order of the commands, and the last position that any of them led to.
pub(super) struct Ran<A> {
    pub outcomes: Vec<Outcome<A>>,
    pub position: Option<Position>,
}

impl Runner<'_> {
    fn circumstances(&self) -> Circumstances {
        Circumstances {
            actor: self.actor,
            is_admin: self.actor.is_none(),
            now: Utc::now(),
            command_id: CommandId(Uuid::now_v7()),
        }
    }

    /// Runs all commands. `streams` names what a command will ask for in any case.
    pub async fn run<C: Command + Clone>(
        &self,
        commands: &[C],
        streams: impl Fn(&C) -> Vec<StreamId>,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Ran<C::Answer>, ImportError> {
        let mut ran = Ran { outcomes: Vec::with_capacity(commands.len()), position: None };
        let mut rehearsal = Rehearsal { store: self.store, states: HashMap::new() };
        for chunk in commands.chunks(CHUNK) {
            match self.mode {
                Mode::DryRun => {
                    for command in chunk {
                        ran.outcomes.push(rehearsal.run(command, self.circumstances()).await?);
                    }
                }
                Mode::Append => {
                    let prefetch: Vec<StreamId> = chunk.iter().flat_map(&streams).collect();
                    self.chunk(chunk, prefetch, &mut ran).await?;
                }
            }
            progress(Progress { done: ran.outcomes.len(), total: commands.len() });
        }
        Ok(ran)
    }

    async fn chunk<C: Command + Clone>(
        &self,
        chunk: &[C],
        prefetch: Vec<StreamId>,
        ran: &mut Ran<C::Answer>,
    ) -> Result<(), ImportError> {
        let how = Execution { prefetch, ..Execution::new(self.circumstances()) };
        match self.store.execute(&Many(chunk.to_vec()), &how).await {
            Ok(executed) => {
                ran.position = later(ran.position, Some(executed.position));
                ran.outcomes.extend(executed.answer.into_iter().map(Ok));
                return Ok(());
            }
            Err(ExecuteError::Refused(_)) => {}
            Err(error) => return Err(error.into()),
        }
        for command in chunk {
            match self.store.execute(command, &Execution::new(self.circumstances())).await {
                Ok(executed) => {
                    ran.position = later(ran.position, Some(executed.position));
                    ran.outcomes.push(Ok(executed.answer));
                }
                Err(ExecuteError::Refused(refusal)) => ran.outcomes.push(Err(refusal)),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Decides commands one after another as if each had been appended.
struct Rehearsal<'a> {
    store: &'a EventStore,
    /// Streams as they would stand now.
    states: HashMap<StreamId, (State, Version)>,
}

impl Rehearsal<'_> {
    async fn run<C: Command>(
        &mut self,
        command: &C,
        circumstances: Circumstances,
    ) -> Result<Outcome<C::Answer>, StoreError> {
        let mut needed = HashMap::new();
        loop {
            let missing = {
                let mut world = World::new(circumstances, needed.clone()).with_rates(self.store.rates());
                match command.decide(&mut world) {
                    Err(Stop::Refused(refusal)) => return Ok(Err(refusal)),
                    Err(Stop::Load(stream)) => stream,
                    Ok(answer) => {
                        for staged in world.decided().staged {
                            let (state, version) = self
                                .states
                                .entry(staged.stream.clone())
                                .or_insert_with(|| (State::empty(&staged.stream), Version::NONE));
                            state.apply(&staged.event);
                            *version = version.next();
                        }
                        return Ok(Ok(answer));
                    }
                }
            };
            let state = match self.states.get(&missing) {
                Some(state) => state.clone(),
                None => {
                    let loaded = self.store.state_at(&missing, None).await?;
                    self.states.insert(missing.clone(), loaded.clone());
                    loaded
                }
            };
            needed.insert(missing, state);
        }
    }
}
