//! How much of a form may come in before anything comes of it.
//!
//! Whoever reads a form keeps all that comes until the first boundary, and until the end of a part's headers. So the
//! body comes in small pieces, and ends with an error when too many of them led to nothing.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use axum::body::{Body, BodyDataStream, Bytes};
use futures::Stream;

use super::DRAINED;

/// Most bytes of what is no file, in one place: before the first part, or the headers of one.
pub(super) const MOST_BETWEEN: usize = 64 * 1024;
/// How much is handed on at once.
const PIECE: usize = 16 * 1024;

#[derive(Debug)]
struct Counts {
    /// How many bytes the whole of it may still have.
    left: usize,
    /// How many came since the last time that something came of them.
    between: usize,
    /// How many came since nothing of them is kept any more; none before.
    drained: Option<usize>,
    overrun: Option<&'static str>,
}

/// Counts what comes of a form. A clone counts the same form.
#[derive(Debug, Clone)]
pub(super) struct Meter(Arc<Mutex<Counts>>);

impl Meter {
    /// The whole form has at most so many bytes.
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new(Mutex::new(Counts { left: most, between: 0, drained: None, overrun: None })))
    }

    /// The same body, counted.
    pub(super) fn over(&self, body: Body) -> Body {
        let body = body.into_data_stream();
        Body::from_stream(Metered { body, rest: Bytes::new(), has_given: false, meter: self.clone() })
    }

    /// A part, or some of one, came of what was read.
    pub(super) fn something_came(&self) {
        self.counts().between = 0;
    }

    /// Nothing of what still comes is kept.
    pub(super) fn drain(&self) {
        self.counts().drained.get_or_insert(0);
    }

    /// What there was too much of.
    pub(super) fn overrun(&self) -> Option<&'static str> {
        self.counts().overrun
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Metered {
    body: BodyDataStream,
    rest: Bytes,
    has_given: bool,
    meter: Meter,
}

impl Stream for Metered {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let mut counts = this.meter.counts();
        if let Some(drained) = &mut counts.drained {
            this.rest.clear();
            while let Some(Ok(chunk)) = ready!(Pin::new(&mut this.body).poll_next(cx)) {
                *drained = drained.saturating_add(chunk.len());
                if *drained > DRAINED {
                    break;
                }
            }
            return Poll::Ready(None);
        }
        // Whoever reads takes all that is there before it looks at any of it, so that it gets one piece at a time.
        if std::mem::take(&mut this.has_given) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        while this.rest.is_empty() {
            match ready!(Pin::new(&mut this.body).poll_next(cx)) {
                Some(Ok(chunk)) => this.rest = chunk,
                Some(Err(error)) => return Poll::Ready(Some(Err(io::Error::other(error)))),
                None => return Poll::Ready(None),
            }
        }
        let piece = this.rest.split_to(this.rest.len().min(PIECE));
        counts.between = counts.between.saturating_add(piece.len());
        let left = counts.left.checked_sub(piece.len());
        let overrun = match left {
            None => Some("the form has more bytes than its files may have"),
            Some(_) if counts.between > MOST_BETWEEN => {
                Some("what stands before a file, or the headers of one, has more than 64 KiB")
            }
            Some(_) => None,
        };
        counts.left = left.unwrap_or_default();
        if let Some(overrun) = overrun {
            counts.overrun = Some(overrun);
            return Poll::Ready(Some(Err(io::Error::other(overrun))));
        }
        this.has_given = true;
        Poll::Ready(Some(Ok(piece)))
    }
}
