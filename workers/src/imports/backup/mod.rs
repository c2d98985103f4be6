//! A backup brought back: cabinets, pieces with their pre-orders, wishes, and the catalogue entries they name.
//!
//! - **A file is taken whole or not at all.** It is read, checked and rehearsed to its end before anything is
//!   appended; what is wrong with it is told with its place.
//! - **Ids in the file address nothing.** What it holds gets ids derived from the user and the ids it had, so
//!   nobody's things are touched, and bringing the same file back again adds nothing.
//! - **Catalogue entries** are found by barcode, by the MyFigureCollection id, or by slug and name together; what is
//!   unknown is added.
//! - **What is here already wins**: a piece, wish or cabinet that is there is left as it is, and what its owner
//!   deleted since stays deleted. The settings of the account are taken into one that never held anything, a link to
//!   a manga shelf into one that has none.
//! - **Pictures are not in it.** A pinned cover is told by its place, and pinned where the piece has a picture there.

mod account;
mod read;

pub use account::LinkBack;
pub use read::BadBackup;

use account::Account;

use super::runner::Runner;
use super::{ImportError, Mode, Progress, later};
use crate::manga::Manga;
use domain::collection::Collection;
use domain::commands::{BringBack, CatalogueFigure, ChangeCabinets, PinCover, SetWish};
use domain::gtin::Gtin;
use domain::ids::{FigureId, PieceId, UserId};
use domain::picture::Cover;
use domain::refusal::{Code, Refusal};
use domain::stream::{Position, StreamId};
use domain::world::{Command, State, Stop, World};
use event_store::EventStore;
use operational::passwords::Passwords;
use projections::backup::format::{Backup, BackupCover, BackupFigure, CoverKind};
use projections::engine::{Projection, Projections};
use projections::figures::{Figures, queries};
use projections::views::Viewer;
use serde::Serialize;
use sqlx::PgPool;
use std::collections::HashMap;
use std::time::Duration;
use uuid::Uuid;

/// Under which ids of restored things are derived. Changing it would double everybody's next restore.
const NAMESPACE: Uuid = Uuid::from_u128(0x3d0b_9a1e_77c4_5e2f_8b36_c1d5_40a9_6f18);
/// How long the read model of the figures is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a backup was not brought back.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The file is at fault; nothing was done.
    #[error(transparent)]
    Bad(#[from] BadBackup),
    /// The read model of the figures is late or halted, so entries cannot be found; nothing was done.
    #[error("the catalogue's read model is behind, so figures cannot be found; try again in a moment")]
    Behind,
    /// Half-way, for reasons that are not the file's. Bringing it back again goes on from there.
    #[error(transparent)]
    Stopped(#[from] ImportError),
}

/// How many of one kind of thing were brought back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Added now.
    pub new: usize,
    /// Here already.
    pub known: usize,
}

/// What became of pinned covers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Covers {
    /// Pinned now.
    pub new: usize,
    /// The piece has a cover that somebody pinned here.
    pub known: usize,
    /// The piece has no picture at that place: pictures are not in the file.
    pub without_picture: usize,
}

/// What became of a backup.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// Catalogue entries.
    pub figures: Tally,
    /// Cabinets.
    pub cabinets: Tally,
    /// Pieces.
    pub pieces: Tally,
    /// Wishes.
    pub wishes: Tally,
    /// Pinned covers.
    pub covers: Covers,
    /// Whether the settings of the account are those of the file now: so it is where the account never held anything.
    pub settings: bool,
    /// What became of the link to a manga shelf; absent where the file has none.
    pub manga_link: Option<LinkBack>,
    /// Read models at this position show it; absent when nothing was run.
    #[serde(skip)]
    pub position: Option<Position>,
}

/// The id that something has from now on.
pub(super) fn derived(user: UserId, kind: &str, id: Uuid) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("{kind}\0{user}\0{id}").as_bytes())
}

/// One thing to bring back.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    Figure(Box<CatalogueFigure>),
    Cabinet(ChangeCabinets),
    Piece(Box<BringBack>),
    Cover(PinCover),
    Wish(SetWish),
}

impl Step {
    fn streams(&self) -> Vec<StreamId> {
        match self {
            Self::Figure(figure) => figure.streams(),
            Self::Cabinet(change) => vec![StreamId::Collection(change.user_id)],
            Self::Piece(piece) => piece.streams(),
            Self::Cover(pin) => vec![StreamId::Collection(pin.user_id)],
            Self::Wish(wish) => vec![StreamId::Collection(wish.user_id), StreamId::Figure(wish.figure_id)],
        }
    }

    fn count(&self, all: &mut Restored, is_new: bool) {
        let tally = match self {
            Self::Figure(_) => &mut all.figures,
            Self::Cabinet(_) => &mut all.cabinets,
            Self::Piece(_) => &mut all.pieces,
            Self::Wish(_) => &mut all.wishes,
            Self::Cover(_) => {
                all.covers.new += 1;
                return;
            }
        };
        if is_new {
            tally.new += 1;
        } else {
            tally.known += 1;
        }
    }
}

/// Whether it is new; what refuses with one of these codes is here already.
fn unless<A>(outcome: Result<A, Stop>, here: &[Code]) -> Result<bool, Stop> {
    match outcome {
        Ok(_) => Ok(true),
        Err(Stop::Refused(refusal)) if here.contains(&refusal.code) => Ok(false),
        Err(stop) => Err(stop),
    }
}

impl Command for Step {
    /// Whether it is new.
    type Answer = bool;
    const NAME: &'static str = "restore_backup";

    fn decide(&self, world: &mut World) -> Result<bool, Stop> {
        match self {
            Self::Figure(figure) => figure.decide(world).map(|done| !done.existed),
            Self::Cabinet(change) => unless(change.decide(world), &[Code::CabinetNameTaken]),
            Self::Piece(piece) => piece.decide(world),
            Self::Cover(pin) => pin.decide(world).map(|_piece| true),
            // It asks for a wish that is not there yet, so one that is there is not overwritten.
            Self::Wish(wish) => unless(wish.decide(world), &[Code::Stale, Code::AlreadyOwned]),
        }
    }
}

/// A thing to bring back, and where it stands in the file.
struct Planned {
    place: String,
    step: Step,
}

/// Who brings back what.
#[derive(Clone)]
pub struct Request<'a> {
    /// Into whose account.
    pub user: UserId,
    /// The file.
    pub file: &'a [u8],
    /// The codes of the list of figure types; others become `other`.
    pub types: &'a [String],
    /// Whether to append.
    pub mode: Mode,
    /// What accounts are changed with.
    pub passwords: &'a Passwords,
    /// What knows which servers may be asked for manga shelves.
    pub manga: &'a Manga,
}

/// Brings a backup back.
///
/// # Errors
/// [`RestoreError`]; after `Bad` and `Behind` nothing was done.
pub async fn restore(
    store: &EventStore,
    projections: &Projections,
    request: &Request<'_>,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Restored, RestoreError> {
    let backup = read::parse(request.file)?;
    let head = store.head().await.map_err(ImportError::from)?;
    if !projections.wait_for(&[Figures::NAME], head, PATIENCE).await.is_reached() {
        return Err(RestoreError::Behind);
    }
    let home = StreamId::Collection(request.user);
    let (state, version) = store.state_at(&home, None).await.map_err(ImportError::from)?;
    let account = Account::of(&backup, version)?;
    let settings = account.has_settings();
    let known = known(store.pool(), &backup).await.map_err(ImportError::from)?;
    let (pins, covers) = match &state {
        State::Collection(collection) => pins(&backup, request.user, collection),
        _ => (HashMap::new(), Covers::default()),
    };
    let mut restored = Restored { settings, covers, ..Restored::default() };
    restored.figures.known = known.len();
    let planned = read::plan(&backup, request, &known, &pins)?;
    let steps: Vec<Step> = planned.iter().map(|planned| planned.step.clone()).collect();
    // Everything is gone through twice, unless it is only rehearsed.
    let rounds = if request.mode == Mode::DryRun { 1 } else { 2 };
    let so_far = |done: usize| Progress { done, total: steps.len().saturating_mul(rounds) };
    let rehearsal = Runner { store, mode: Mode::DryRun, actor: Some(request.user) };
    let rehearsed = rehearsal.run(&steps, Step::streams, &|at| progress(so_far(at.done))).await?;
    for (planned, outcome) in planned.iter().zip(&rehearsed.outcomes) {
        match outcome {
            Ok(is_new) => planned.step.count(&mut restored, *is_new),
            Err(refusal) => return Err(BadBackup::refused(&planned.place, refusal).into()),
        }
    }
    let manga_link = account.take(store.pool(), request).await?;
    if request.mode == Mode::DryRun {
        return Ok(Restored { manga_link, ..restored });
    }
    let runner = Runner { store, mode: Mode::Append, actor: Some(request.user) };
    let behind = steps.len();
    let ran =
        runner.run(&steps, Step::streams, &|at| progress(so_far(behind.saturating_add(at.done)))).await?;
    let position = later(ran.position, Some(head));
    let mut restored = Restored { position, settings, covers, manga_link, ..Restored::default() };
    restored.figures.known = known.len();
    for (planned, outcome) in planned.iter().zip(ran.outcomes) {
        match outcome {
            Ok(is_new) => planned.step.count(&mut restored, is_new),
            // Something changed here since the rehearsal.
            Err(refusal) => return Err(BadBackup::refused(&planned.place, &refusal).into()),
        }
    }
    Ok(restored)
}

/// The covers that can be pinned, by the ids that their pieces have in the file; and what becomes of the others.
fn pins(backup: &Backup, user: UserId, collection: &Collection) -> (HashMap<Uuid, Cover>, Covers) {
    let (mut pins, mut covers) = (HashMap::new(), Covers::default());
    for piece in &backup.pieces {
        let Some(BackupCover { kind, place }) = piece.cover else { continue };
        let here = collection.pieces.get(&PieceId(derived(user, "piece", piece.id)));
        let pictures = here.and_then(|piece| piece.pictures.as_deref());
        let pinned = pictures.is_some_and(|pictures| pictures.cover.is_some());
        let there = pictures.and_then(|pictures| match kind {
            CoverKind::Photo => pictures.photos.get(place).map(|photo| Cover::PhotoId(photo.photo_id)),
            CoverKind::Scan => pictures.scans.get(place).map(|scan| Cover::ScanId(scan.scan_id)),
        });
        match there {
            _ if pinned => covers.known += 1,
            Some(cover) => {
                pins.insert(piece.id, cover);
            }
            None => covers.without_picture += 1,
        }
    }
    (pins, covers)
}

/// The entries of the file that the catalogue has, by the ids that they have in the file.
async fn known(pool: &PgPool, backup: &Backup) -> sqlx::Result<HashMap<Uuid, FigureId>> {
    let mut known = HashMap::new();
    for figure in &backup.figures {
        if let Some(id) = found(pool, figure).await? {
            known.insert(figure.id, id);
        }
    }
    Ok(known)
}

async fn found(pool: &PgPool, figure: &BackupFigure) -> sqlx::Result<Option<FigureId>> {
    let viewer = Viewer::default();
    if let Some(jan) = figure.jan.as_deref().and_then(|jan| Gtin::new(jan).ok())
        && let Some(found) = queries::find_by_jan(pool, &jan, viewer).await?
    {
        return Ok(Some(FigureId(found.card.id)));
    }
    if let Some(mfc_id) = figure.mfc_id
        && let Some(found) = queries::find_by_mfc_id(pool, mfc_id, viewer).await?
    {
        return Ok(Some(FigureId(found.card.id)));
    }
    if figure.slug.parse::<Uuid>().is_ok() {
        // A slug never looks like an id, and an id addresses nothing here.
        return Ok(None);
    }
    let found = queries::find(pool, &figure.slug, viewer).await?;
    Ok(found.filter(|found| found.card.name == figure.name).map(|found| FigureId(found.card.id)))
}

impl BadBackup {
    fn refused(place: &str, refusal: &Refusal) -> Self {
        let field = match &refusal.field {
            Some(field) => format!("{place}.{field}"),
            None => place.to_owned(),
        };
        Self { field, line: None, reason: refusal.detail.to_string() }
    }
}
