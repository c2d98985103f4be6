//! Pictures that people send: told by their bytes, bounded, decoded, made upright, stripped, encoded again and stored.
//!
//! What is kept is always what this made of a picture and never what was sent. `docs/pictures.md` says what becomes of
//! which kind of picture, and how much memory that takes at most.

mod decode;
mod encode;
mod header;
pub mod turntable;

pub use self::header::LookedLike;

use self::encode::Rendered;
use self::header::Header;
use crate::blobs::{BlobError, Blobs};
use bytes::Bytes;
use domain::ids::UserId;
use domain::picture::{ImageType, LONGEST_SIDE, MOST_PICTURE_BYTES, Picture};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const MIB: u64 = 1024 * 1024;
/// How many places one person may have.
const MOST_OF_A_PERSON: usize = 4;
/// How long a picture waits for memory and its turn.
const MOST_WAIT: Duration = Duration::from_secs(60);

/// How much pictures may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How much memory all pictures that are being made take at once, in MiB. One that would take more is refused.
    pub memory_mib: u32,
    /// How many are made at once.
    pub at_once: usize,
    /// How many may be on their way in or wait to be made; more are told to come again.
    pub most_waiting: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self { memory_mib: 768, at_once: cores, most_waiting: 24 }
    }
}

/// Why a picture is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Nothing came.
    #[error("the file is empty")]
    Empty,
    /// More bytes than a picture may have.
    #[error("the picture has {0} bytes; at most 16 MiB are taken")]
    TooManyBytes(u64),
    /// No picture, or of a kind that is not taken.
    #[error("the file is neither a JPEG, a PNG nor a WebP picture{}", .0.map(|it| format!(", but {it}")).unwrap_or_default())]
    NotAPicture(Option<LookedLike>),
    /// A side is too long.
    #[error("the picture is {width} × {height} pixels; a side has at most {LONGEST_SIDE}")]
    TooLong {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
    /// Making it would take more memory than there is for pictures.
    #[error(
        "the picture is {width} × {height} pixels; pictures of this kind have at most {most_megapixels} million here"
    )]
    TooManyPixels {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
        /// How many million this instance takes of such pictures.
        most_megapixels: u64,
    },
    /// Encoded again it has too many bytes.
    #[error("the picture cannot be kept in 32 MiB; make it smaller")]
    TooDense,
    /// It moves.
    #[error("the picture is animated; send one of its frames")]
    Animated,
    /// Its end is missing.
    #[error("the picture is cut off; it did not arrive whole")]
    CutOff,
    /// It uses what is not supported.
    #[error("the picture uses a feature that is not supported: {0}")]
    Unsupported(String),
    /// It cannot be decoded.
    #[error("the picture is damaged: {0}")]
    Damaged(String),
    /// Too many pictures wait already.
    #[error("too many pictures are on their way at once")]
    Busy,
    /// It could not be stored.
    #[error(transparent)]
    Blobs(#[from] BlobError),
}

/// A place among those whose pictures are on their way in. It bounds how many bytes wait in memory.
pub struct Admission {
    _place: OwnedSemaphorePermit,
    person: Option<(Pictures, UserId)>,
}

impl Drop for Admission {
    fn drop(&mut self) {
        let Some((pictures, person)) = self.person.take() else { return };
        let mut people = pictures.people();
        let left = people.remove(&person).unwrap_or_default().saturating_sub(1);
        if left > 0 {
            people.insert(person, left);
        }
    }
}

/// What takes pictures in. A clone is one reference count.
#[derive(Clone)]
pub struct Pictures(Arc<Inner>);

struct Inner {
    blobs: Blobs,
    limits: Limits,
    admitted: Arc<Semaphore>,
    people: Mutex<HashMap<UserId, usize>>,
    waiting: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    memory: Arc<Semaphore>,
}

/// What is held while a picture is made.
struct Turn {
    _turn: OwnedSemaphorePermit,
    memory: OwnedSemaphorePermit,
}

impl Turn {
    /// Ends it, and goes on having as much memory as what was made takes.
    fn ended(self, rendered: &Rendered) -> OwnedSemaphorePermit {
        let Self { _turn, mut memory } = self;
        let bytes =
            [&rendered.original, &rendered.small, &rendered.large].map(Vec::len).iter().sum::<usize>();
        let kept = memory.split(bytes.div_ceil(MIB as usize));
        kept.unwrap_or(memory)
    }
}

impl Pictures {
    /// Nothing is started: it works on the runtime of whoever calls.
    #[must_use]
    pub fn new(blobs: Blobs, limits: Limits) -> Self {
        let memory = usize::try_from(limits.memory_mib).unwrap_or(usize::MAX);
        Self(Arc::new(Inner {
            blobs,
            limits,
            admitted: Arc::new(Semaphore::new(limits.most_waiting)),
            people: Mutex::default(),
            waiting: Arc::new(Semaphore::new(limits.most_waiting)),
            turns: Arc::new(Semaphore::new(limits.at_once.max(1))),
            memory: Arc::new(Semaphore::new(memory)),
        }))
    }

    /// A place for somebody who is about to send pictures, one after the other. None when too many are at it.
    #[must_use]
    pub fn admit(&self) -> Option<Admission> {
        let place = self.0.admitted.clone().try_acquire_owned().ok()?;
        Some(Admission { _place: place, person: None })
    }

    /// The same for one person. None, too, when they have four places already.
    #[must_use]
    pub fn admit_person(&self, person: UserId) -> Option<Admission> {
        let mut people = self.people();
        let places = people.get(&person).copied().unwrap_or_default();
        if places >= MOST_OF_A_PERSON {
            return None;
        }
        let place = self.0.admitted.clone().try_acquire_owned().ok()?;
        people.insert(person, places.saturating_add(1));
        Some(Admission { _place: place, person: Some((self.clone(), person)) })
    }

    fn people(&self) -> MutexGuard<'_, HashMap<UserId, usize>> {
        self.0.people.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a picture of an upload and stores it, at full size and smaller. All of it is stored when this returns, and
    /// stays for a day: until then an event has to name it.
    ///
    /// The same upload gives the same picture.
    ///
    /// # Errors
    /// [`Refused`]. What was stored by then goes by itself.
    pub async fn take(&self, upload: Bytes) -> Result<Picture, Refused> {
        let started = std::time::Instant::now();
        let taken = self.make(upload).await;
        let outcome = match &taken {
            Ok(_) => "taken",
            Err(Refused::Busy) => "busy",
            Err(Refused::Blobs(_)) => "failed",
            Err(_) => "refused",
        };
        metrics::histogram!("figure_ledger_picture_seconds", "outcome" => outcome).record(started.elapsed());
        let (rendered, _memory) = taken?;
        Ok(self.store(rendered).await?)
    }

    async fn make(&self, upload: Bytes) -> Result<(Rendered, OwnedSemaphorePermit), Refused> {
        let size = upload.len() as u64;
        if size > MOST_PICTURE_BYTES {
            return Err(Refused::TooManyBytes(size));
        }
        let _place = self.0.waiting.clone().try_acquire_owned().map_err(|_full| Refused::Busy)?;
        let looked = upload.clone();
        let header = on_its_own(move || Header::read(&looked)).await?;
        let mib = self.cost(&header)?;
        let turn = tokio::time::timeout(MOST_WAIT, self.turn(mib)).await.map_err(|_late| Refused::Busy)??;
        on_its_own(move || {
            let rendered = encode::render(decode::decode(&upload, &header)?, &header)?;
            let memory = turn.ended(&rendered);
            Ok((rendered, memory))
        })
        .await
    }

    /// How much memory it takes to make a picture, in MiB.
    fn cost(&self, header: &Header) -> Result<u32, Refused> {
        let (width, height) = (header.width, header.height);
        let most = u64::from(self.0.limits.memory_mib);
        let each = header.bytes_per_pixel();
        let mib = header.price().div_ceil(MIB).max(1);
        match u32::try_from(mib) {
            Ok(cost) if mib <= most => Ok(cost),
            _ => {
                let most_megapixels = most.saturating_mul(MIB).checked_div(each.saturating_mul(1_000_000));
                Err(Refused::TooManyPixels {
                    width,
                    height,
                    most_megapixels: most_megapixels.unwrap_or_default(),
                })
            }
        }
    }

    /// Waits until one may be made that takes so much memory. What waits for memory has no turn that others could use.
    async fn turn(&self, mib: u32) -> Result<Turn, Refused> {
        let memory = self.0.memory.clone().acquire_many_owned(mib).await.map_err(|_closed| Refused::Busy)?;
        let turn = self.0.turns.clone().acquire_owned().await.map_err(|_closed| Refused::Busy)?;
        Ok(Turn { _turn: turn, memory })
    }

    async fn store(&self, rendered: Rendered) -> Result<Picture, BlobError> {
        let Rendered { original, media_type, width, height, small, large, blurhash } = rendered;
        let bytes = u32::try_from(original.len()).unwrap_or(u32::MAX);
        let webp = ImageType::WebP.as_str();
        let blobs = &self.0.blobs;
        let (original, small, large) = futures::future::try_join3(
            blobs.put(original.into(), media_type.as_str()),
            blobs.put(small.into(), webp),
            blobs.put(large.into(), webp),
        )
        .await?;
        Ok(Picture { original, media_type, bytes, width, height, small, large, blurhash })
    }
}

/// Runs what keeps a processor busy apart from what answers requests. A decoder that panics has met a damaged picture.
async fn on_its_own<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refused> + Send + 'static,
) -> Result<T, Refused> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_panicked| Err(Refused::Damaged("decoding it failed".to_owned())))
}
