//! Where everything stands still and waits to be told to go on.

use event_store::crash::Steps;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

tokio::task_local! {
    /// Which client's request a task is.
    pub static CLIENT: usize;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    Client(usize),
    /// The appender or the saving of a snapshot.
    Beside,
    /// A message between the appender and PostgreSQL.
    Wire,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub process: usize,
    pub who: Who,
    pub point: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Go {
    On,
    /// On the wire: the connection is cut here.
    Cut,
}

struct Parked {
    id: u64,
    place: Place,
    go: oneshot::Sender<Go>,
}

#[derive(Default)]
struct Inner {
    /// Grows whenever anything moves.
    moves: u64,
    ids: u64,
    parked: Vec<Parked>,
    /// Requests that PostgreSQL has and has not answered, by connection.
    pending: HashMap<u64, i64>,
    /// Backends whose connection was closed.
    leaving: Vec<i32>,
    appenders: HashMap<usize, i32>,
    /// Which points hold whoever comes by.
    holds: Vec<&'static str>,
    free: bool,
}

#[derive(Clone, Default)]
pub struct Board(Arc<Mutex<Inner>>);

impl Board {
    fn with<T>(&self, look: impl FnOnce(&mut Inner) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    /// Begins a schedule in which the points not named here let everybody pass.
    pub fn hold_at(&self, points: Vec<&'static str>) {
        self.with(|inner| inner.holds = points);
    }

    /// From now on nobody is held.
    pub fn let_all_go(&self) {
        let parked = self.with(|inner| {
            inner.free = true;
            std::mem::take(&mut inner.parked)
        });
        for one in parked {
            let _ = one.go.send(Go::On);
        }
    }

    pub fn moved(&self) {
        self.with(|inner| inner.moves += 1);
    }

    pub fn moves(&self) -> u64 {
        self.with(|inner| inner.moves)
    }

    /// Holds whoever calls until it is told to go on.
    pub async fn park(&self, place: Place) -> Go {
        let told = self.with(|inner| {
            inner.moves += 1;
            if inner.free || !inner.holds.contains(&place.point) {
                return None;
            }
            let (go, told) = oneshot::channel();
            inner.ids += 1;
            let id = inner.ids;
            inner.parked.push(Parked { id, place, go });
            Some(told)
        });
        match told {
            Some(told) => told.await.unwrap_or(Go::On),
            None => Go::On,
        }
    }

    /// Who stands where, in an order that does not depend on who came first.
    pub fn parked(&self) -> Vec<(u64, Place)> {
        let mut parked: Vec<_> = self.with(|inner| inner.parked.iter().map(|p| (p.id, p.place)).collect());
        parked.sort_by_key(|(id, place)| (*place, *id));
        parked
    }

    pub fn go(&self, id: u64, go: Go) {
        let one = self.with(|inner| {
            inner.moves += 1;
            let at = inner.parked.iter().position(|p| p.id == id).expect("nobody stands there");
            inner.parked.remove(at)
        });
        let _ = one.go.send(go);
    }

    /// A process is dead: its tasks stand nowhere any more. What is on the wire still is.
    pub fn died(&self, process: usize) {
        self.with(|inner| {
            inner.moves += 1;
            inner.parked.retain(|p| p.place.process != process || p.place.who == Who::Wire);
            inner.appenders.remove(&process);
        });
    }

    pub fn connected(&self, connection: u64) {
        self.with(|inner| inner.pending.insert(connection, 0));
    }

    pub fn is_appender(&self, process: usize, backend: i32) {
        self.with(|inner| inner.appenders.insert(process, backend));
    }

    pub fn appender(&self, process: usize) -> Option<i32> {
        self.with(|inner| inner.appenders.get(&process).copied())
    }

    pub fn asked(&self, connection: u64) {
        self.with(|inner| {
            inner.moves += 1;
            *inner.pending.entry(connection).or_default() += 1;
        });
    }

    pub fn told(&self, connection: u64) {
        self.with(|inner| {
            inner.moves += 1;
            *inner.pending.entry(connection).or_default() -= 1;
        });
    }

    pub fn leaves(&self, backend: Option<i32>) {
        self.with(|inner| {
            inner.moves += 1;
            inner.leaving.extend(backend);
        });
    }

    pub fn disconnected(&self, connection: u64, backend: Option<i32>) {
        self.with(|inner| {
            inner.moves += 1;
            inner.pending.remove(&connection);
            inner.leaving.extend(backend);
            inner.appenders.retain(|_, appender| Some(*appender) != backend);
        });
    }

    /// How many requests PostgreSQL has not answered, and which backends are on their way out.
    pub fn outside(&self) -> (i64, Vec<i32>) {
        self.with(|inner| (inner.pending.values().sum(), inner.leaving.clone()))
    }

    pub fn is_connected(&self) -> bool {
        self.with(|inner| !inner.pending.is_empty())
    }

    /// These backends are gone.
    pub fn left_if(&self, gone: &[i32]) {
        self.with(|inner| inner.leaving.retain(|backend| !gone.contains(backend)));
    }

    pub fn appender_is(&self, backend: i32) -> bool {
        self.with(|inner| inner.appenders.values().any(|appender| *appender == backend))
    }

    pub fn appender_left(&self, backend: i32) {
        self.with(|inner| inner.appenders.retain(|_, appender| *appender != backend));
    }

    pub fn describe(&self) -> String {
        self.with(|inner| {
            let parked: Vec<_> = inner.parked.iter().map(|p| p.place).collect();
            format!("parked {parked:?}, unanswered {:?}, leaving {:?}", inner.pending, inner.leaving)
        })
    }
}

/// The points of one process.
pub struct Points {
    pub board: Board,
    pub process: usize,
}

impl Steps for Points {
    fn reach(&self, point: &'static str) -> BoxFuture<'static, ()> {
        let who = CLIENT.try_with(|client| Who::Client(*client)).unwrap_or(Who::Beside);
        let (board, place) = (self.board.clone(), Place { process: self.process, who, point });
        async move {
            board.park(place).await;
        }
        .boxed()
    }
}
