//! Long work that tells how far it is, to whoever asks for that with `Accept: text/event-stream`.

use std::convert::Infallible;

use axum::{
    http::HeaderMap,
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures::{
    Stream,
    future::{BoxFuture, FutureExt},
    stream,
};
use serde::Serialize;
use serde_json::json;
use tokio::sync::watch;
use tracing::Instrument;
use workers::imports::Progress;

use crate::{
    answer::{Written, preferred},
    problem::Problem,
};

/// The media type of server-sent events.
const EVENTS: &str = "text/event-stream";

/// Whom the work tells how far it is.
#[derive(Debug)]
pub struct Teller(watch::Sender<Option<Progress>>);

impl Teller {
    /// So far it is. Whoever cannot keep up with reading hears the latest.
    pub fn tell(&self, progress: Progress) {
        self.0.send_replace(Some(progress));
    }
}

type Outcome<T> = Result<Written<T>, Problem>;

/// Does some work and answers as it ends. For whoever asks for events the answer begins at once: `progress` each time
/// something is done, then `finished` with the body of the usual answer, and with the position as its id if anything
/// was appended, or `problem`. The work goes on for as long as its reader listens.
pub async fn answer<T, F>(headers: &HeaderMap, work: impl FnOnce(Teller) -> F) -> Response
where
    T: Serialize + Send + 'static,
    F: Future<Output = Outcome<T>> + Send + 'static,
{
    let (teller, told) = watch::channel(None);
    let work = work(Teller(teller)).in_current_span();
    if preferred(headers, EVENTS) {
        Sse::new(events(work.boxed(), told)).keep_alive(KeepAlive::default()).into_response()
    } else {
        work.await.into_response()
    }
}

/// How far a stream of events is.
enum Stage<T> {
    /// What was sent last is remembered: what was told just before the end is sent before the end.
    Working(BoxFuture<'static, Outcome<T>>, watch::Receiver<Option<Progress>>, Option<Progress>),
    Ended(Outcome<T>),
}

fn events<T: Serialize + Send + 'static>(
    work: BoxFuture<'static, Outcome<T>>,
    told: watch::Receiver<Option<Progress>>,
) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(Some(Stage::Working(work, told, None)), |stage| async move {
        let (event, stage) = match stage? {
            Stage::Working(mut work, mut told, sent) => tokio::select! {
                biased;
                outcome = &mut work => {
                    let last = *told.borrow_and_update();
                    match last.filter(|last| Some(*last) != sent) {
                        Some(last) => (progress(last), Some(Stage::Ended(outcome))),
                        None => (ended(outcome), None),
                    }
                }
                Ok(()) = told.changed() => {
                    let now = *told.borrow_and_update();
                    // Only what was told changes it, so there is something.
                    (now.map(progress).unwrap_or_default(), Some(Stage::Working(work, told, now)))
                }
            },
            Stage::Ended(outcome) => (ended(outcome), None),
        };
        Some((Ok(event), stage))
    })
}

fn progress(at: Progress) -> Event {
    Event::default().event("progress").data(json!({"done": at.done, "total": at.total}).to_string())
}

fn ended<T: Serialize>(outcome: Outcome<T>) -> Event {
    let written = outcome.and_then(|written| {
        let (body, position) = written.into_parts();
        let event = Event::default().event("finished").json_data(body).map_err(Problem::internal)?;
        Ok(match position {
            Some(position) => event.id(position.0.to_string()),
            None => event,
        })
    });
    written.unwrap_or_else(|problem| Event::default().event("problem").data(problem.to_json().to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::problem::NOT_FOUND;
    use axum::{body::to_bytes, http::header};
    use domain::stream::Position;

    async fn told(accept: &str, outcome: Outcome<u8>) -> (String, String) {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().unwrap());
        let answer = answer(&headers, |teller| async move {
            for done in 1..=3 {
                teller.tell(Progress { done, total: 3 });
                tokio::task::yield_now().await;
            }
            outcome
        });
        let (parts, body) = answer.await.into_parts();
        let kind = parts.headers[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        (kind, String::from_utf8(to_bytes(body, 10_000).await.unwrap().into()).unwrap())
    }

    #[tokio::test]
    async fn events_tell_every_step_and_then_the_end() {
        let (kind, text) = told(EVENTS, Ok(Written::done(7).at(Position(40)))).await;
        assert_eq!(kind, EVENTS);
        let step = |done| format!("event: progress\ndata: {{\"done\":{done},\"total\":3}}\n\n");
        assert_eq!(text, format!("{}{}{}event: finished\ndata: 7\nid: 40\n\n", step(1), step(2), step(3)));
    }

    #[tokio::test]
    async fn a_refusal_is_an_event_too() {
        let (_, text) = told(EVENTS, Err(NOT_FOUND.into())).await;
        let last = text.trim_end().rsplit("\n\n").next().unwrap();
        assert!(last.starts_with("event: problem\ndata: {"), "{text}");
        assert!(last.contains("\"code\":\"not_found\""), "{text}");
    }

    #[tokio::test]
    async fn whoever_does_not_ask_for_events_is_answered_as_ever() {
        for accept in ["*/*", "application/json", "application/json, text/event-stream;q=0.5"] {
            let (kind, text) = told(accept, Ok(Written::done(7))).await;
            assert_eq!((kind.as_str(), text.as_str()), ("application/json", "7"), "{accept}");
        }
    }
}
