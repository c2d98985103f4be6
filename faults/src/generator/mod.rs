//! Random requests, as a few collectors and an admin would send them: mostly valid, some to be refused.
//!
//! A generator keeps a small model of what its person has, learnt from the answers, to choose from and to
//! compare with at the end. Whatever several people share (figures, names) lies in a [`Catalogue`].

pub mod account;
mod catalogue;
mod learn;
mod pieces;
mod preorders;
mod words;

use account::Account;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use uuid::Uuid;

/// A write to send.
#[derive(Debug, Clone)]
pub struct Request {
    /// What it is, for reports.
    pub kind: &'static str,
    /// Its method.
    pub method: Method,
    /// Its path and query.
    pub path: String,
    /// Its JSON body.
    pub body: Option<Value>,
    /// A file that is sent as a form, in the place of a body.
    pub file: Option<File>,
    /// Its `Idempotency-Key`.
    pub key: String,
    /// Its `If-Match`.
    pub if_match: Option<String>,
    effect: Effect,
}

/// A file.
#[derive(Debug, Clone)]
pub struct File {
    /// The field of the form.
    pub field: &'static str,
    /// Its name.
    pub name: &'static str,
    /// All of it.
    pub content: Vec<u8>,
}

impl Request {
    /// One that no model takes note of.
    #[must_use]
    pub fn plain(kind: &'static str, method: Method, path: String, body: Value, key: &str) -> Self {
        let (key, effect) = (key.to_owned(), Effect::None);
        Self { kind, method, path, body: Some(body), file: None, key, if_match: None, effect }
    }

    /// Whether the write is one of the log's. Others change rows in place: an account, its keys, its links.
    #[must_use]
    pub const fn is_logged(&self) -> bool {
        !matches!(
            self.effect,
            Effect::Zone(_) | Effect::Key | Effect::KeyGone(_) | Effect::Shared(_) | Effect::ReadAll
        )
    }

    /// The same with an `If-Match`.
    #[must_use]
    pub fn following(self, if_match: Option<String>) -> Self {
        Self { if_match, ..self }
    }
}

/// What an accepted request does to the model.
#[derive(Debug, Clone)]
enum Effect {
    None,
    Figure,
    Entity,
    /// The answer is a piece.
    Piece,
    PieceGone(Uuid),
    /// The answer is a pre-order.
    Preorder,
    Archived(Vec<Uuid>),
    Deleted(Vec<Uuid>),
    Wished(Uuid),
    Unwished(Uuid),
    /// A wish that came true; the answer is a piece.
    Acquired(Uuid),
    Cabinet,
    CabinetGone(Uuid),
    /// The time zone of the account.
    Zone(&'static str),
    /// The answer is an API key.
    Key,
    KeyGone(Uuid),
    /// The wishlist is shared by a link, or no more.
    Shared(bool),
    ReadAll,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status; 202 when the read models were late.
    pub status: u16,
    /// The body; where the read models were late, what was read at `Location` afterwards.
    pub body: Value,
    /// `X-Event-Position`.
    pub position: Option<i64>,
    /// `ETag`.
    pub etag: Option<String>,
}

impl Answer {
    /// Whether the write took place.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// What everybody can point at.
#[derive(Debug, Default)]
pub struct Catalogue {
    figures: BTreeSet<Uuid>,
    entities: BTreeMap<&'static str, BTreeSet<Uuid>>,
}

impl Catalogue {
    /// Figures that were there before.
    pub fn know(&mut self, figures: impl IntoIterator<Item = Uuid>) {
        self.figures.extend(figures);
    }

    /// Every figure, merged ones too.
    #[must_use]
    pub fn figures(&self) -> Vec<Uuid> {
        self.figures.iter().copied().collect()
    }
}

/// One person's catalogue is everybody's.
pub type Shared = Arc<Mutex<Catalogue>>;

/// A piece as the model knows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Piece {
    /// Whether it is in the archive.
    pub archived: bool,
    /// Its pre-order: the id and the status.
    pub preorder: Option<(Uuid, String)>,
    etag: Option<String>,
    paid: Option<String>,
}

/// What a person has, as far as the answers told.
#[derive(Debug, Default)]
pub struct Model {
    /// Every piece that was not deleted.
    pub pieces: BTreeMap<Uuid, Piece>,
    /// Every registered cabinet.
    pub cabinets: BTreeSet<Uuid>,
    /// What they set up beside.
    pub account: Account,
    wishes: BTreeSet<Uuid>,
    figures: Vec<Uuid>,
}

/// Whose requests they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A collector.
    Collector,
    /// Somebody who also merges and corrects what others added.
    Admin,
    /// Somebody who has nothing and only sets up the account.
    Settler,
}

/// Makes one person's requests, each after the answer to the one before.
#[derive(Debug)]
pub struct Generator {
    rng: StdRng,
    name: String,
    role: Role,
    sent: u64,
    shared: Shared,
    /// What the person has.
    pub model: Model,
}

type Draft = Option<(&'static str, Method, String, Option<Value>, Effect)>;

impl Generator {
    /// The requests of one person. `name` starts every key, so it is unique within a database.
    #[must_use]
    pub fn new(seed: u64, name: &str, role: Role, shared: Shared) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
            name: name.to_owned(),
            role,
            sent: 0,
            shared,
            model: Model::default(),
        }
    }

    /// The next request.
    pub fn request(&mut self) -> Request {
        let (kind, method, path, body, effect) = loop {
            if let Some(draft) = self.draft() {
                break draft;
            }
        };
        self.sent = self.sent.saturating_add(1);
        let if_match = self.if_match(&path);
        let key = format!("{}-{}", self.name, self.sent);
        Request { kind, method, path, body, file: None, key, if_match, effect }
    }

    /// Now and then the version that the person last saw of a piece.
    fn if_match(&mut self, path: &str) -> Option<String> {
        let id = path.strip_prefix("/api/me/owned/")?.get(..36)?.parse().ok()?;
        let etag = self.model.pieces.get(&id)?.etag.clone();
        etag.filter(|_| self.rng.random_ratio(1, 4))
    }

    fn draft(&mut self) -> Draft {
        if self.role == Role::Settler || (self.role == Role::Collector && self.rng.random_ratio(1, 14)) {
            return self.account();
        }
        if self.rng.random_ratio(1, 12) {
            return self.nonsense();
        }
        if self.role == Role::Admin && self.rng.random_ratio(1, 3) {
            return match self.rng.random_range(0..10) {
                0..4 => self.merge_figures(),
                4..6 => self.merge_entities(),
                6..8 => self.rename_entity(),
                _ => self.edit_figure(),
            };
        }
        match self.rng.random_range(0..136) {
            0..10 => self.catalogue(),
            10..16 => self.edit_figure(),
            16..18 => self.rename_entity(),
            18..34 => self.add_piece(),
            34..42 => self.edit_piece(),
            42..46 => self.value_piece(),
            46..51 => self.archive(),
            51..56 => self.restore(),
            56..60 => self.delete(),
            60..66 => self.bulk(),
            66..70 => self.arrange(),
            70..76 => self.cabinet(),
            76..84 => self.wish(),
            84..87 => self.unwish(),
            87..91 => self.acquire(),
            91..101 => self.place(),
            101..113 => self.step(),
            113..119 => self.slip(),
            119..124 => self.edit_preorder(),
            124..127 => self.cancel(),
            127..130 => self.replace(),
            _ => self.bulk(),
        }
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        from.choose(&mut self.rng).copied()
    }

    fn word(&mut self, from: &[&'static str]) -> &'static str {
        self.pick(from).unwrap_or_default()
    }

    fn chance(&mut self, in_hundred: u32) -> bool {
        self.rng.random_ratio(in_hundred, 100)
    }

    fn figure(&mut self) -> Option<Uuid> {
        let all: Vec<Uuid> = self.catalogue_now(|c| c.figures.iter().copied().collect());
        // Some figures are everybody's darlings, so that people meet.
        let few = all.get(..all.len().min(8)).unwrap_or_default().to_vec();
        if self.chance(40) { self.pick(&few) } else { self.pick(&all) }
    }

    fn catalogue_now<T>(&self, look: impl FnOnce(&mut Catalogue) -> T) -> T {
        look(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn piece(&mut self, wanted: impl Fn(&Piece) -> bool) -> Option<(Uuid, Piece)> {
        let all: Vec<(Uuid, Piece)> = self
            .model
            .pieces
            .iter()
            .filter(|(_, piece)| wanted(piece))
            .map(|(id, piece)| (*id, piece.clone()))
            .collect();
        all.choose(&mut self.rng).cloned()
    }

    fn pieces(&mut self, wanted: impl Fn(&Piece) -> bool) -> Vec<Uuid> {
        let mut all: Vec<Uuid> =
            self.model.pieces.iter().filter(|(_, piece)| wanted(piece)).map(|(id, _)| *id).collect();
        let most = self.rng.random_range(1..=5);
        while all.len() > most {
            let at = self.rng.random_range(0..all.len());
            all.swap_remove(at);
        }
        all
    }

    fn amount(&mut self, currency: &str, up_to: u32) -> String {
        let whole = self.rng.random_range(1..=up_to);
        if currency == "JPY" {
            format!("{whole}00")
        } else {
            format!("{whole}.{:02}", self.rng.random_range(0..100))
        }
    }

    fn day(&mut self, years: std::ops::RangeInclusive<i32>) -> String {
        let year = self.rng.random_range(years);
        format!("{year}-{:02}-{:02}", self.rng.random_range(1..=12), self.rng.random_range(1..=28))
    }

    /// A release date, as exact as it happens to be.
    fn release(&mut self) -> String {
        let day = self.day(2026..=2029);
        let exact = self.pick(&[4, 7, 7, 10]).unwrap_or(10);
        day.get(..exact).unwrap_or(&day).to_owned()
    }

    fn text(&mut self) -> String {
        let n: u32 = self.rng.random_range(0..1000);
        self.pick(&[
            "box has a dent",
            "from the second run",
            "ボーナスパーツ付き",
            "check the \"seal\"; then decide",
        ])
        .map_or_else(String::new, |text| format!("{text} {n}"))
    }
}

/// The kind of requests that have to be refused.
pub const NONSENSE: &str = "nonsense";

fn has_status(piece: &Piece, wanted: impl Fn(&str) -> bool) -> bool {
    piece.preorder.as_ref().is_some_and(|(_, status)| wanted(status))
}

fn is_live(piece: &Piece) -> bool {
    has_status(piece, |status| status != "cancelled" && status != "received")
}

fn id_of(value: &Value) -> Option<Uuid> {
    value.get("id")?.as_str()?.parse().ok()
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
