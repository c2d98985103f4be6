//! What must be so afterwards, whatever happened.
//!
//! The log is the truth. Every command in it is decided again, purely, on what stood before it, and must come
//! to the very same events and answer; every refusal and every "nothing to do" must be what some moment
//! between request and answer leads to.

use crate::commands::{Do, Things};
use crate::requests::{Attempt, Outcome};
use crate::schedule::Ground;
use domain::ids::CommandId;
use domain::refusal::Refusal;
use domain::stream::{Event, Position, Recorded, StreamId, Version};
use domain::world::{Circumstances, Command, State, Stop, World};
use serde_json::Value;
use std::collections::{HashMap, HashSet};

type States = HashMap<StreamId, (State, Version)>;

/// What stands in the log between two moments: one command's events.
struct Commit {
    command_id: CommandId,
    events: Vec<Recorded>,
}

struct Decision {
    outcome: Result<Value, Refusal>,
    staged: Vec<(StreamId, Event)>,
    read: Vec<(StreamId, Version)>,
}

fn decide(command: &Do, circumstances: Circumstances, states: &States) -> Decision {
    let mut known = states.clone();
    loop {
        let mut world = World::new(circumstances, known.clone());
        let outcome = command.decide(&mut world);
        let decided = world.decided();
        let outcome = match outcome {
            Err(Stop::Load(stream)) => {
                let empty = State::empty(&stream);
                known.insert(stream, (empty, Version::NONE));
                continue;
            }
            Err(Stop::Refused(refusal)) => Err(refusal),
            Ok(answer) => Ok(answer),
        };
        let staged = decided.staged.into_iter().map(|s| (s.stream, s.event)).collect();
        return Decision { outcome, staged, read: decided.read };
    }
}

struct Model<'a> {
    attempts: &'a [Attempt],
    commits: Vec<Commit>,
    /// The states before each commit, and at the end.
    moments: Vec<States>,
    /// How many events there were at each moment.
    counts: Vec<usize>,
}

#[derive(sqlx::FromRow)]
struct Record {
    actor: uuid::Uuid,
    key: String,
    command_id: uuid::Uuid,
    position: i64,
    answer: Value,
}

/// Checks everything; gives what is worth counting.
pub async fn check(attempts: &[Attempt], log: &[Recorded], things: &Things, ground: &Ground) -> Vec<String> {
    let mut found = Vec::new();
    is_linear(log);
    let model = Model::new(attempts, log);
    let records = records(things, ground).await;
    let by_id: HashMap<CommandId, &Record> = records.iter().map(|r| (CommandId(r.command_id), r)).collect();
    for (n, attempt) in attempts.iter().enumerate() {
        model.refuses_no_repeat(n, &records);
        let record = by_id.get(&attempt.circumstances.command_id).copied();
        model.check(attempt, record, &records, &mut found);
    }
    let known: HashSet<_> = attempts.iter().map(|a| a.circumstances.command_id).collect();
    for commit in &model.commits {
        assert!(known.contains(&commit.command_id), "nobody sent {:?}", commit.command_id);
    }
    for record in &records {
        assert!(known.contains(&CommandId(record.command_id)), "nobody sent what {} records", record.key);
    }
    let end = model.moments.last().unwrap();
    for (stream, (state, version)) in end {
        let loaded = ground.store.state_at(stream, None).await.unwrap();
        assert_eq!(
            loaded,
            (state.clone(), *version),
            "loading {stream} comes to something else than folding it"
        );
    }
    let commits: Vec<String> = sqlx::query_scalar("SELECT xmin::text FROM events WHERE position = ANY($1)")
        .bind(model.commits.iter().map(|c| c.events[0].position.0).collect::<Vec<_>>())
        .fetch_all(&ground.db.pool)
        .await
        .unwrap();
    if commits.iter().collect::<HashSet<_>>().len() < commits.len() {
        found.push("several commands in one commit".to_owned());
    }
    found
}

async fn records(things: &Things, ground: &Ground) -> Vec<Record> {
    let actors: Vec<_> = things.actors.iter().map(|a| a.uuid()).collect();
    sqlx::query_as(
        "SELECT actor, key, command_id, position, answer FROM command_records WHERE actor = ANY($1)",
    )
    .bind(actors)
    .fetch_all(&ground.db.pool)
    .await
    .unwrap()
}

/// Positions and times grow, streams are numbered without gaps, no event is there twice.
fn is_linear(log: &[Recorded]) {
    let mut versions: HashMap<&StreamId, Version> = HashMap::new();
    for event in log {
        let version = versions.entry(&event.stream).or_default();
        *version = version.next();
        assert_eq!(event.version, *version, "{} has a gap", event.stream);
    }
    assert!(log.windows(2).all(|w| w[0].position < w[1].position && w[0].recorded_at <= w[1].recorded_at));
    assert_eq!(log.iter().map(|e| e.event_id).collect::<HashSet<_>>().len(), log.len());
}

impl<'a> Model<'a> {
    fn new(attempts: &'a [Attempt], log: &[Recorded]) -> Self {
        let mut commits: Vec<Commit> = Vec::new();
        for event in log {
            match commits.last_mut() {
                Some(last) if last.command_id == event.metadata.command_id => last.events.push(event.clone()),
                _ => commits
                    .push(Commit { command_id: event.metadata.command_id, events: vec![event.clone()] }),
            }
        }
        let ids: HashSet<_> = commits.iter().map(|c| c.command_id).collect();
        assert_eq!(ids.len(), commits.len(), "a command stands twice in the log, or in pieces");
        let mut states = States::new();
        let (mut moments, mut counts) = (vec![states.clone()], vec![0]);
        for commit in &commits {
            for event in &commit.events {
                let empty = || (State::empty(&event.stream), Version::NONE);
                let (state, version) = states.entry(event.stream.clone()).or_insert_with(empty);
                state.apply(&event.event);
                *version = event.version;
            }
            moments.push(states.clone());
            counts.push(counts.last().unwrap() + commit.events.len());
        }
        Self { attempts, commits, moments, counts }
    }

    fn commit_of(&self, id: CommandId) -> Option<usize> {
        self.commits.iter().position(|c| c.command_id == id)
    }

    /// The moments between a request and its answer.
    fn between(&self, attempt: &Attempt) -> impl Iterator<Item = &States> {
        let until = attempt.after.unwrap_or(usize::MAX);
        let before = attempt.before;
        let all = self.moments.iter().zip(&self.counts);
        all.filter(move |(_, count)| **count >= before && **count <= until).map(|(states, _)| states)
    }

    fn at(&self, position: Position) -> &States {
        let passed = self.commits.iter().filter(|c| c.events.last().unwrap().position <= position).count();
        &self.moments[passed]
    }

    fn check(&self, attempt: &Attempt, record: Option<&Record>, records: &[Record], found: &mut Vec<String>) {
        if attempt.is_before_all() {
            return;
        }
        let Attempt { request, circumstances, .. } = attempt;
        let commit = self.commit_of(circumstances.command_id);
        let decided = |states: &States| decide(&request.command, *circumstances, states);
        if let Some(commit) = commit {
            let decision = decided(&self.moments[commit]);
            let events = &self.commits[commit].events;
            let written: Vec<_> = events.iter().map(|e| (e.stream.clone(), e.event.clone())).collect();
            assert_eq!(decision.staged, written, "not what {request:?} comes to on what stood before it");
            assert!(self.counts[commit] >= attempt.before, "{request:?} stands before it was sent");
            assert_eq!(record.is_some(), request.key.is_some(), "record and log of {request:?} disagree");
            if let Some(record) = record {
                assert_eq!(Ok(&record.answer), decision.outcome.as_ref(), "the record of {request:?}");
                assert_eq!(record.position, events.last().unwrap().position.0);
            }
        }
        match attempt.outcome.as_ref().unwrap_or_else(|| panic!("{request:?} was never answered")) {
            Outcome::Done { answer, position, versions, events, replayed: false } => {
                assert_eq!(record.is_some(), request.key.is_some(), "{request:?} is not recorded");
                if let Some(commit) = commit {
                    assert_eq!(&self.commits[commit].events, events, "{request:?}");
                    assert_eq!(events.last().unwrap().position, *position);
                    let decision = decided(&self.moments[commit]);
                    assert_eq!(decision.outcome.as_ref(), Ok(answer), "{request:?}");
                    let after = &self.moments[commit + 1];
                    for (stream, version) in versions {
                        assert_eq!(after.get(stream).map_or(Version::NONE, |s| s.1), *version, "{request:?}");
                    }
                    let read: Vec<_> = decision.read.iter().map(|(s, _)| s).collect();
                    assert_eq!(versions.iter().map(|(s, _)| s).collect::<Vec<_>>(), read);
                } else {
                    assert!(events.is_empty(), "{request:?} was acknowledged and is lost");
                    let so = |states: &States| {
                        let decision = decided(states);
                        decision.staged.is_empty()
                            && decision.outcome.as_ref() == Ok(answer)
                            && decision.read == *versions
                    };
                    assert!(self.between(attempt).any(so), "{request:?} had something to do all the time");
                    assert!(so(self.at(*position)), "{request:?} had something to do at {position}");
                }
            }
            Outcome::Done { answer, position, replayed: true, .. } => {
                assert!(commit.is_none() && record.is_none(), "{request:?} was done and replayed");
                let kept = self.kept(attempt, records).expect("nothing was there to be replayed");
                assert_eq!((&kept.answer, kept.position), (answer, position.0));
                let first =
                    self.attempts.iter().find(|a| a.circumstances.command_id.uuid() == kept.command_id);
                assert_eq!(first.unwrap().request.body, request.body, "another request's answer");
            }
            Outcome::KeyReused => {
                assert!(commit.is_none() && record.is_none(), "{request:?} was done and refused");
                let kept = self.kept(attempt, records).expect("the key is nobody's");
                let first =
                    self.attempts.iter().find(|a| a.circumstances.command_id.uuid() == kept.command_id);
                assert_ne!(first.unwrap().request.body, request.body, "it was this very request's key");
            }
            Outcome::Refused(refusal) => {
                assert!(commit.is_none() && record.is_none(), "{request:?} was done and refused");
                let so = |states: &States| decided(states).outcome.as_ref() == Err(refusal);
                assert!(
                    self.between(attempt).any(so),
                    "{request:?} was refused without a reason: {refusal:?}"
                );
            }
            Outcome::Rejected => {
                assert!(commit.is_none() && record.is_none(), "{request:?} was done and rejected");
                assert!(
                    matches!(request.command, Do::TooLong { .. }),
                    "{request:?} failed for another's fault"
                );
            }
            Outcome::NotNow(why) => {
                assert!(commit.is_none() && record.is_none(), "{request:?} was done and not: {why}");
            }
            Outcome::Lost => {
                let what = if commit.is_some() || record.is_some() { "in" } else { "not in" };
                found.push(format!("lost, and {what} the log"));
            }
        }
    }

    /// What was done under a key, and told, is never refused under that key from then on.
    fn refuses_no_repeat(&self, n: usize, records: &[Record]) {
        let attempt = &self.attempts[n];
        if let (Some(Outcome::Refused(refusal)), Some(kept)) = (&attempt.outcome, self.kept(attempt, records))
        {
            let first = self.attempts.iter().find(|a| a.circumstances.command_id.uuid() == kept.command_id);
            let told_before = first.is_some_and(|f| f.sent_by_then <= n);
            assert!(!told_before, "{:?} was answered before, and then refused: {refusal:?}", attempt.request);
        }
    }

    fn kept<'r>(&self, attempt: &Attempt, records: &'r [Record]) -> Option<&'r Record> {
        let actor = attempt.circumstances.actor?.uuid();
        let key = attempt.request.key.as_deref()?;
        records.iter().find(|r| r.actor == actor && r.key == key)
    }
}
