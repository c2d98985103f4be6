//! Whoever keeps a server busy: people with their requests, and what they were told.

use crate::checks::Acknowledged;
use crate::client::{Address, Person};
use crate::generator::{Generator, Model, Role, Shared};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sqlx::PgPool;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::RwLock;

/// How many tries of a request may be given up early in a row.
const HURRIED_TRIES: u32 = 6;

/// How long somebody rests after a write in place, of which the collections have nothing.
const IN_PLACE_EVERY: Duration = Duration::from_millis(20);

/// A person with what they were told.
#[derive(Debug)]
pub struct Client {
    /// Who.
    pub person: Person,
    /// Their name.
    pub name: String,
    /// What they have, as they were told.
    pub model: Model,
    /// Every request that was answered, but those that the log has nothing of.
    pub answered: Vec<Acknowledged>,
    /// How many requests were sent more than once.
    pub repeated: usize,
}

/// How far everybody is, and what they are told by the stage.
#[derive(Debug, Default)]
pub struct Tally {
    /// Requests that were answered.
    pub answered: AtomicU64,
    /// Those that were accepted.
    pub accepted: AtomicU64,
    /// Every write that was answered.
    told: Mutex<Vec<Acknowledged>>,
    stop: AtomicBool,
    /// Held while a request is on its way: whoever takes it whole has silence.
    pub gate: RwLock<()>,
    /// Whether everybody gives up at once and asks again.
    pub impatient: AtomicBool,
}

impl Tally {
    /// Notes an answer; of a write, which.
    pub fn heard(&self, write: Option<Acknowledged>) {
        self.answered.fetch_add(1, Ordering::Relaxed);
        if let Some(write) = write {
            self.accepted.fetch_add(u64::from(write.is_accepted()), Ordering::Relaxed);
            self.told.lock().unwrap_or_else(PoisonError::into_inner).push(write);
        }
    }

    /// Every write that was answered so far.
    #[must_use]
    pub fn told(&self) -> Vec<Acknowledged> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets everybody come to an end.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether everybody is to come to an end.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// After what time each try of a request is given up.
    pub fn hurry(&self, seed: u64) -> impl FnMut() -> Option<Duration> + Send {
        let mut moods = StdRng::seed_from_u64(seed);
        let mut tries_left = match (self.impatient.load(Ordering::Relaxed), moods.random_ratio(1, 30)) {
            (true, _) => HURRIED_TRIES,
            (false, hurried) => u32::from(hurried),
        };
        move || {
            tries_left = tries_left.checked_sub(1)?;
            Some(Duration::from_micros(moods.random_range(500..20_000)))
        }
    }
}

/// The people of an instance: three collectors and an admin.
///
/// # Errors
/// When they cannot register.
pub async fn people(pool: &PgPool, addresses: &[Address]) -> anyhow::Result<Vec<(String, Role, Person)>> {
    let mut people = Vec::new();
    for (name, role) in [
        ("alice", Role::Collector),
        ("bruno", Role::Collector),
        ("chiyo", Role::Collector),
        ("admin", Role::Admin),
    ] {
        people.push((name.to_owned(), role, Person::register(addresses, name).await?));
    }
    sqlx::query("UPDATE users SET is_admin = true WHERE username = 'admin'").execute(pool).await?;
    Ok(people)
}

/// Sends one request after the other until told to stop.
///
/// # Errors
/// When a request gets no answer, or none that an answer should be.
pub async fn keep_asking(
    (name, role, person): (String, Role, Person),
    seed: u64,
    shared: Shared,
    tally: Arc<Tally>,
) -> anyhow::Result<Client> {
    let mut generator = Generator::new(seed, &name, role, shared);
    let mut answered = Vec::new();
    let mut repeated = 0;
    let mut sent = 0_u64;
    while !tally.is_over() {
        let _going = tally.gate.read().await;
        let request = generator.request();
        sent += 1;
        let mut hurry = tally.hurry(seed.wrapping_add(sent));
        let delivered = person.deliver(&request, &mut hurry).await?;
        repeated += usize::from(delivered.sent > 1);
        if !request.is_logged() {
            generator.learn_in_place(&request, &delivered.answer, delivered.sent);
            tokio::time::sleep(IN_PLACE_EVERY).await;
            continue;
        }
        generator.learn(&request, &delivered.answer);
        let one = Acknowledged {
            actor: person.id,
            key: request.key,
            kind: request.kind,
            status: delivered.answer.status,
            position: delivered.answer.position,
        };
        answered.push(one.clone());
        tally.heard(Some(one));
    }
    Ok(Client { person, name, model: generator.model, answered, repeated })
}
