//! Files in forms: one after the other, bounded in number, bytes and time.
//!
//! At most one file of a request is in memory at any time, and only so many requests are let in at once, so that a
//! thousand uploads take no more memory than a few dozen; the others are told to come again.

mod meter;
#[cfg(test)]
mod tests;

use std::{collections::VecDeque, time::Duration};

use axum::{
    body::{BodyDataStream, Bytes},
    extract::{DefaultBodyLimit, FromRequest, Multipart, Request, multipart::Field},
    http::{StatusCode, header},
};
use domain::picture::{MOST_PICTURE_BYTES, Picture};
use futures::StreamExt;
use tokio::time::{Instant, timeout};
use workers::{
    blobs::BlobError,
    pictures::{Admission, Refused},
};

use self::meter::Meter;
use crate::{
    extract::Idempotency,
    identity::Visitor,
    problem::{
        BODY_CUT_OFF, BODY_TOO_LARGE, BODY_TOO_SLOW, BUSY, Kind, MISSING_FIELD, Problem, UNKNOWN_FIELD,
        UNSUPPORTED_MEDIA_TYPE,
    },
    state::AppState,
};

/// How long nothing of a file may come.
const IDLE: Duration = Duration::from_secs(30);
/// How long one file may take to arrive.
const FILE_WITHIN: Duration = Duration::from_secs(300);
/// How long all of a request may take, making its pictures included.
const ALL_WITHIN: Duration = Duration::from_secs(900);
/// How many bytes of a form there may be beside its files, for each of them and for the form.
const BESIDE_FILES: usize = 16 * 1024;
/// How much of a refused form is still taken in, and for how long, so that the caller gets to read the refusal instead
/// of a broken connection.
const DRAINED: usize = 64 * 1024 * 1024;
const DRAINED_FOR: Duration = Duration::from_secs(15);

/// The body is no form.
pub const MALFORMED_FORM: Kind = Kind::new(
    StatusCode::BAD_REQUEST,
    "malformed_form",
    "send the files as multipart/form-data, each with a file name",
);
/// More files than one request takes.
pub const TOO_MANY_FILES: Kind = Kind::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "too_many_files",
    "these are more files than one request takes",
);
/// One file has too many bytes.
pub const FILE_TOO_LARGE: Kind =
    Kind::new(StatusCode::PAYLOAD_TOO_LARGE, "file_too_large", "a file is larger than this route takes");
/// A file is none of the pictures that are taken.
pub const NOT_A_PICTURE: Kind = Kind::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "not_a_picture",
    "the file is neither a JPEG, a PNG nor a WebP picture",
);
/// A picture has too many pixels.
pub const PICTURE_TOO_LARGE: Kind = Kind::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "picture_too_large",
    "the picture has too many pixels; make it smaller",
);
/// A picture moves.
pub const PICTURE_ANIMATED: Kind = Kind::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "picture_animated",
    "the picture is animated; send one of its frames",
);
/// A picture cannot be decoded.
pub const PICTURE_DAMAGED: Kind = Kind::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "picture_damaged",
    "the picture is damaged, cut off, or of a kind that is not supported; save it again and send that",
);
/// Files cannot be stored or read.
pub const STORAGE_UNAVAILABLE: Kind = Kind::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "storage_unavailable",
    "files cannot be stored or read here for now; try again",
);

/// What a route that takes files may refuse.
pub const FILES: &[Kind] = &[
    BODY_CUT_OFF,
    BODY_TOO_SLOW,
    BUSY,
    FILE_TOO_LARGE,
    MALFORMED_FORM,
    MISSING_FIELD,
    STORAGE_UNAVAILABLE,
    TOO_MANY_FILES,
    UNKNOWN_FIELD,
    UNSUPPORTED_MEDIA_TYPE,
];
/// What a route that takes pictures may refuse beside [`FILES`].
pub const PICTURES: &[Kind] = &[NOT_A_PICTURE, PICTURE_TOO_LARGE, PICTURE_ANIMATED, PICTURE_DAMAGED];

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let said = refused.to_string();
        let kind = match refused {
            Refused::Empty | Refused::NotAPicture(_) => NOT_A_PICTURE,
            Refused::TooManyBytes(_) => FILE_TOO_LARGE,
            Refused::TooLong { .. } | Refused::TooManyPixels { .. } | Refused::TooDense => PICTURE_TOO_LARGE,
            Refused::Animated => PICTURE_ANIMATED,
            Refused::CutOff | Refused::Unsupported(_) | Refused::Damaged(_) => PICTURE_DAMAGED,
            Refused::Busy => return busy(),
            Refused::Blobs(error) => return error.into(),
        };
        Self::from(kind).detail(said)
    }
}

impl From<BlobError> for Problem {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Database(error) => error.into(),
            BlobError::Busy(_) => busy(),
            BlobError::Missing(_) | BlobError::Store(_) => {
                tracing::error!(%error, "a stored file cannot be reached");
                Self::from(STORAGE_UNAVAILABLE).header(header::RETRY_AFTER, 5_i64)
            }
        }
    }
}

fn busy() -> Problem {
    Problem::from(BUSY)
        .detail("too many pictures are on their way at once; try again in a moment")
        .header(header::RETRY_AFTER, 5_i64)
}

/// Which files a route takes.
#[derive(Debug, Clone, Copy)]
pub struct Taken {
    /// The field they stand in.
    pub field: &'static str,
    /// How many at most; at least one is needed.
    pub most: usize,
    /// How many bytes each has at most.
    pub most_bytes: u64,
    /// What is refused with where more come, if `most` is what there is room for and not what a request takes.
    pub full: Option<Kind>,
}

impl Taken {
    /// Pictures in a field.
    #[must_use]
    pub const fn pictures(field: &'static str, most: usize) -> Self {
        Self { field, most, most_bytes: MOST_PICTURE_BYTES, full: None }
    }

    /// The same, but only as many as there is room for.
    #[must_use]
    pub const fn room_for(self, room: usize, full: Kind) -> Self {
        match room < self.most {
            true => Self { most: room, full: Some(full), ..self },
            false => self,
        }
    }
}

/// A file of a form.
#[derive(Debug)]
pub struct File {
    /// What whoever sent it calls it, if they do.
    pub name: Option<String>,
    /// All of it.
    pub content: Bytes,
}

/// The files of a form, as they come. While it lives it has one of the few places for those who send files.
pub struct Files {
    form: Multipart,
    taken: Taken,
    count: usize,
    meter: Meter,
    until: Instant,
    _admission: Option<Admission>,
}

impl Files {
    /// Begins to read a form.
    ///
    /// # Errors
    /// 503 `busy` when too many send files already, or whoever it is does, 415 when the body is no form.
    pub async fn begin(state: &AppState, request: Request, taken: Taken) -> Result<Self, Problem> {
        let is_form = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("multipart/form-data"));
        let admission = match request.extensions().get::<Visitor>() {
            _ if !is_form => None,
            Some(Visitor::Known(user)) => state.pictures.admit_person(user.id),
            _ => state.pictures.admit(),
        };
        let Some(admission) = admission else {
            drain_body(request).await;
            return Err(match is_form {
                true => busy(),
                false => {
                    Problem::from(UNSUPPORTED_MEDIA_TYPE).detail("send the files as multipart/form-data")
                }
            });
        };
        Self::of(request, taken, Some(admission)).await
    }

    async fn of(request: Request, taken: Taken, admission: Option<Admission>) -> Result<Self, Problem> {
        let each = usize::try_from(taken.most_bytes).unwrap_or(usize::MAX).saturating_add(BESIDE_FILES);
        let meter = Meter::new(taken.most.saturating_mul(each).saturating_add(BESIDE_FILES));
        let mut request = request.map(|body| meter.over(body));
        // Each file is counted below, and so is how many there are.
        DefaultBodyLimit::disable().apply(&mut request);
        let form = Multipart::from_request(request, &()).await.map_err(|_| Problem::from(MALFORMED_FORM))?;
        let until = Instant::now() + ALL_WITHIN;
        Ok(Self { form, taken, count: 0, meter, until, _admission: admission })
    }

    /// The next file; none when all of the form was read. What it refuses names the file: `file[2]`.
    ///
    /// # Errors
    /// The refusals in [`FILES`]. The form cannot be read on then.
    pub async fn next(&mut self) -> Result<Option<File>, Problem> {
        let place = format!("{}[{}]", self.taken.field, self.count);
        let left = self.until.saturating_duration_since(Instant::now());
        let read = match left.is_zero() {
            true => Err(BODY_TOO_SLOW.into()),
            false => match timeout(left.min(FILE_WITHIN), self.read()).await {
                Ok(read) => read,
                Err(_late) => Err(BODY_TOO_SLOW.into()),
            },
        };
        match read {
            Ok(Some(file)) => {
                self.count = self.count.saturating_add(1);
                Ok(Some(file))
            }
            Ok(None) if self.count == 0 => {
                let detail = format!("send at least one file in the field {}", self.taken.field);
                Err(Problem::from(MISSING_FIELD).detail(detail).field(self.taken.field))
            }
            Ok(None) => Ok(None),
            Err(problem) => {
                let overrun = self.meter.overrun();
                self.drain().await;
                if let Some(overrun) = overrun {
                    return Err(Problem::from(MALFORMED_FORM).detail(overrun));
                }
                Err(if problem.code() == FILE_TOO_LARGE.code() { problem.field(place) } else { problem })
            }
        }
    }

    async fn read(&mut self) -> Result<Option<File>, Problem> {
        let taken = self.taken;
        let Some(mut field) = timely(self.form.next_field()).await? else { return Ok(None) };
        self.meter.something_came();
        if field.name() != Some(taken.field) {
            let name: String = field.name().unwrap_or_default().chars().take(100).collect();
            let detail = format!("the files belong into the field {}", taken.field);
            return Err(Problem::from(UNKNOWN_FIELD).detail(detail).field(name));
        }
        if self.count >= taken.most {
            if let Some(full) = taken.full {
                return Err(full.into());
            }
            let detail = format!("one request takes at most {} files", taken.most);
            return Err(Problem::from(TOO_MANY_FILES).detail(detail).field(taken.field));
        }
        let name = field.file_name().map(str::to_owned);
        let content = content(&mut field, taken.most_bytes, &self.meter).await?;
        Ok(Some(File { name, content }))
    }

    /// Lets the rest of a refused form come in.
    async fn drain(&mut self) {
        self.meter.drain();
        let rest = async { while let Ok(Some(_part)) = self.form.next_field().await {} };
        // Whether all of it came does not matter any more.
        let _ = timeout(DRAINED_FOR, rest).await;
    }

    /// Refuses what was read, and lets the rest of the form come in.
    pub async fn refuse(mut self, problem: Problem) -> Problem {
        self.drain().await;
        problem
    }
}

/// Refuses a request before its form is read, and lets the form come in, so that the caller gets to read why.
pub async fn turned_away(request: Request, problem: Problem) -> Problem {
    drain_body(request).await;
    problem
}

/// A file that is the whole body.
///
/// # Errors
/// 413 over `most` bytes, 408 when nothing of it comes for 30 seconds or all of it takes more than 15 minutes, 400 when
/// it breaks off.
pub async fn whole(request: Request, most: usize) -> Result<Bytes, Problem> {
    let mut body = request.into_body().into_data_stream();
    let read = timeout(ALL_WITHIN, collected(&mut body, most, IDLE)).await;
    let read = read.unwrap_or_else(|_late| Err(BODY_TOO_SLOW.into()));
    if read.is_err() {
        drain_stream(&mut body).await;
    }
    read
}

async fn collected(body: &mut BodyDataStream, most: usize, idle: Duration) -> Result<Bytes, Problem> {
    let mut whole = Vec::new();
    while let Some(chunk) = timeout(idle, body.next()).await.map_err(|_late| Problem::from(BODY_TOO_SLOW))? {
        let chunk = chunk.map_err(|_broken| Problem::from(BODY_CUT_OFF))?;
        if whole.len().saturating_add(chunk.len()) > most {
            let detail = format!("this route takes at most {most} bytes");
            return Err(Problem::from(BODY_TOO_LARGE).detail(detail));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.into())
}

async fn drain_body(request: Request) {
    drain_stream(&mut request.into_body().into_data_stream()).await;
}

async fn drain_stream(stream: &mut BodyDataStream) {
    let rest = async {
        let mut drained = 0_usize;
        while let Some(Ok(chunk)) = stream.next().await {
            drained = drained.saturating_add(chunk.len());
            if drained > DRAINED {
                return;
            }
        }
    };
    let _ = timeout(DRAINED_FOR, rest).await;
}

async fn content(field: &mut Field<'_>, most: u64, meter: &Meter) -> Result<Bytes, Problem> {
    let mut chunks = VecDeque::new();
    let mut size = 0_usize;
    while let Some(chunk) = timely(field.chunk()).await? {
        meter.something_came();
        size = size.saturating_add(chunk.len());
        if size as u64 > most {
            return Err(Problem::from(FILE_TOO_LARGE).detail(format!("a file has at most {most} bytes here")));
        }
        chunks.push_back(chunk);
    }
    let mut whole = Vec::with_capacity(size);
    while let Some(chunk) = chunks.pop_front() {
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.into())
}

async fn timely<T>(
    next: impl Future<Output = Result<T, axum::extract::multipart::MultipartError>>,
) -> Result<T, Problem> {
    match timeout(IDLE, next).await {
        Ok(Ok(next)) => Ok(next),
        Ok(Err(error)) => {
            // A form that ends before its end was cut off, whoever did that.
            let said = error.body_text();
            tracing::debug!(%error, said, "a form cannot be read");
            let cut = ["incomplete", "stream", "connection", "body"]
                .iter()
                .any(|word| said.to_lowercase().contains(word));
            Err(if cut { BODY_CUT_OFF.into() } else { MALFORMED_FORM.into() })
        }
        Err(_late) => Err(BODY_TOO_SLOW.into()),
    }
}

/// Takes the pictures of a form: made, stored, in the order in which they came. One that is refused refuses all.
///
/// # Errors
/// The refusals in [`FILES`] and [`PICTURES`], with the picture at fault as `field`, such as `file[2]`.
pub async fn pictures(state: &AppState, request: Request, taken: Taken) -> Result<Vec<Picture>, Problem> {
    let mut files = Files::begin(state, request, taken).await?;
    let mut pictures = Vec::new();
    while let Some(file) = files.next().await? {
        match state.pictures.take(file.content).await {
            Ok(picture) => pictures.push(picture),
            Err(refused) => {
                let place = format!("{}[{}]", taken.field, pictures.len());
                return Err(files.refuse(Problem::from(refused).field(place)).await);
            }
        }
    }
    Ok(pictures)
}

/// What makes an upload recognisable when it comes again: its key, with what was made of its files.
#[must_use]
pub fn recognised(key: Option<Idempotency>, pictures: &[Picture]) -> Option<Idempotency> {
    let made: String = pictures.iter().map(|picture| picture.original.to_string()).collect();
    key.map(|key| key.with_body(made.as_bytes()))
}
