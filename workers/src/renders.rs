//! The worker that every server has: it makes films of scans, one after the other, from the same queue as the workers
//! outside. `docs/pictures.md` tells those what to ask for.

use crate::blobs::{BlobError, Blobs};
use crate::pictures::{Pictures, Refused};
use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::ScanId;
use domain::picture::{ImageType, frames_digest};
use operational::renders::{self, Claimed, Made, OVERTAKEN, RenderKind};
use projections::pictures::{self, OwnedScan};
use sqlx::PgPool;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long what a worker took is its, unless it says that it is still at it.
pub const LEASE: TimeDelta = TimeDelta::seconds(60);
/// How often this one says so.
const SAID_EVERY: Duration = Duration::from_secs(20);
/// How often it looks by itself, besides when it is woken.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// What it calls itself.
const NAME: &str = "built in";

/// When what failed is tried again, by how often it was tried.
#[must_use]
pub fn again(attempts: i32) -> DateTime<Utc> {
    Utc::now() + TimeDelta::seconds(30) * attempts.max(1)
}

/// How many are compared with their scans at once.
const AT_ONCE: i64 = 500;

/// Why what was asked for is of no use any more.
#[derive(Debug, thiserror::Error)]
pub enum Useless {
    /// There is nothing to make it of.
    #[error("the scan is no more")]
    Gone,
    /// It would be of frames that nobody sees any more.
    #[error("{}", OVERTAKEN)]
    Overtaken,
    /// That cannot be found out.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// The scan that something was asked for of, as long as it has the frames that it had then.
///
/// # Errors
/// [`Useless`].
pub async fn scan_of(pool: &PgPool, scan: ScanId, frames: Option<&str>) -> Result<OwnedScan, Useless> {
    let scan = pictures::scan(pool, scan).await?.ok_or(Useless::Gone)?;
    match frames {
        Some(frames) if frames != frames_digest(&scan.frames).to_string() => Err(Useless::Overtaken),
        _ => Ok(scan),
    }
}

/// Lets go of what was asked for and made of the frames that a scan had before they were replaced.
///
/// # Errors
/// Whatever the database reports; [`tidy`] does it then.
pub async fn replaced(pool: &PgPool, scan: ScanId) -> sqlx::Result<()> {
    compare(pool, Some(scan), &CancellationToken::new()).await
}

/// The same of all scans, and of those that are no more.
///
/// # Errors
/// Whatever the database reports.
pub async fn tidy(pool: &PgPool, cancelled: &CancellationToken) -> sqlx::Result<()> {
    compare(pool, None, cancelled).await
}

async fn compare(pool: &PgPool, of: Option<ScanId>, cancelled: &CancellationToken) -> sqlx::Result<()> {
    let mut after = None;
    while !cancelled.is_cancelled() {
        // These first, and then the frames: what is asked for meanwhile is left alone.
        let standing = renders::standing(pool, of, after, AT_ONCE).await?;
        let Some(last) = standing.last() else { break };
        after = Some(last.id);
        let scans: BTreeSet<ScanId> = standing.iter().map(|one| ScanId(one.scan_id)).collect();
        let frames = pictures::frames_of(pool, &Vec::from_iter(scans)).await?;
        let (mut gone, mut overtaken) = (Vec::new(), Vec::new());
        for one in &standing {
            match frames.get(&ScanId(one.scan_id)) {
                None => gone.push(one.id),
                // Of which frames it is was not always noted.
                Some(now)
                    if one.frames.as_ref().map_or(of.is_some(), |digest| *digest != now.to_string()) =>
                {
                    overtaken.push(one.id);
                }
                Some(_) => {}
            }
        }
        renders::remove(pool, &gone).await?;
        renders::overtake(pool, &overtaken).await?;
    }
    Ok(())
}

/// Why a film was not made.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Useless(#[from] Useless),
    #[error("the lease ran out")]
    Late,
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Blobs(#[from] BlobError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl Failed {
    /// Whether another try may do better.
    const fn may_pass(&self) -> bool {
        match self {
            Self::Refused(refused) => matches!(refused, Refused::Busy | Refused::Blobs(_)),
            Self::Useless(useless) => matches!(useless, Useless::Database(_)),
            Self::Late | Self::Blobs(_) | Self::Database(_) => true,
        }
    }
}

/// What makes films of scans. A clone is one reference count.
#[derive(Clone)]
pub struct Renders(Arc<Inner>);

struct Inner {
    pool: PgPool,
    blobs: Blobs,
    pictures: Pictures,
    wanted: Notify,
}

/// It works while this lives.
pub struct Rendering {
    task: JoinHandle<()>,
    cancelled: CancellationToken,
}

impl Rendering {
    /// Ends it. What is under way is given back, due at once, and that was no try.
    pub async fn stop(self) {
        self.cancelled.cancel();
        if let Err(error) = self.task.await
            && !error.is_cancelled()
        {
            tracing::error!(%error, "what makes films failed");
        }
    }
}

impl Renders {
    /// Nothing is made until [`Renders::run`].
    #[must_use]
    pub fn new(pool: &PgPool, blobs: &Blobs, pictures: &Pictures) -> Self {
        let (pool, blobs, pictures) = (pool.clone(), blobs.clone(), pictures.clone());
        Self(Arc::new(Inner { pool, blobs, pictures, wanted: Notify::new() }))
    }

    /// Something was asked for.
    pub fn wake(&self) {
        self.0.wanted.notify_one();
    }

    /// Makes what is asked for, until it is stopped.
    #[must_use]
    pub fn run(&self) -> Rendering {
        let (renders, cancelled) = (self.clone(), CancellationToken::new());
        let ending = cancelled.clone();
        let task = tokio::spawn(async move {
            while !ending.is_cancelled() {
                match renders.make_next(&ending).await {
                    Ok(true) => continue,
                    Ok(false) => {}
                    Err(error) => tracing::warn!(%error, "films of scans cannot be made for now"),
                }
                tokio::select! {
                    () = renders.0.wanted.notified() => {}
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                    () = ending.cancelled() => {}
                }
            }
        });
        Rendering { task, cancelled }
    }

    /// Makes the film that is due longest. Whether there was one.
    ///
    /// # Errors
    /// When the database does not answer; the lease runs out then, and it is tried again.
    pub async fn make_next(&self, ending: &CancellationToken) -> sqlx::Result<bool> {
        let pool = &self.0.pool;
        let Some(claimed) = renders::claim(pool, &[RenderKind::Turntable], NAME, LEASE).await? else {
            return Ok(false);
        };
        let making = self.make(&claimed);
        tokio::pin!(making);
        let made = loop {
            tokio::select! {
                // First of all: what fails while the server stops may well fail because it does.
                biased;
                () = ending.cancelled() => {
                    renders::give_back(pool, claimed.id, claimed.lease).await?;
                    return Ok(true);
                }
                made = &mut making => break made,
                () = tokio::time::sleep(SAID_EVERY) => {
                    if renders::go_on(pool, claimed.id, claimed.lease, 0, LEASE).await?.is_none() {
                        break Err(Failed::Late);
                    }
                }
            }
        };
        if let Err(failed) = made {
            tracing::warn!(render = %claimed.id, scan = %claimed.scan_id, error = %failed, "a film was not made");
            let when = failed.may_pass().then(|| again(claimed.attempts));
            renders::fail(pool, claimed.id, claimed.lease, &failed.to_string(), when).await?;
        }
        Ok(true)
    }

    async fn make(&self, claimed: &Claimed) -> Result<(), Failed> {
        let Inner { pool, blobs, pictures: making, .. } = &*self.0;
        let scan = scan_of(pool, ScanId(claimed.scan_id), claimed.frames.as_deref()).await?;
        let mut frames = Vec::new();
        for (n, frame) in scan.frames.iter().enumerate() {
            frames.push(blobs.read(&frame.large).await?);
            let share = n.saturating_mul(40).checked_div(scan.frames.len()).unwrap_or_default();
            let progress = i32::try_from(share).unwrap_or_default();
            renders::go_on(pool, claimed.id, claimed.lease, progress, LEASE).await?.ok_or(Failed::Late)?;
        }
        let film = making.film(frames).await?;
        let bytes = i64::try_from(film.len()).unwrap_or(i64::MAX);
        let media_type = ImageType::WebP.as_str();
        let key = blobs.put(film.into(), media_type).await?;
        let made = Made { key: &key, media_type, bytes };
        match renders::finish(pool, claimed.id, claimed.lease, made).await? {
            true => Ok(()),
            false => Err(Failed::Late),
        }
    }
}
