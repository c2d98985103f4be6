//! `/api/me/events/live`: what changes of one's own and what one is told, as it happens.

use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, StatusCode},
    response::{
        Sse,
        sse::{Event, KeepAlive},
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{ids::UserId, stream::Position};
use futures::{Stream, stream};
use operational::{
    notifications,
    sessions::{self, Holder},
};
use serde_json::{Value, json};
use tokio::{
    sync::{broadcast, mpsc},
    time::{Instant, sleep, timeout},
};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    identity::InPerson,
    problem::{self, INVALID_HEADER, Kind, NOT_FOUND, Problem},
    problems,
    server_sent::ServerSentEvent,
    shown::hides_nsfw,
    state::AppState,
};

/// Where a client that comes back says what it has seen.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// How often something is said at least, so that nobody in between hangs up.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How often it is looked by itself, and whether the account may still be used.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Then the client comes back by itself, and has to show again who it is.
const LONGEST: Duration = Duration::from_secs(10 * 60);
/// How long a read model may take to hold an event before the change is told all the same.
const READABLE_WITHIN: Duration = Duration::from_secs(5);
/// Between what is told and its being written lie at most so many seconds.
const MARGIN: TimeDelta = TimeDelta::seconds(60);
/// How many of one's events are looked at in one go, and how many notifications.
const BATCH: i64 = 500;
/// How many a client may be behind with reading.
const WAITING: usize = 32;
/// How many of these one process serves.
const MOST: usize = 1_000;
/// How many of them one person has.
const MOST_OF_ONE: usize = 8;

const TOO_MANY: Kind = Kind::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "too_many_streams",
    "too many follow what happens just now, or you do in too many windows; ask with GET for a while",
);

problems!(LiveProblems = problem::SIGNED_IN, &[INVALID_HEADER, TOO_MANY, NOT_FOUND]);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(live))
}

/// Who follows what happens, in this process.
#[derive(Debug, Clone, Default)]
pub struct Followers(Arc<Mutex<HashMap<UserId, usize>>>);

/// A place among them; it is free again when this is dropped.
#[derive(Debug)]
struct Seat(Followers, UserId);

impl Followers {
    fn each(&self) -> MutexGuard<'_, HashMap<UserId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for this person, if there is one.
    fn enter(&self, user: UserId) -> Option<Seat> {
        let mut each = self.each();
        let own = each.get(&user).copied().unwrap_or_default();
        if own >= MOST_OF_ONE || each.values().sum::<usize>() >= MOST {
            return None;
        }
        each.insert(user, own + 1);
        Some(Seat(self.clone(), user))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut each = self.0.each();
        if let Some(own) = each.get_mut(&self.1) {
            *own -= 1;
            if *own == 0 {
                each.remove(&self.1);
            }
        }
    }
}

/// What one has been shown, and what is looked at next.
struct Follower {
    state: AppState,
    user_id: UserId,
    session: Uuid,
    generation: i32,
    hides_nsfw: bool,
    /// Every event of one's own up to here was told.
    position: Position,
    /// Every notification that was written before this was told.
    since: DateTime<Utc>,
    /// Those after `since` that were told.
    told: HashSet<Uuid>,
    sender: mpsc::Sender<Event>,
}

/// Nobody listens any more, or nobody may.
struct Over;

impl From<mpsc::error::SendError<Event>> for Over {
    fn from(_: mpsc::error::SendError<Event>) -> Self {
        Self
    }
}

/// What changes of one's own and what one is told, as it happens.
///
/// For whoever is signed in. Server-sent events. `ready` comes first. `changed` says which read models hold something
/// new of one's own: `{position, read_models}`; read them with `X-Min-Position`. `notification` is a notification as
/// `GET /api/me/notifications` lists it. The id of each is a position of the log. A client that comes back with it
/// as `Last-Event-ID` is told everything since; notifications of the last moments before may come a second time,
/// under the same `id` in their data. The stream ends after ten minutes at most: come back.
#[utoipa::path(
    get,
    path = "/api/me/events/live",
    tag = "notifications",
    operation_id = "live_events",
    security(("session" = [])),
    params(("Last-Event-ID" = Option<i64>, Header, description = "The id of the last event that was seen")),
    responses(
        (status = 200, description = "The stream", body = ServerSentEvent, content_type = "text/event-stream"),
        LiveProblems
    )
)]
async fn live(
    State(state): State<AppState>,
    InPerson { user, session, .. }: InPerson,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let seen = headers.get(LAST_EVENT_ID).map(|value| {
        let number = value.to_str().ok().and_then(|text| text.trim().parse::<i64>().ok());
        let wanted =
            || Problem::from(INVALID_HEADER).detail("Last-Event-ID is a position").field("Last-Event-ID");
        number.filter(|number| *number >= 0).map(Position).ok_or_else(wanted)
    });
    let seat = state.live.enter(user.id).ok_or(TOO_MANY)?;
    // Before the head is looked up: what comes in between is told twice rather than not.
    let now = Utc::now();
    let head = state.store.head().await?;
    let (position, since) = match seen.transpose()? {
        Some(seen) if seen < head => {
            let recorded = state.store.recorded_at(seen).await?.unwrap_or(DateTime::UNIX_EPOCH);
            (seen, recorded)
        }
        Some(_) => (head, state.store.recorded_at(head).await?.unwrap_or(now)),
        None => (head, now),
    };
    let (sender, receiver) = mpsc::channel(WAITING);
    let follower = Follower {
        user_id: user.id,
        session,
        generation: user.session_generation,
        hides_nsfw: hides_nsfw(&user),
        position,
        since: since - MARGIN,
        told: HashSet::new(),
        sender,
        state,
    };
    let told_before = seen_before(&follower, seen_is_none(&headers)).await?;
    let follower = Follower { told: told_before, ..follower };
    tokio::spawn(async move {
        let _seat = seat;
        let stopping = follower.state.clone();
        tokio::select! {
            _over = timeout(LONGEST, follower.follow()) => {}
            () = stopping.stopping() => {}
        }
    });
    let events = stream::unfold(receiver, async |mut receiver| {
        receiver.recv().await.map(|event| (Ok(event), receiver))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

fn seen_is_none(headers: &HeaderMap) -> bool {
    !headers.contains_key(LAST_EVENT_ID)
}

/// A client that comes for the first time is told what comes from now on only.
async fn seen_before(follower: &Follower, fresh: bool) -> Result<HashSet<Uuid>, Problem> {
    if !fresh {
        return Ok(HashSet::new());
    }
    let (pool, user) = (&follower.state.pool, follower.user_id);
    let before = notifications::told_since(pool, user, false, (follower.since, Uuid::nil()), BATCH).await?;
    Ok(before.into_iter().map(|(_, one)| one.id).collect())
}

fn event(kind: &str, position: Position, data: &Value) -> Event {
    Event::default().event(kind).id(position.0.to_string()).data(data.to_string())
}

impl Follower {
    async fn follow(mut self) {
        let mut head = self.state.store.subscribe();
        let mut people = self.state.deliveries.told().people();
        let ready = event("ready", self.position, &json!({"position": self.position}));
        if self.sender.send(ready).await.is_err() {
            return;
        }
        let mut looked = Instant::now();
        loop {
            head.borrow_and_update();
            if self.look().await.is_err() {
                return;
            }
            if looked.elapsed() >= LOOK_EVERY {
                looked = Instant::now();
                if !self.may_go_on().await {
                    return;
                }
            }
            tokio::select! {
                changed = head.changed() => if changed.is_err() { return },
                () = self.told(&mut people) => {}
                () = self.sender.closed() => return,
                () = sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Ends when this person was told something, or may have been.
    async fn told(&self, people: &mut broadcast::Receiver<Option<Uuid>>) {
        loop {
            match people.recv().await {
                Ok(Some(person)) if person != self.user_id.uuid() => {}
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return,
                // Nobody tells of it any more: it is looked for now and then.
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }

    async fn may_go_on(&mut self) -> bool {
        match sessions::holder(&self.state.pool, self.user_id, self.session).await {
            Ok(Some(Holder { user, began_at: Some(_), .. }))
                if user.suspended_at.is_none() && user.session_generation == self.generation =>
            {
                self.hides_nsfw = hides_nsfw(&user);
                true
            }
            Ok(_) => false,
            // The database comes back, or the stream ends by itself.
            Err(_away) => true,
        }
    }

    /// Tells what is new. What cannot be looked up now is looked up later.
    async fn look(&mut self) -> Result<(), Over> {
        if let Err(error) = self.changes().await? {
            tracing::debug!(error, "changes cannot be looked up; trying again");
        }
        if let Err(error) = self.notifications().await? {
            tracing::debug!(%error, "notifications cannot be looked up; trying again");
        }
        Ok(())
    }

    async fn changes(&mut self) -> Result<Result<(), String>, Over> {
        loop {
            let until = *self.state.store.subscribe().borrow();
            if until <= self.position {
                return Ok(Ok(()));
            }
            let page = match self.state.store.read_of(self.user_id, self.position, until, BATCH).await {
                Ok(page) => page,
                Err(error) => return Ok(Err(error.to_string())),
            };
            let mut types = HashSet::new();
            let mut last = None;
            for entry in &page.events {
                let (position, kind) = match entry {
                    Ok(event) => (event.position, event.stream.aggregate_type()),
                    Err(unread) => (unread.position, unread.stream_type.as_ref()),
                };
                types.insert(kind.to_owned());
                last = Some(position);
            }
            let Some(last) = last else {
                self.position = until;
                return Ok(Ok(()));
            };
            let definitions = self.state.projections.definitions();
            let concerned =
                definitions.iter().filter(|one| one.reads().iter().any(|kind| types.contains(*kind)));
            let names: Vec<&str> = concerned.map(|one| one.name).collect();
            // One that has stopped would hold all others back.
            self.state.projections.wait_for(&names, last, READABLE_WITHIN).await;
            self.position = last;
            let data = json!({"position": last, "read_models": names});
            self.sender.send(event("changed", last, &data)).await?;
        }
    }

    async fn notifications(&mut self) -> Result<sqlx::Result<()>, Over> {
        let mut after = (self.since, Uuid::nil());
        loop {
            let (pool, user) = (&self.state.pool, self.user_id);
            let told = match notifications::told_since(pool, user, self.hides_nsfw, after, BATCH).await {
                Ok(told) => told,
                Err(error) => return Ok(Err(error)),
            };
            let whole = i64::try_from(told.len()).is_ok_and(|count| count < BATCH);
            for (at, one) in told {
                after = (at, one.id);
                if !self.told.insert(one.id) {
                    continue;
                }
                let data = json!({
                    "id": one.id, "event_type": one.event_type, "payload": one.payload,
                    "created_at": one.created_at, "read_at": one.read_at,
                });
                self.sender.send(event("notification", self.position, &data)).await?;
            }
            if whole {
                // A transaction may commit a little after others that began later.
                self.since = self.since.max(after.0 - MARGIN);
                return Ok(Ok(()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn one_person_leaves_room_for_others_and_gets_it_back() {
        let followers = Followers::default();
        let (anna, ben) = (UserId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        let mut own: Vec<_> = (0..MOST_OF_ONE).map(|_| followers.enter(anna).unwrap()).collect();
        assert!(followers.enter(anna).is_none());
        assert!(followers.enter(ben).is_some());
        own.pop();
        assert!(followers.enter(anna).is_some());
        drop(own);
        assert!(followers.each().is_empty());
    }
}
