//! Random requests, as a few collectors and an admin would send them: mostly valid, some to be refused.
//!
//! A generator keeps a small model of what its person has, learnt from the answers, to choose from and to
//! compare with at the end. Whatever several people share (figures, names) lies in a [`Catalogue`].

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use uuid::Uuid;

const MAKERS: &[&str] =
    &["Harbour Works", "harbour  works", "Kumo Atelier", "Lantern & Co", "Ōrora", "Pale Fox", "星屑工房"];
const SERIES: &[&str] =
    &["Tides of Cobalt", "tides of cobalt", "Moss Garden", "Paper Comet", "Seventh Bell", "夜行列車"];
const CHARACTERS: &[&str] = &["Mina", "Captain Rook", "Suzu", "The Lamplighter", "Ivo", "ユキ"];
const STORES: &[&str] =
    &["Pier Nine Figures", "pier nine figures", "Harbour Hobby", "Nekoya", "Second Shelf", "月面商店"];
const PLACES: &[&str] = &["Vitrine", "vitrine", "Desk", "Storage box 1", "Hallway", "Upper shelf", "棚"];
const TYPES: &[&str] = &["scale", "nendoroid", "figma", "prize", "statue", "other"];
const CONDITIONS: &[&str] = &["mib_sealed", "opened_box", "displayed", "loose", "damaged"];
const ORIGINS: &[&str] = &["purchased", "gift", "trade", "found", "inherited"];
const REASONS: &[&str] = &["sold", "traded", "lost", "gifted", "other"];
const SOURCES: &[&str] = &["user", "mfc", "anilist", "store_update", "manufacturer_announcement"];
/// The way of a pre-order.
const STEPS: &[&str] =
    &["announced", "preorder_open", "preordered", "in_production", "released", "shipped", "received"];
/// Where in [`STEPS`] a pre-order ships.
const SHIPPED: usize = 5;
const CURRENCIES: &[&str] = &["EUR", "USD", "JPY", "GBP", "CHF", "CAD"];
/// The paths of the kinds of entities, with the field of a figure that shows them.
const KINDS: &[(&str, &str)] = &[
    ("manufacturers", "manufacturer"),
    ("sculptors", "sculptor"),
    ("series", "series"),
    ("characters", "characters"),
    ("stores", "store"),
];

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
    /// Its `Idempotency-Key`.
    pub key: String,
    /// Its `If-Match`.
    pub if_match: Option<String>,
    effect: Effect,
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
        Request { kind, method, path, body, key: format!("{}-{}", self.name, self.sent), if_match, effect }
    }

    /// Now and then the version that the person last saw of a piece.
    fn if_match(&mut self, path: &str) -> Option<String> {
        let id = path.strip_prefix("/api/me/owned/")?.get(..36)?.parse().ok()?;
        let etag = self.model.pieces.get(&id)?.etag.clone();
        etag.filter(|_| self.rng.random_ratio(1, 4))
    }

    fn draft(&mut self) -> Draft {
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

    fn catalogue(&mut self) -> Draft {
        let n: u32 = self.rng.random();
        let mut body = Map::new();
        body.insert("name".into(), json!(format!("{} {n}", self.word(CHARACTERS))));
        body.insert("figure_type".into(), json!(self.word(TYPES)));
        self.credits(&mut body);
        for (field, chance) in [("scale", 40), ("version_name", 20), ("edition", 10), ("materials", 20)] {
            if self.chance(chance) {
                body.insert(field.into(), json!(format!("1/{}", self.rng.random_range(4..12))));
            }
        }
        if self.chance(60) {
            body.insert("release_date".into(), json!(self.release()));
        }
        if self.chance(50) {
            let currency = self.word(CURRENCIES);
            body.insert("msrp_amount".into(), json!(self.amount(currency, 300)));
            body.insert("msrp_currency".into(), json!(currency));
        }
        if self.chance(40) {
            body.insert("jan".into(), json!(self.jan()));
        }
        if self.chance(20) {
            body.insert("mfc_id".into(), json!(self.rng.random_range(1..1_000_000)));
        }
        if self.chance(25) {
            body.insert(
                "buy_links".into(),
                json!([{"store": self.word(STORES), "path": format!("/item/{n}")}]),
            );
        }
        body.insert("is_nsfw".into(), json!(self.chance(8)));
        Some(("catalogue figure", Method::POST, "/api/figures".into(), Some(body.into()), Effect::Figure))
    }

    fn credits(&mut self, body: &mut Map<String, Value>) {
        if self.chance(70) {
            body.insert("manufacturer".into(), json!(self.word(MAKERS)));
        }
        if self.chance(30) {
            body.insert("sculptor".into(), json!(self.word(CHARACTERS)));
        }
        if self.chance(60) {
            let series: Vec<&str> = (0..self.rng.random_range(1..=2)).map(|_| self.word(SERIES)).collect();
            body.insert("series".into(), json!(series));
        }
        if self.chance(60) {
            let characters: Vec<&str> =
                (0..self.rng.random_range(1..=3)).map(|_| self.word(CHARACTERS)).collect();
            body.insert("characters".into(), json!(characters));
        }
    }

    fn jan(&mut self) -> String {
        // Few enough to meet now and then.
        let digits = format!("45805901{:04}", self.rng.random_range(0..2_000));
        let sum: u32 = digits
            .bytes()
            .rev()
            .zip([3_u32, 1].into_iter().cycle())
            .map(|(b, w)| u32::from(b - b'0') * w)
            .sum();
        format!("{digits}{}", (10 - sum % 10) % 10)
    }

    fn edit_figure(&mut self) -> Draft {
        let id = if self.role == Role::Admin {
            self.figure()?
        } else {
            let own = self.model.figures.clone();
            self.pick(&own)?
        };
        let mut body = Map::new();
        match self.rng.random_range(0..7) {
            0 => {
                body.insert("name".into(), json!(format!("{} again {}", self.word(CHARACTERS), self.sent)));
            }
            1 => {
                body.insert("release_date".into(), json!(self.release()));
            }
            2 => self.credits(&mut body),
            3 => {
                body.insert("is_nsfw".into(), json!(self.chance(50)));
            }
            4 => {
                let currency = self.word(CURRENCIES);
                body.insert("msrp_amount".into(), json!(self.amount(currency, 300)));
                body.insert("msrp_currency".into(), json!(currency));
            }
            5 => {
                let jan = if self.chance(30) { Value::Null } else { json!(self.jan()) };
                body.insert("jan".into(), jan);
            }
            _ => {
                body.insert("figure_type".into(), json!(self.word(TYPES)));
                body.insert("description".into(), json!(self.text()));
            }
        }
        Some(("edit figure", Method::PATCH, format!("/api/figures/{id}"), Some(body.into()), Effect::Figure))
    }

    fn entity(&mut self) -> Option<(&'static str, Uuid)> {
        let kind = self.pick(KINDS)?.0;
        let all: Vec<Uuid> = self.catalogue_now(|c| {
            c.entities.get(kind).map(|all| all.iter().copied().collect()).unwrap_or_default()
        });
        Some((kind, self.pick(&all)?))
    }

    fn rename_entity(&mut self) -> Draft {
        let (kind, id) = self.entity()?;
        let body = if kind == "series" && self.chance(40) {
            json!({"mal_id": self.rng.random_range(1..100_000)})
        } else {
            json!({"name": format!("{} {}", self.word(MAKERS), self.rng.random_range(0..1_000))})
        };
        Some(("rename entity", Method::PATCH, format!("/api/{kind}/{id}"), Some(body), Effect::Entity))
    }

    fn merge_figures(&mut self) -> Draft {
        let (loser, winner) = (self.figure()?, self.figure()?);
        let body = json!({"into": winner.to_string()});
        Some((
            "merge figures",
            Method::POST,
            format!("/api/figures/{loser}/merge"),
            Some(body),
            Effect::Figure,
        ))
    }

    fn merge_entities(&mut self) -> Draft {
        let (kind, loser) = self.entity()?;
        let all: Vec<Uuid> = self.catalogue_now(|c| {
            c.entities.get(kind).map(|all| all.iter().copied().collect()).unwrap_or_default()
        });
        let body = json!({"into": self.pick(&all)?.to_string()});
        Some((
            "merge entities",
            Method::POST,
            format!("/api/{kind}/{loser}/merge"),
            Some(body),
            Effect::Entity,
        ))
    }

    /// Price, shipping and currency; `deposit` too where there may be one.
    fn cost(&mut self, body: &mut Map<String, Value>, deposit: bool) {
        if !self.chance(75) {
            return;
        }
        let currency = self.word(CURRENCIES);
        body.insert("price_currency".into(), json!(currency));
        let price = self.rng.random_range(40..=300);
        let cents = if currency == "JPY" { "00" } else { ".50" };
        body.insert("price_amount".into(), json!(format!("{price}{cents}")));
        if self.chance(40) {
            body.insert("shipping_amount".into(), json!(self.amount(currency, 30)));
        }
        if deposit && self.chance(60) {
            body.insert("deposit_amount".into(), json!(self.amount(currency, 39)));
        }
        if !deposit && self.chance(15) {
            body.insert("fees_amount".into(), json!(self.amount(currency, 30)));
        }
    }

    fn add_piece(&mut self) -> Draft {
        let mut body = Map::new();
        body.insert("figure_id".into(), json!(self.figure()?));
        self.describe(&mut body);
        self.cost(&mut body, false);
        if self.chance(20) {
            let currency = self.word(CURRENCIES);
            body.insert("value_amount".into(), json!(self.amount(currency, 500)));
            body.insert("value_currency".into(), json!(currency));
        }
        Some(("add piece", Method::POST, "/api/me/owned".into(), Some(body.into()), Effect::Piece))
    }

    fn describe(&mut self, body: &mut Map<String, Value>) {
        if self.chance(60) {
            body.insert("condition".into(), json!(self.word(CONDITIONS)));
        }
        if self.chance(50) {
            body.insert("location".into(), json!(self.word(PLACES)));
        }
        if self.chance(40) {
            body.insert("store".into(), json!(self.word(STORES)));
        }
        if self.chance(50) {
            body.insert("purchase_date".into(), json!(self.day(2019..=2026)));
        }
        if self.chance(20) {
            body.insert("notes".into(), json!(self.text()));
        }
        if self.chance(30) {
            body.insert("origin".into(), json!(self.word(ORIGINS)));
        }
    }

    fn edit_piece(&mut self) -> Draft {
        let (id, _) = self.piece(|_| true)?;
        let mut body = Map::new();
        self.describe(&mut body);
        if self.chance(30) {
            self.cost(&mut body, false);
        }
        if self.chance(15) {
            let field = self.word(&["condition", "location", "store", "notes", "purchase_date"]);
            body.insert(field.into(), Value::Null);
        }
        Some(("edit piece", Method::PATCH, format!("/api/me/owned/{id}"), Some(body.into()), Effect::Piece))
    }

    fn value_piece(&mut self) -> Draft {
        let (id, _) = self.piece(|_| true)?;
        let path = format!("/api/me/owned/{id}/value");
        if self.chance(30) {
            return Some(("clear value", Method::DELETE, path, None, Effect::Piece));
        }
        let currency = self.word(CURRENCIES);
        let body = json!({"value_amount": self.amount(currency, 900), "value_currency": currency});
        Some(("value piece", Method::PUT, path, Some(body), Effect::Piece))
    }

    fn archive(&mut self) -> Draft {
        let (id, piece) = self.piece(|piece| !piece.archived)?;
        let reason = self.word(REASONS);
        let mut body = json!({"reason": reason});
        if let Some(fields) = body.as_object_mut() {
            if reason == "sold" && self.chance(70) {
                let currency = self.word(CURRENCIES);
                fields.insert("sold_amount".into(), json!(self.amount(currency, 200)));
                fields.insert("sold_currency".into(), json!(currency));
                fields.insert("sold_on".into(), json!(self.day(2024..=2026)));
            }
            if is_live(&piece) && self.chance(80) {
                fields.insert("refund_amount".into(), json!("0"));
            }
        }
        let path = format!("/api/me/owned/{id}/archive");
        Some(("archive piece", Method::POST, path, Some(body), Effect::Piece))
    }

    fn restore(&mut self) -> Draft {
        let (id, _) = self.piece(|piece| piece.archived)?;
        Some(("restore piece", Method::POST, format!("/api/me/owned/{id}/restore"), None, Effect::Piece))
    }

    fn delete(&mut self) -> Draft {
        let (id, piece) = self.piece(|_| true)?;
        let refund = match piece.paid {
            Some(ref paid) if is_live(&piece) => format!("?refund_amount={paid}"),
            _ => String::new(),
        };
        let path = format!("/api/me/owned/{id}{refund}");
        Some(("delete piece", Method::DELETE, path, None, Effect::PieceGone(id)))
    }

    fn bulk(&mut self) -> Draft {
        let path = "/api/me/owned/bulk".to_owned();
        match self.rng.random_range(0..6) {
            0 => {
                let ids = self.pieces(|piece| !piece.archived && !is_live(piece));
                let body = json!({"ids": &ids, "archive": {"reason": self.word(REASONS)}});
                Some(("bulk archive", Method::POST, path, Some(body), Effect::Archived(ids)))
            }
            1 => {
                let ids = self.pieces(|piece| piece.archived && !is_live(piece));
                let body = json!({"ids": &ids, "delete": true});
                Some(("bulk delete", Method::POST, path, Some(body), Effect::Deleted(ids)))
            }
            _ => {
                let ids = self.pieces(|_| true);
                let place = if self.chance(20) { Value::Null } else { json!(self.word(PLACES)) };
                let mut body = json!({"ids": ids, "set_location": place});
                if let Some(fields) = body.as_object_mut()
                    && self.chance(40)
                {
                    fields.insert("set_condition".into(), json!(self.word(CONDITIONS)));
                }
                Some(("bulk edit", Method::POST, path, Some(body), Effect::None))
            }
        }
    }

    fn arrange(&mut self) -> Draft {
        let items: Vec<Value> = self
            .pieces(|_| true)
            .into_iter()
            .map(|id| {
                let place = if self.chance(20) { Value::Null } else { json!(self.word(PLACES)) };
                json!({"id": id, "location": place, "sort_order": self.rng.random_range(-5..50)})
            })
            .collect();
        let body = json!({"items": items});
        Some(("arrange pieces", Method::PUT, "/api/me/owned/arrange".into(), Some(body), Effect::None))
    }

    fn cabinet(&mut self) -> Draft {
        let own: Vec<Uuid> = self.model.cabinets.iter().copied().collect();
        let name = if self.chance(60) {
            self.word(PLACES).to_owned()
        } else {
            format!("{} {}", self.word(PLACES), self.rng.random_range(0..20))
        };
        let path = "/api/me/locations".to_owned();
        match self.rng.random_range(0..6) {
            0..3 => Some(("make cabinet", Method::POST, path, Some(json!({"name": name})), Effect::Cabinet)),
            3 => {
                let id = self.pick(&own)?;
                let body = Some(json!({"name": name}));
                Some(("rename cabinet", Method::PATCH, format!("{path}/{id}"), body, Effect::Cabinet))
            }
            4 => {
                let id = self.pick(&own)?;
                Some((
                    "delete cabinet",
                    Method::DELETE,
                    format!("{path}/{id}"),
                    None,
                    Effect::CabinetGone(id),
                ))
            }
            _ => {
                let mut ids = own;
                let turn = self.rng.random_range(0..ids.len().max(1));
                ids.rotate_left(turn);
                let body = Some(json!({"ids": ids}));
                Some(("order cabinets", Method::PUT, format!("{path}/order"), body, Effect::None))
            }
        }
    }

    fn wish(&mut self) -> Draft {
        let id = self.figure()?;
        let mut body = Map::new();
        if self.chance(60) {
            let currency = self.word(CURRENCIES);
            body.insert("max_price_amount".into(), json!(self.amount(currency, 200)));
            body.insert("max_price_currency".into(), json!(currency));
        }
        if self.chance(30) {
            body.insert("note".into(), json!(self.text()));
        }
        let path = format!("/api/me/wishlist/{id}");
        Some(("wish", Method::PUT, path, Some(body.into()), Effect::Wished(id)))
    }

    fn wished(&mut self) -> Option<Uuid> {
        let all: Vec<Uuid> = self.model.wishes.iter().copied().collect();
        self.pick(&all)
    }

    fn unwish(&mut self) -> Draft {
        let id = self.wished()?;
        Some(("unwish", Method::DELETE, format!("/api/me/wishlist/{id}"), None, Effect::Unwished(id)))
    }

    fn acquire(&mut self) -> Draft {
        let id = self.wished()?;
        let mut body = Map::new();
        self.describe(&mut body);
        self.cost(&mut body, true);
        if self.chance(50) {
            body.insert("release_date".into(), json!(self.release()));
        }
        let path = format!("/api/me/wishlist/{id}/acquire");
        Some(("acquire", Method::POST, path, Some(body.into()), Effect::Acquired(id)))
    }

    fn place(&mut self) -> Draft {
        let mut body = Map::new();
        body.insert("figure_id".into(), json!(self.figure()?));
        self.order(&mut body);
        if self.chance(30) {
            body.insert("location".into(), json!(self.word(PLACES)));
        }
        Some((
            "place pre-order",
            Method::POST,
            "/api/me/preorders".into(),
            Some(body.into()),
            Effect::Preorder,
        ))
    }

    fn order(&mut self, body: &mut Map<String, Value>) {
        self.cost(body, true);
        if self.chance(60) {
            body.insert("release_date".into(), json!(self.release()));
        }
        if self.chance(50) {
            body.insert("store".into(), json!(self.word(STORES)));
        }
        if self.chance(40) {
            body.insert("status".into(), json!(self.word(STEPS.get(..SHIPPED).unwrap_or_default())));
        }
        if self.chance(20) {
            body.insert("tracking_url".into(), json!(format!("https://parcels.example/{}", self.sent)));
        }
    }

    /// A pre-order of a piece, with its status.
    fn preorder(&mut self, wanted: impl Fn(&Piece) -> bool) -> Option<(Uuid, String)> {
        self.piece(|piece| piece.preorder.is_some() && wanted(piece))?.1.preorder
    }

    fn step(&mut self) -> Draft {
        let (id, status) = self.preorder(|piece| has_status(piece, |status| status != "cancelled"))?;
        let at = STEPS.iter().position(|step| *step == status).unwrap_or_default();
        let path = format!("/api/me/preorders/{id}");
        if at < SHIPPED && self.chance(25) {
            let mut body = Map::new();
            if self.chance(50) {
                body.insert("shipped_at".into(), json!(self.day(2025..=2026)));
            }
            if self.chance(50) {
                body.insert("estimated_delivery_days".into(), json!(self.rng.random_range(1..40)));
            }
            return Some(("ship", Method::POST, format!("{path}/ship"), Some(body.into()), Effect::Preorder));
        }
        if at <= SHIPPED && self.chance(if at == SHIPPED { 60 } else { 15 }) {
            let mut body = Map::new();
            if self.chance(60) {
                body.insert("condition".into(), json!(self.word(CONDITIONS)));
            }
            if self.chance(40) {
                body.insert("received_at".into(), json!(self.day(2026..=2026)));
            }
            let path = format!("{path}/receive");
            return Some(("receive", Method::POST, path, Some(body.into()), Effect::Preorder));
        }
        let forwards = self.chance(75);
        let to = if forwards { STEPS.get(at..) } else { STEPS.get(..=at) }.unwrap_or_default();
        let body = json!({"status": self.word(to)});
        Some(("set status", Method::POST, format!("{path}/status"), Some(body), Effect::Preorder))
    }

    fn slip(&mut self) -> Draft {
        let (id, _) = self.preorder(is_live)?;
        let mut body = json!({"new_date": self.release(), "source": self.word(SOURCES)});
        if let Some(fields) = body.as_object_mut()
            && self.chance(30)
        {
            fields.insert("note".into(), json!(self.text()));
        }
        Some(("slip", Method::POST, format!("/api/me/preorders/{id}/slip"), Some(body), Effect::Preorder))
    }

    fn edit_preorder(&mut self) -> Draft {
        let (id, _) = self.preorder(|piece| has_status(piece, |status| status != "cancelled"))?;
        let mut body = Map::new();
        match self.rng.random_range(0..4) {
            0 => {
                body.insert("balance_paid".into(), json!(self.chance(70)));
            }
            1 => self.cost(&mut body, true),
            2 => {
                body.insert("store".into(), json!(self.word(STORES)));
                body.insert("tracking_url".into(), Value::Null);
            }
            _ => {
                body.insert("estimated_delivery_days".into(), json!(self.rng.random_range(1..40)));
            }
        }
        let path = format!("/api/me/preorders/{id}");
        Some(("edit pre-order", Method::PATCH, path, Some(body.into()), Effect::Preorder))
    }

    fn cancel(&mut self) -> Draft {
        let (piece_id, piece) = self.piece(is_live)?;
        let (id, _) = piece.preorder?;
        let path = format!("/api/me/preorders/{id}/cancel");
        if self.chance(40) {
            let refund = piece.paid.unwrap_or_else(|| "0".to_owned());
            let body = json!({"refund_amount": refund, "item": "delete"});
            return Some(("cancel and delete", Method::POST, path, Some(body), Effect::PieceGone(piece_id)));
        }
        Some(("cancel", Method::POST, path, Some(json!({"refund_amount": "0"})), Effect::Preorder))
    }

    fn replace(&mut self) -> Draft {
        let (id, _) =
            self.preorder(|piece| !piece.archived && has_status(piece, |status| status == "cancelled"))?;
        let mut body = Map::new();
        self.order(&mut body);
        let path = format!("/api/me/preorders/{id}/replace");
        Some(("replace", Method::POST, path, Some(body.into()), Effect::Preorder))
    }

    /// Something that has to be refused.
    fn nonsense(&mut self) -> Draft {
        let unknown = Uuid::from_u128(self.rng.random());
        let figure = self.figure()?;
        let owned = "/api/me/owned".to_owned();
        let (method, path, body) = match self.rng.random_range(0..9) {
            0 => (Method::POST, owned, json!({"figure_id": unknown})),
            1 => (
                Method::POST,
                owned,
                json!({"figure_id": figure, "price_amount": "1.234", "price_currency": "EUR"}),
            ),
            2 => (
                Method::POST,
                owned,
                json!({"figure_id": figure, "price_amount": "10", "price_currency": "BTC"}),
            ),
            3 => (Method::PATCH, format!("{owned}/{unknown}"), json!({"notes": "not mine"})),
            4 => {
                let body = json!({
                    "figure_id": figure, "price_amount": "10", "price_currency": "EUR", "deposit_amount": "11"
                });
                (Method::POST, "/api/me/preorders".to_owned(), body)
            }
            5 => (Method::POST, "/api/figures".to_owned(), json!({"name": "Mina", "jan": "4580590123450"})),
            6 => (
                Method::POST,
                "/api/figures".to_owned(),
                json!({"name": "\u{1f980}\u{1f980}", "figure_type": "crab"}),
            ),
            7 => (Method::DELETE, format!("/api/me/wishlist/{unknown}"), Value::Null),
            _ => (Method::POST, format!("{owned}/bulk"), json!({"ids": [unknown], "delete": true})),
        };
        let body = Some(body).filter(|body| !body.is_null());
        Some((NONSENSE, method, path, body, Effect::None))
    }

    /// Takes note of the answer to the latest request.
    pub fn learn(&mut self, request: &Request, answer: &Answer) {
        if !answer.is_accepted() {
            return;
        }
        let body = &answer.body;
        match &request.effect {
            Effect::None => {}
            Effect::Figure => {
                if let Some(id) = id_of(body) {
                    if request.kind == "catalogue figure" {
                        self.model.figures.push(id);
                    }
                    self.catalogue_now(|c| c.figures.insert(id));
                }
                self.see_entities(body);
            }
            Effect::Entity => {}
            Effect::Piece => self.see_piece(answer),
            Effect::Acquired(figure) => {
                self.model.wishes.remove(figure);
                self.see_piece(answer);
            }
            Effect::Preorder => self.see_preorder(answer),
            Effect::PieceGone(id) => {
                self.model.pieces.remove(id);
            }
            Effect::Archived(ids) => {
                for id in ids {
                    if let Some(piece) = self.model.pieces.get_mut(id) {
                        piece.archived = true;
                        piece.etag = None;
                    }
                }
            }
            Effect::Deleted(ids) => self.model.pieces.retain(|id, _| !ids.contains(id)),
            Effect::Wished(figure) => {
                self.model.wishes.insert(*figure);
            }
            Effect::Unwished(figure) => {
                self.model.wishes.remove(figure);
            }
            Effect::Cabinet => self.model.cabinets.extend(id_of(body)),
            Effect::CabinetGone(id) => {
                self.model.cabinets.remove(id);
            }
        }
    }

    fn see_entities(&self, figure: &Value) {
        self.catalogue_now(|catalogue| {
            for (kind, field) in KINDS {
                let shown = figure.get(field).unwrap_or(&Value::Null);
                let one = id_of(shown);
                let many = shown.as_array().into_iter().flatten().filter_map(id_of);
                catalogue.entities.entry(kind).or_default().extend(one.into_iter().chain(many));
            }
        });
    }

    fn see_piece(&mut self, answer: &Answer) {
        let body = &answer.body;
        let Some(id) = id_of(body) else { return };
        self.see_entities(body);
        let piece = self.model.pieces.entry(id).or_default();
        piece.archived = !body["archived_at"].is_null();
        piece.etag = answer.etag.clone();
        piece.preorder = id_of(&body["preorder"]).map(|id| (id, text_of(&body["preorder"]["status"])));
    }

    fn see_preorder(&mut self, answer: &Answer) {
        let body = &answer.body;
        let (Some(id), Some(piece_id)) = (id_of(body), id_of(&body["owned_item"])) else { return };
        self.see_entities(body);
        let piece = self.model.pieces.entry(piece_id).or_default();
        piece.archived = !body["owned_item"]["archived_at"].is_null();
        piece.etag = answer.etag.clone();
        piece.preorder = Some((id, text_of(&body["status"])));
        piece.paid = body["paid_amount"].as_str().map(str::to_owned);
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
