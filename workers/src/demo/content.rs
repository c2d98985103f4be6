//! The made-up figures and the shelves they stand on.

use super::DemoError;
use super::fill::{FillCollection, Step};
use chrono::{DateTime, Days, Months, NaiveDate, NaiveTime, Utc};
use domain::collection::{ArchiveReason, Condition, Cost, Origin, Sale};
use domain::commands::{
    AddPiece, ArchivePieces, BuyLinkByName, CabinetCommand, CancelPreorder, CatalogueFigure, ChangeCabinets,
    EditPreorder, Fate, PieceFields, PlacePreorder, PreorderFields, SetWish, SlipRelease, StepPreorder,
    Steps, ValuePiece,
};
use domain::dates::{Precision, ReleaseDate};
use domain::figure::Details;
use domain::gtin::Gtin;
use domain::ids::{CabinetId, FigureId, PieceId, PreorderId, UserId};
use domain::money::{Amount, Currency, Money};
use domain::preorder::{SlipSource, Status};
use domain::text::{HttpUrl, Line, Name, Note, Prose};
use uuid::Uuid;

/// Under which the demo's ids are derived. Changing it would make a second demo beside the first.
const NAMESPACE: Uuid = Uuid::from_u128(0x0f3a_77d5_1c48_5e9d_bb02_64a1_e8d9_3c17);

/// The name of the demo's line of figures, as in `import:demo:7`.
const LINE: &str = "demo";

/// A figure, in the words of its box. `release` is in months from today.
struct Boxed {
    number: u32,
    name: &'static str,
    figure_type: &'static str,
    maker: &'static str,
    sculptor: &'static str,
    series: &'static [&'static str],
    characters: &'static [&'static str],
    scale: &'static str,
    height_mm: i32,
    version: &'static str,
    release: i32,
    yen: i64,
    jan: &'static str,
    nsfw: bool,
    store: &'static str,
}

/// What a box does not say.
const PLAIN: Boxed = Boxed {
    number: 0,
    name: "",
    figure_type: "scale",
    maker: "",
    sculptor: "",
    series: &[],
    characters: &[],
    scale: "",
    height_mm: 0,
    version: "",
    release: 0,
    yen: 0,
    jan: "",
    nsfw: false,
    store: "",
};

const TIDEWATER: &str = "Tidewater Figures";
const HOSHIKAGE: &str = "Hoshikage Works";
const NINE_BELLS: &str = "Nine Bells";
const CRANE: &str = "Papercrane Studio";
const HOLLOW_TIDE: &str = "Hollow Tide";
const ORCHARD: &str = "Clockwork Orchardists";
const CHOIR: &str = "The Lighthouse Choir";
const MATSURI: &str = "Neon Matsuri Patrol";
const LANTERN_STREET: &str = "Lantern Street Hobby";
const QUAI: &str = "Quai des Figurines";
const SECOND_SHELF: &str = "Second Shelf";

const BOXES: &[Boxed] = &[
    Boxed {
        number: 1,
        name: "Maren Voss: Ebb Keeper",
        maker: TIDEWATER,
        sculptor: "Sana Okuyori",
        series: &[HOLLOW_TIDE],
        characters: &["Maren Voss"],
        scale: "1/7",
        height_mm: 245,
        release: -30,
        yen: 15_800,
        jan: "2000041200375",
        store: LANTERN_STREET,
        ..PLAIN
    },
    Boxed {
        number: 2,
        name: "Maren Voss: Storm Bell Ver.",
        maker: TIDEWATER,
        sculptor: "Sana Okuyori",
        series: &[HOLLOW_TIDE],
        characters: &["Maren Voss"],
        scale: "1/7",
        height_mm: 262,
        version: "Storm Bell Ver.",
        release: -2,
        yen: 19_800,
        jan: "2000041200740",
        store: LANTERN_STREET,
        ..PLAIN
    },
    Boxed {
        number: 3,
        name: "Ilse of the Salt Stairs",
        maker: HOSHIKAGE,
        sculptor: "T. Marrow",
        series: &[HOLLOW_TIDE],
        characters: &["Ilse"],
        scale: "1/8",
        height_mm: 210,
        release: -41,
        yen: 12_400,
        jan: "2000041201112",
        store: QUAI,
        ..PLAIN
    },
    Boxed {
        number: 4,
        name: "Nendoroid Maren Voss",
        figure_type: "nendoroid",
        maker: NINE_BELLS,
        series: &[HOLLOW_TIDE],
        characters: &["Maren Voss"],
        height_mm: 100,
        release: -19,
        yen: 5_900,
        jan: "2000041201488",
        ..PLAIN
    },
    Boxed {
        number: 5,
        name: "Nendoroid Ilse",
        figure_type: "nendoroid",
        maker: NINE_BELLS,
        series: &[HOLLOW_TIDE],
        characters: &["Ilse"],
        height_mm: 100,
        release: -14,
        yen: 5_900,
        ..PLAIN
    },
    Boxed {
        number: 6,
        name: "Pippa Cogwright: First Harvest",
        maker: CRANE,
        sculptor: "Ren Ashigawa",
        series: &[ORCHARD],
        characters: &["Pippa Cogwright"],
        scale: "1/6",
        height_mm: 282,
        release: -25,
        yen: 21_500,
        jan: "2000041201853",
        store: QUAI,
        ..PLAIN
    },
    Boxed {
        number: 7,
        name: "Old Gantry & Pippa: Orchard Rounds",
        figure_type: "statue",
        maker: CRANE,
        sculptor: "Ren Ashigawa",
        series: &[ORCHARD],
        characters: &["Old Gantry", "Pippa Cogwright"],
        scale: "non-scale",
        height_mm: 340,
        version: "Orchard Rounds",
        release: -9,
        yen: 48_000,
        ..PLAIN
    },
    Boxed {
        number: 8,
        name: "figma Pippa Cogwright",
        figure_type: "figma",
        maker: NINE_BELLS,
        series: &[ORCHARD],
        characters: &["Pippa Cogwright"],
        height_mm: 140,
        release: -16,
        yen: 9_900,
        jan: "2000041202225",
        ..PLAIN
    },
    Boxed {
        number: 9,
        name: "Choirmaster Oriel",
        maker: HOSHIKAGE,
        sculptor: "Sana Okuyori",
        series: &[CHOIR],
        characters: &["Oriel"],
        scale: "1/7",
        height_mm: 250,
        release: -12,
        yen: 17_600,
        jan: "2000041202591",
        store: LANTERN_STREET,
        ..PLAIN
    },
    Boxed {
        number: 10,
        name: "Oriel & Tam: Fog Signal Duet",
        maker: HOSHIKAGE,
        sculptor: "Sana Okuyori",
        series: &[CHOIR],
        characters: &["Oriel", "Tam"],
        scale: "1/7",
        height_mm: 258,
        version: "Fog Signal Duet",
        release: -5,
        yen: 26_400,
        store: LANTERN_STREET,
        ..PLAIN
    },
    Boxed {
        number: 11,
        name: "Tam, Keeper's Apprentice",
        figure_type: "prize",
        maker: TIDEWATER,
        series: &[CHOIR],
        characters: &["Tam"],
        height_mm: 180,
        release: -22,
        ..PLAIN
    },
    Boxed {
        number: 12,
        name: "Tam, Keeper's Apprentice: Winter Coat",
        figure_type: "prize",
        maker: TIDEWATER,
        series: &[CHOIR],
        characters: &["Tam"],
        height_mm: 180,
        version: "Winter Coat",
        release: -10,
        ..PLAIN
    },
    Boxed {
        number: 13,
        name: "Lighthouse Choir: Bell Box Collection",
        figure_type: "trading",
        maker: NINE_BELLS,
        series: &[CHOIR],
        characters: &["Oriel", "Tam"],
        height_mm: 60,
        release: -7,
        yen: 900,
        ..PLAIN
    },
    Boxed {
        number: 14,
        name: "Akari-07: Night Stall Ver.",
        maker: TIDEWATER,
        sculptor: "T. Marrow",
        series: &[MATSURI],
        characters: &["Akari-07"],
        scale: "1/7",
        height_mm: 268,
        version: "Night Stall Ver.",
        release: -33,
        yen: 18_700,
        jan: "2000041202966",
        store: QUAI,
        ..PLAIN
    },
    Boxed {
        number: 15,
        name: "Akari-07: Bathhouse Off Duty",
        maker: TIDEWATER,
        sculptor: "T. Marrow",
        series: &[MATSURI],
        characters: &["Akari-07"],
        scale: "1/6",
        height_mm: 160,
        version: "Bathhouse Off Duty",
        release: -8,
        yen: 23_100,
        nsfw: true,
        store: QUAI,
        ..PLAIN
    },
    Boxed {
        number: 16,
        name: "Sergeant Dango",
        figure_type: "plamo",
        maker: CRANE,
        series: &[MATSURI],
        characters: &["Sergeant Dango"],
        height_mm: 150,
        release: -18,
        yen: 4_800,
        ..PLAIN
    },
    Boxed {
        number: 17,
        name: "Akari-07: Parade Commander",
        maker: TIDEWATER,
        sculptor: "T. Marrow",
        series: &[MATSURI],
        characters: &["Akari-07"],
        scale: "1/7",
        height_mm: 280,
        version: "Parade Commander",
        release: -1,
        yen: 24_800,
        jan: "2000041203338",
        store: LANTERN_STREET,
        ..PLAIN
    },
    Boxed {
        number: 18,
        name: "Ilse: Drowned Crown",
        maker: HOSHIKAGE,
        sculptor: "T. Marrow",
        series: &[HOLLOW_TIDE],
        characters: &["Ilse"],
        scale: "1/7",
        height_mm: 300,
        version: "Drowned Crown",
        release: -1,
        yen: 24_800,
        store: LANTERN_STREET,
        ..PLAIN
    },
    Boxed {
        number: 19,
        name: "Pippa Cogwright: Winter Grafting",
        maker: CRANE,
        sculptor: "Ren Ashigawa",
        series: &[ORCHARD],
        characters: &["Pippa Cogwright"],
        scale: "1/7",
        height_mm: 240,
        version: "Winter Grafting",
        release: 3,
        yen: 20_900,
        store: QUAI,
        ..PLAIN
    },
    Boxed {
        number: 20,
        name: "Choirmaster Oriel: Last Ferry",
        maker: HOSHIKAGE,
        sculptor: "Sana Okuyori",
        series: &[CHOIR],
        characters: &["Oriel"],
        scale: "1/7",
        height_mm: 255,
        version: "Last Ferry",
        release: -1,
        yen: 22_000,
        store: QUAI,
        ..PLAIN
    },
    Boxed {
        number: 21,
        name: "Maren & Ilse: The Long Low Water",
        figure_type: "statue",
        maker: HOSHIKAGE,
        sculptor: "Sana Okuyori",
        series: &[HOLLOW_TIDE],
        characters: &["Maren Voss", "Ilse"],
        scale: "1/6",
        height_mm: 390,
        version: "The Long Low Water",
        release: 6,
        yen: 64_000,
        store: LANTERN_STREET,
        ..PLAIN
    },
    Boxed {
        number: 22,
        name: "Nendoroid Akari-07",
        figure_type: "nendoroid",
        maker: NINE_BELLS,
        series: &[MATSURI],
        characters: &["Akari-07"],
        height_mm: 100,
        release: -4,
        yen: 6_400,
        store: LANTERN_STREET,
        ..PLAIN
    },
    Boxed {
        number: 23,
        name: "Nendoroid Doll Oriel",
        figure_type: "nendoroid_doll",
        maker: NINE_BELLS,
        series: &[CHOIR],
        characters: &["Oriel"],
        height_mm: 140,
        release: 5,
        yen: 8_800,
        ..PLAIN
    },
    Boxed {
        number: 24,
        name: "Tam: Lamp Room Dakimakura Cover",
        figure_type: "dakimakura",
        maker: CRANE,
        series: &[CHOIR],
        characters: &["Tam"],
        height_mm: 1600,
        release: -6,
        yen: 11_000,
        ..PLAIN
    },
    Boxed {
        number: 25,
        name: "Sergeant Dango: Festival Armour Ver.",
        figure_type: "plamo",
        maker: CRANE,
        series: &[MATSURI],
        characters: &["Sergeant Dango"],
        height_mm: 165,
        version: "Festival Armour Ver.",
        release: 2,
        yen: 7_200,
        ..PLAIN
    },
];

fn id(of: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, of.as_bytes())
}

fn figure_id(number: u32) -> FigureId {
    FigureId(id(&format!("figure\0{number}")))
}

fn optional<const MAX: usize>(text: &str) -> Result<Option<Line<MAX>>, DemoError> {
    Ok(if text.is_empty() { None } else { Some(Line::new(text)?) })
}

fn names(of: &[&str]) -> Result<Vec<Name>, DemoError> {
    of.iter().map(|n| Ok(Line::new(n)?)).collect()
}

fn money(amount: &str, currency: Currency) -> Result<Money, DemoError> {
    Ok(Money::new(amount.parse()?, currency)?)
}

fn amount(text: &str) -> Result<Option<Amount>, DemoError> {
    Ok(if text.is_empty() { None } else { Some(text.parse()?) })
}

/// The month so many months from today.
fn month(today: NaiveDate, months: i32) -> Result<ReleaseDate, DemoError> {
    let by = Months::new(months.unsigned_abs());
    let day = if months < 0 { today.checked_sub_months(by) } else { today.checked_add_months(by) };
    Ok(ReleaseDate::new(day.unwrap_or(today), Precision::Month)?)
}

/// So many days before today; negative for days to come.
fn ago(today: NaiveDate, days: i64) -> NaiveDate {
    let by = Days::new(days.unsigned_abs());
    let day = if days < 0 { today.checked_add_days(by) } else { today.checked_sub_days(by) };
    day.unwrap_or(today)
}

/// Noon of that day: no time zone makes another day of it.
fn noon(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::from_hms_opt(12, 0, 0).unwrap_or(NaiveTime::MIN)).and_utc()
}

/// The demo's figures, with release dates around today.
pub(super) fn figures(today: NaiveDate) -> Result<Vec<CatalogueFigure>, DemoError> {
    BOXES
        .iter()
        .map(|b| {
            let yen = Amount::new(b.yen.into())?;
            let buy_links = match b.store {
                "" => Vec::new(),
                store => vec![BuyLinkByName {
                    store: Line::new(store)?,
                    path: Line::new(&format!("/figures/{}", b.number))?,
                }],
            };
            Ok(CatalogueFigure {
                figure_id: figure_id(b.number),
                name: Line::new(b.name)?,
                figure_type: Line::new(b.figure_type)?,
                manufacturer: optional(b.maker)?,
                sculptor: optional(b.sculptor)?,
                series: names(b.series)?,
                characters: names(b.characters)?,
                details: Details {
                    scale: optional(b.scale)?,
                    height_mm: Some(b.height_mm),
                    materials: optional(if b.figure_type == "dakimakura" {
                        "Polyester"
                    } else {
                        "PVC, ABS"
                    })?,
                    version_name: optional(b.version)?,
                    description: Some(Prose::new("A figure that exists in this demo only.")?),
                    ..Details::default()
                },
                releases: vec![month(today, b.release)?],
                msrp: if b.yen == 0 { None } else { Some(Money::new(yen, Currency::Jpy)?) },
                jan: if b.jan.is_empty() { None } else { Some(Gtin::new(b.jan)?) },
                mfc_id: None,
                is_nsfw: b.nsfw,
                buy_links,
                imported_as: Some((Line::new(LINE)?, Line::new(&b.number.to_string())?)),
            })
        })
        .collect()
}

/// A piece on a shelf.
struct Shelved {
    figure: u32,
    copy: u32,
    price: &'static str,
    shipping: &'static str,
    fees: &'static str,
    currency: Currency,
    /// Days ago.
    bought: i64,
    store: &'static str,
    place: &'static str,
    condition: Condition,
    note: &'static str,
    /// Who gave it.
    from: &'static str,
    /// The owner's own valuation, in euro.
    value: &'static str,
}

const ON_A_SHELF: Shelved = Shelved {
    figure: 0,
    copy: 1,
    price: "",
    shipping: "",
    fees: "",
    currency: Currency::Eur,
    bought: 0,
    store: "",
    place: "",
    condition: Condition::Displayed,
    note: "",
    from: "",
    value: "",
};

const GLASS: &str = "Glass cabinet";
const DESK: &str = "Desk shelf";
const STORAGE: &str = "Boxes in the wardrobe";

const SHELVED: &[Shelved] = &[
    Shelved {
        figure: 1,
        price: "15800",
        shipping: "2400",
        currency: Currency::Jpy,
        bought: 890,
        store: LANTERN_STREET,
        place: GLASS,
        value: "240",
        note: "Left hand re-glued at the wrist.",
        ..ON_A_SHELF
    },
    Shelved {
        figure: 2,
        price: "159.90",
        shipping: "6.90",
        bought: 41,
        store: QUAI,
        place: GLASS,
        ..ON_A_SHELF
    },
    Shelved {
        figure: 3,
        price: "94.50",
        bought: 1210,
        store: SECOND_SHELF,
        place: GLASS,
        value: "130.50",
        ..ON_A_SHELF
    },
    Shelved {
        figure: 4,
        price: "54.99",
        shipping: "8.50",
        currency: Currency::Usd,
        bought: 560,
        store: "Harbor Minis",
        place: DESK,
        ..ON_A_SHELF
    },
    Shelved {
        figure: 4,
        copy: 2,
        price: "41",
        bought: 120,
        store: SECOND_SHELF,
        place: STORAGE,
        condition: Condition::MibSealed,
        note: "A spare for the swap meet.",
        ..ON_A_SHELF
    },
    Shelved { figure: 5, bought: 400, place: DESK, from: "Noor", note: "Birthday.", ..ON_A_SHELF },
    Shelved { figure: 6, price: "189", shipping: "0", bought: 745, store: QUAI, place: GLASS, ..ON_A_SHELF },
    Shelved {
        figure: 7,
        price: "48000",
        shipping: "9800",
        fees: "11560",
        currency: Currency::Jpy,
        bought: 250,
        store: LANTERN_STREET,
        place: STORAGE,
        condition: Condition::OpenedBox,
        value: "520",
        note: "No shelf deep enough yet.",
        ..ON_A_SHELF
    },
    Shelved {
        figure: 8,
        price: "79.95",
        shipping: "12",
        currency: Currency::Usd,
        bought: 470,
        store: "Harbor Minis",
        place: DESK,
        ..ON_A_SHELF
    },
    Shelved {
        figure: 9,
        price: "17600",
        shipping: "2900",
        fees: "4100",
        currency: Currency::Jpy,
        bought: 350,
        store: LANTERN_STREET,
        place: GLASS,
        value: "165",
        ..ON_A_SHELF
    },
    Shelved { figure: 10, price: "219.90", bought: 140, store: QUAI, place: GLASS, ..ON_A_SHELF },
    Shelved {
        figure: 11,
        price: "22",
        bought: 630,
        store: SECOND_SHELF,
        place: DESK,
        condition: Condition::Loose,
        ..ON_A_SHELF
    },
    Shelved { figure: 12, bought: 280, place: DESK, from: "Uncle Piet", ..ON_A_SHELF },
    Shelved {
        figure: 13,
        price: "900",
        currency: Currency::Jpy,
        bought: 200,
        store: LANTERN_STREET,
        place: DESK,
        note: "Drew the small bell. Again.",
        ..ON_A_SHELF
    },
    Shelved {
        figure: 14,
        price: "132",
        bought: 980,
        store: QUAI,
        place: STORAGE,
        condition: Condition::Damaged,
        note: "Stall roof snapped in the move.",
        ..ON_A_SHELF
    },
    Shelved {
        figure: 15,
        price: "198.50",
        shipping: "7.90",
        bought: 230,
        store: QUAI,
        place: STORAGE,
        condition: Condition::MibSealed,
        ..ON_A_SHELF
    },
    Shelved {
        figure: 16,
        price: "39.90",
        bought: 510,
        store: QUAI,
        condition: Condition::OpenedBox,
        note: "Half built.",
        ..ON_A_SHELF
    },
    Shelved {
        figure: 22,
        price: "58",
        bought: 110,
        store: QUAI,
        condition: Condition::MibSealed,
        ..ON_A_SHELF
    },
];

/// The piece of [`SHELVED`] that was sold, for how much (euro) and how many days ago.
const SOLD: (u32, &str, i64) = (22, "65", 24);

/// Somebody at work on their collection.
struct Collector {
    user: UserId,
    today: NaiveDate,
    steps: Vec<Step>,
}

/// All that happened in the demo's collection.
pub(super) fn collection(user: UserId, today: NaiveDate) -> Result<FillCollection, DemoError> {
    let mut collector = Collector { user, today, steps: Vec::new() };
    for name in [GLASS, DESK, STORAGE] {
        let cabinet_id = CabinetId(collector.own(&format!("cabinet\0{name}")));
        let change = CabinetCommand::Create { cabinet_id, name: Line::new(name)? };
        collector.steps.push(Step::Cabinet(ChangeCabinets { user_id: user, change }));
    }
    for shelved in SHELVED {
        collector.shelve(shelved)?;
    }
    collector.sell()?;
    collector.slipped_and_received()?;
    collector.overdue()?;
    collector.cancelled()?;
    collector.shipped()?;
    collector.awaited()?;
    collector.wishes()?;
    Ok(FillCollection { user_id: user, steps: collector.steps })
}

impl Collector {
    /// An id of this collector's own.
    fn own(&self, of: &str) -> Uuid {
        id(&format!("{}\0{of}", self.user))
    }

    fn piece(&self, figure: u32, copy: u32) -> PieceId {
        PieceId(self.own(&format!("piece\0{figure}\0{copy}")))
    }

    fn shelve(&mut self, shelved: &Shelved) -> Result<(), DemoError> {
        let piece_id = self.piece(shelved.figure, shelved.copy);
        let cost = Cost {
            price: amount(shelved.price)?,
            shipping: amount(shelved.shipping)?,
            fees: amount(shelved.fees)?,
            currency: Some(shelved.currency),
            fx_rate: None,
        };
        let gift = !shelved.from.is_empty();
        let fields = PieceFields {
            condition: Some(shelved.condition),
            cost,
            purchase_date: Some(ago(self.today, shelved.bought)),
            store: optional(shelved.store)?,
            location: optional(shelved.place)?,
            notes: if shelved.note.is_empty() { None } else { Some(Note::new(shelved.note)?) },
            origin: gift.then_some(Origin::Gift),
            origin_from: optional(shelved.from)?,
            value: None,
            source: None,
        };
        let figure_id = figure_id(shelved.figure);
        self.steps.push(Step::Add(Box::new(AddPiece { user_id: self.user, piece_id, figure_id, fields })));
        if !shelved.value.is_empty() {
            let value = Some(money(shelved.value, Currency::Eur)?);
            self.steps.push(Step::Value(ValuePiece { user_id: self.user, piece_id, expected: None, value }));
        }
        Ok(())
    }

    fn sell(&mut self) -> Result<(), DemoError> {
        let (figure, price, days) = SOLD;
        let sale = Sale { price: Some(money(price, Currency::Eur)?), sold_on: Some(ago(self.today, days)) };
        self.steps.push(Step::Archive(Box::new(ArchivePieces {
            user_id: self.user,
            piece_ids: vec![self.piece(figure, 1)],
            expected: None,
            reason: ArchiveReason::Sold,
            sale: Some(sale),
            refund: None,
        })));
        Ok(())
    }

    /// Places a pre-order; amounts are price, shipping and deposit.
    fn place(
        &mut self,
        figure: u32,
        amounts: [&str; 3],
        currency: Currency,
        store: &str,
        ordered: i64,
        release: ReleaseDate,
    ) -> Result<PieceId, DemoError> {
        let piece_id = self.piece(figure, 1);
        let [price, shipping, deposit] = amounts;
        let piece = PieceFields {
            cost: Cost {
                price: amount(price)?,
                shipping: amount(shipping)?,
                currency: Some(currency),
                ..Cost::default()
            },
            purchase_date: Some(ago(self.today, ordered)),
            store: optional(store)?,
            ..PieceFields::default()
        };
        let preorder =
            PreorderFields { release: Some(release), deposit: amount(deposit)?, ..PreorderFields::default() };
        self.steps.push(Step::Place(Box::new(PlacePreorder {
            user_id: self.user,
            piece_id,
            preorder_id: PreorderId(self.own(&format!("preorder\0{figure}"))),
            figure_id: figure_id(figure),
            piece,
            preorder,
        })));
        Ok(piece_id)
    }

    fn slip(
        &mut self,
        piece_id: PieceId,
        release: ReleaseDate,
        source: SlipSource,
        note: &str,
    ) -> Result<(), DemoError> {
        let note = Some(Note::new(note)?);
        let slip = SlipRelease { user_id: self.user, piece_id, expected: None, release, source, note };
        self.steps.push(Step::Slip(Box::new(slip)));
        Ok(())
    }

    fn step(&mut self, piece_id: PieceId, step: Steps) {
        let step = StepPreorder { user_id: self.user, piece_id, expected: None, step };
        self.steps.push(Step::Go(Box::new(step)));
    }

    fn pay_balance(&mut self, piece_id: PieceId) {
        let paid = EditPreorder { balance_paid: Some(true), ..EditPreorder::of(self.user, piece_id) };
        self.steps.push(Step::Edit(Box::new(paid)));
    }

    /// Patience, rewarded.
    fn slipped_and_received(&mut self) -> Result<(), DemoError> {
        let today = self.today;
        let first = month(today, -9)?;
        let piece = self.place(17, ["24800", "3200", ""], Currency::Jpy, LANTERN_STREET, 420, first)?;
        self.slip(
            piece,
            month(today, -6)?,
            SlipSource::ManufacturerAnnouncement,
            "Paint samples were redone.",
        )?;
        self.slip(piece, month(today, -3)?, SlipSource::StoreUpdate, "The shop moved all of the line.")?;
        self.slip(piece, month(today, -1)?, SlipSource::ManufacturerAnnouncement, "Held at the factory.")?;
        self.pay_balance(piece);
        self.step(
            piece,
            Steps::Ship {
                shipped_at: Some(noon(ago(today, 20))),
                tracking_url: Some(HttpUrl::new("https://parcels.example/track/LS-20417")?),
                estimated_delivery_days: Some(9),
            },
        );
        let received_at = Some(noon(ago(today, 12)));
        self.step(piece, Steps::Receive { received_at, condition: Some(Condition::OpenedBox) });
        Ok(())
    }

    /// A deposit is paid and the day has come and gone.
    fn overdue(&mut self) -> Result<(), DemoError> {
        let release = ReleaseDate::new(ago(self.today, 6), Precision::Day)?;
        let piece = self.place(18, ["24800", "", "5000"], Currency::Jpy, LANTERN_STREET, 260, release)?;
        self.step(piece, Steps::To(Status::InProduction));
        Ok(())
    }

    /// The shop closed; some of the deposit never came back.
    fn cancelled(&mut self) -> Result<(), DemoError> {
        let release = month(self.today, 1)?;
        let piece = self.place(20, ["169", "9.90", "40"], Currency::Eur, QUAI, 300, release)?;
        self.steps.push(Step::Cancel(CancelPreorder {
            user_id: self.user,
            piece_id: piece,
            expected: None,
            refund: "15".parse()?,
            fate: Some(Fate::Archive),
        }));
        Ok(())
    }

    /// On its way.
    fn shipped(&mut self) -> Result<(), DemoError> {
        let today = self.today;
        let release = ReleaseDate::new(ago(today, 8), Precision::Day)?;
        let piece = self.place(24, ["74.50", "14", ""], Currency::Usd, "Harbor Minis", 95, release)?;
        self.pay_balance(piece);
        self.step(
            piece,
            Steps::Ship {
                shipped_at: Some(noon(ago(today, 3))),
                tracking_url: Some(HttpUrl::new("https://parcels.example/track/HM-7731")?),
                estimated_delivery_days: Some(11),
            },
        );
        Ok(())
    }

    /// Months to go, and one slip already.
    fn awaited(&mut self) -> Result<(), DemoError> {
        let today = self.today;
        let piece = self.place(19, ["175", "8.90", "35"], Currency::Eur, QUAI, 60, month(today, 2)?)?;
        self.slip(piece, month(today, 3)?, SlipSource::StoreUpdate, "A month later than announced.")
    }

    fn wishes(&mut self) -> Result<(), DemoError> {
        let wishes = [
            (21, Some(money("420", Currency::Eur)?), "Only if the base comes in the dark finish."),
            (22, Some(money("45", Currency::Eur)?), "Sold mine too early."),
            (23, Some(money("8000", Currency::Jpy)?), ""),
            (25, Some(money("49.90", Currency::Usd)?), "After the first one is built."),
        ];
        for (figure, target, note) in wishes {
            self.steps.push(Step::Wish(Box::new(SetWish {
                user_id: self.user,
                figure_id: figure_id(figure),
                expected: None,
                target,
                note: if note.is_empty() { None } else { Some(Note::new(note)?) },
            })));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::commands::Many;
    use domain::ids::CommandId;
    use domain::stream::{StreamId, Version};
    use domain::world::{Circumstances, Command, Decided, State, Stop, World};
    use std::collections::{HashMap, HashSet};

    fn run<C: Command>(
        states: &mut HashMap<StreamId, (State, Version)>,
        command: &C,
        today: NaiveDate,
    ) -> (C::Answer, Decided) {
        let circumstances = Circumstances {
            actor: None,
            is_admin: false,
            now: noon(today),
            command_id: CommandId(Uuid::now_v7()),
        };
        loop {
            let mut world = World::new(circumstances, states.clone());
            match command.decide(&mut world) {
                Err(Stop::Load(stream)) => {
                    let empty = (State::empty(&stream), Version::NONE);
                    states.insert(stream, empty);
                }
                Err(Stop::Refused(refusal)) => panic!("{refusal:?}"),
                Ok(answer) => {
                    let decided = world.decided();
                    for staged in &decided.staged {
                        let entry = states
                            .entry(staged.stream.clone())
                            .or_insert_with(|| (State::empty(&staged.stream), Version::NONE));
                        entry.0.apply(&staged.event);
                        entry.1 = entry.1.next();
                    }
                    return (answer, decided);
                }
            }
        }
    }

    #[test]
    fn it_fills_on_any_day_and_only_once() {
        for today in ["2026-02-28", "2028-02-29", "2026-12-31", "2027-01-01"] {
            let today: NaiveDate = today.parse().unwrap();
            let mut states = HashMap::new();
            let user = UserId(Uuid::from_u128(5));
            let figures = Many(figures(today).unwrap());
            let (catalogued, _) = run(&mut states, &figures, today);
            assert!(catalogued.iter().all(|c| !c.existed));
            let fill = collection(user, today).unwrap();
            let (filled, decided) = run(&mut states, &fill, today);
            assert!(filled && decided.staged.len() > 40);
            let (again, decided) = run(&mut states, &fill, today);
            assert!(!again && decided.staged.is_empty());
            let (_, decided) = run(&mut states, &figures, today);
            assert!(decided.staged.is_empty());
        }
    }

    #[test]
    fn the_figures_are_told_apart() {
        let numbers: HashSet<u32> = BOXES.iter().map(|b| b.number).collect();
        let names: HashSet<&str> = BOXES.iter().map(|b| b.name).collect();
        assert_eq!((numbers.len(), names.len()), (BOXES.len(), BOXES.len()));
    }

    #[test]
    fn the_shelves_are_as_full_as_promised() {
        let user = UserId(Uuid::from_u128(5));
        let today = "2026-06-15".parse().unwrap();
        let steps = collection(user, today).unwrap().steps;
        let count = |of: fn(&Step) -> bool| steps.iter().filter(|s| of(s)).count();
        assert_eq!(count(|s| matches!(s, Step::Cabinet(_))), 3);
        assert_eq!(count(|s| matches!(s, Step::Add(_))), 18);
        assert_eq!(count(|s| matches!(s, Step::Place(_))), 5);
        assert_eq!(count(|s| matches!(s, Step::Wish(_))), 4);
        assert_eq!(count(|s| matches!(s, Step::Archive(_))), 1);
    }
}
