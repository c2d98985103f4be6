//! From a file to what it asks for; every fault with its place.

use super::{Planned, Request, Step, derived};
use chrono::{DateTime, SubsecRound, Utc};
use domain::collection::{Condition, Cost, Origin, Sale};
use domain::commands::{
    ArchivedBack, BringBack, BuyLinkByName, CabinetCommand, CatalogueFigure, ChangeCabinets, ChapterBack,
    DateTold, PieceFields, PinCover, SetWish,
};
use domain::dates::{Precision, ReleaseDate};
use domain::figure::Details;
use domain::gtin::Gtin;
use domain::ids::{CabinetId, FigureId, PieceId, PreorderId};
use domain::money::{Amount, Currency, FxRate, Money};
use domain::picture::Cover;
use domain::preorder::Status;
use domain::stream::Version;
use domain::text::{HttpUrl, Line};
use projections::backup::format::{
    Backup, BackupFigure, BackupPiece, BackupPreorder, BackupWish, FORMAT, VERSION,
};
use rust_decimal::Decimal;
use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::str::FromStr;
use uuid::Uuid;

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}{}", .line.map(|line| format!(" (line {line})")).unwrap_or_default())]
pub struct BadBackup {
    /// The field, such as `pieces[3].price_amount`; empty for the file as a whole.
    pub field: String,
    /// The line, where that is known.
    pub line: Option<usize>,
    /// What is wrong with it.
    pub reason: String,
}

pub(super) fn bad(field: impl Into<String>, reason: impl Display) -> BadBackup {
    BadBackup { field: field.into(), line: None, reason: reason.to_string() }
}

/// Reads the file as far as JSON goes.
pub(super) fn parse(file: &[u8]) -> Result<Backup, BadBackup> {
    let file = file.strip_prefix("\u{feff}".as_bytes()).unwrap_or(file);
    let mut json = serde_json::Deserializer::from_slice(file);
    let backup: Backup = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let field = match error.path().to_string().as_str() {
            "." => String::new(),
            path => path.to_owned(),
        };
        BadBackup { field, line: Some(error.inner().line()), reason: error.inner().to_string() }
    })?;
    json.end().map_err(|error| BadBackup {
        field: String::new(),
        line: Some(error.line()),
        reason: "something follows after the end of the backup".to_owned(),
    })?;
    if backup.format != FORMAT {
        return Err(bad("format", format_args!("this is no backup: format is {FORMAT:?} in one")));
    }
    if !(1..=VERSION).contains(&backup.version) {
        return Err(bad("version", format_args!("version {} is not known to this release", backup.version)));
    }
    Ok(backup)
}

/// Where in the file a value stands.
pub(super) struct At(pub(super) String);

impl At {
    pub(super) fn field(&self, name: &str) -> String {
        format!("{}.{name}", self.0)
    }

    pub(super) fn read<T: FromStr<Err: Display>>(&self, name: &str, text: &str) -> Result<T, BadBackup> {
        text.parse().map_err(|error| bad(self.field(name), error))
    }

    pub(super) fn maybe<T: FromStr<Err: Display>>(
        &self,
        name: &str,
        text: Option<&String>,
    ) -> Result<Option<T>, BadBackup> {
        text.map(|text| self.read(name, text)).transpose()
    }

    fn word<T: FromStr>(&self, name: &str, text: &str) -> Result<T, BadBackup> {
        text.parse().map_err(|_unknown| bad(self.field(name), format_args!("{text:?} is not known")))
    }

    fn url(&self, name: &str, text: Option<&String>) -> Result<Option<HttpUrl>, BadBackup> {
        text.map(|text| HttpUrl::new(text).map_err(|error| bad(self.field(name), error))).transpose()
    }

    fn money(
        &self,
        name: &str,
        amount: Option<&String>,
        currency: Option<&String>,
    ) -> Result<Option<Money>, BadBackup> {
        let (amount_field, currency_field) = (format!("{name}_amount"), format!("{name}_currency"));
        let amount: Option<Amount> = self.maybe(&amount_field, amount)?;
        let currency: Option<Currency> = self.maybe(&currency_field, currency)?;
        match (amount, currency) {
            (None, None) => Ok(None),
            (Some(amount), Some(currency)) => {
                Money::new(amount, currency).map(Some).map_err(|error| bad(self.field(&amount_field), error))
            }
            _ => Err(bad(self.field(&currency_field), "an amount and its currency go together")),
        }
    }

    fn rate(&self, text: Option<&String>) -> Result<Option<FxRate>, BadBackup> {
        let rate: Option<Decimal> = self.maybe("price_fx_rate", text)?;
        rate.map(|rate| FxRate::new(rate).map_err(|error| bad(self.field("price_fx_rate"), error)))
            .transpose()
    }

    fn release(
        &self,
        name: &str,
        date: Option<chrono::NaiveDate>,
        precision: Option<&String>,
    ) -> Result<Option<ReleaseDate>, BadBackup> {
        let Some(date) = date else { return Ok(None) };
        let precision: Precision = match precision {
            Some(word) => self.read(name, word)?,
            None => Precision::Day,
        };
        ReleaseDate::new(date, precision).map(Some).map_err(|error| bad(self.field(name), error))
    }
}

fn at_micros(at: DateTime<Utc>) -> DateTime<Utc> {
    at.trunc_subsecs(6)
}

/// What the file asks for, in the order in which it is done.
pub(super) fn plan(
    backup: &Backup,
    request: &Request<'_>,
    known: &HashMap<Uuid, FigureId>,
    covers: &HashMap<Uuid, Cover>,
) -> Result<Vec<Planned>, BadBackup> {
    let user = request.user;
    let mut plan = Vec::new();
    let mut figures: HashMap<Uuid, FigureId> = HashMap::new();
    for (n, figure) in backup.figures.iter().enumerate() {
        let at = At(format!("figures[{n}]"));
        let derived = FigureId(derived(user, "figure", figure.id));
        let id = known.get(&figure.id).copied().unwrap_or(derived);
        if figures.insert(figure.id, id).is_some() {
            return Err(bad(at.field("id"), "another figure of the file has this id"));
        }
        let command = catalogued(&at, figure, derived, request)?;
        if !known.contains_key(&figure.id) {
            plan.push(Planned { place: at.0, step: Step::Figure(Box::new(command)) });
        }
    }
    for (n, cabinet) in backup.cabinets.iter().enumerate() {
        let at = At(format!("cabinets[{n}]"));
        let cabinet_id = CabinetId(derived(user, "cabinet", cabinet.id));
        let change = CabinetCommand::Create { cabinet_id, name: at.read("name", &cabinet.name)? };
        plan.push(Planned { place: at.0, step: Step::Cabinet(ChangeCabinets { user_id: user, change }) });
    }
    let figure_of = |at: &At, id: Uuid| {
        figures.get(&id).copied().ok_or_else(|| bad(at.field("figure_id"), "the file has no such figure"))
    };
    let (mut pieces, mut chapters, mut wishes) = (HashSet::new(), HashSet::new(), HashSet::new());
    for (n, piece) in backup.pieces.iter().enumerate() {
        let at = At(format!("pieces[{n}]"));
        if !pieces.insert(piece.id) {
            return Err(bad(at.field("id"), "another piece of the file has this id"));
        }
        if let Some(twice) = piece.preorders.iter().position(|chapter| !chapters.insert(chapter.id)) {
            return Err(bad(at.field(&format!("preorders[{twice}].id")), "another pre-order has this id"));
        }
        let figure_id = figure_of(&at, piece.figure_id)?;
        let command = brought_back(&at, piece, figure_id, request)?;
        let piece_id = command.piece_id;
        plan.push(Planned { place: at.0.clone(), step: Step::Piece(Box::new(command)) });
        if let Some(cover) = covers.get(&piece.id).copied() {
            let pin = PinCover { user_id: user, piece_id, expected: None, cover: Some(cover) };
            plan.push(Planned { place: at.field("cover"), step: Step::Cover(pin) });
        }
    }
    for (n, wish) in backup.wishes.iter().enumerate() {
        let at = At(format!("wishes[{n}]"));
        let figure_id = figure_of(&at, wish.figure_id)?;
        if !wishes.insert(figure_id) {
            return Err(bad(at.field("figure_id"), "this figure is wished twice"));
        }
        let command = wished(&at, wish, figure_id, request)?;
        plan.push(Planned { place: at.0, step: Step::Wish(command) });
    }
    Ok(plan)
}

fn catalogued(
    at: &At,
    figure: &BackupFigure,
    figure_id: FigureId,
    request: &Request<'_>,
) -> Result<CatalogueFigure, BadBackup> {
    let names = |field: &str, names: &[String]| {
        let name = |(n, name): (usize, &String)| at.read(&format!("{field}[{n}]"), name);
        names.iter().enumerate().map(name).collect::<Result<Vec<_>, _>>()
    };
    let mut releases = Vec::with_capacity(figure.releases.len());
    for (n, release) in figure.releases.iter().enumerate() {
        releases.extend(at.release(
            &format!("releases[{n}]"),
            Some(release.date),
            Some(&release.precision),
        )?);
    }
    let mut buy_links = Vec::with_capacity(figure.buy_links.len());
    for (n, link) in figure.buy_links.iter().enumerate() {
        buy_links.push(BuyLinkByName {
            store: at.read(&format!("buy_links[{n}].store"), &link.store)?,
            path: at.read(&format!("buy_links[{n}].path"), &link.path)?,
        });
    }
    // The list of types is each server's own.
    let known_type = request.types.contains(&figure.figure_type);
    let figure_type = if known_type { figure.figure_type.as_str() } else { "other" };
    let line = |text: &str| Line::new(text).map_err(|error| bad(at.field("id"), error));
    Ok(CatalogueFigure {
        figure_id,
        name: at.read("name", &figure.name)?,
        figure_type: at.read("figure_type", figure_type)?,
        manufacturer: at.maybe("manufacturer", figure.manufacturer.as_ref())?,
        sculptor: at.maybe("sculptor", figure.sculptor.as_ref())?,
        series: names("series", &figure.series)?,
        characters: names("characters", &figure.characters)?,
        details: Details {
            scale: at.maybe("scale", figure.scale.as_ref())?,
            height_mm: figure.height_mm,
            materials: at.maybe("materials", figure.materials.as_ref())?,
            version_name: at.maybe("version_name", figure.version_name.as_ref())?,
            edition: at.maybe("edition", figure.edition.as_ref())?,
            official_image_url: at.url("official_image_url", figure.official_image_url.as_ref())?,
            description: at.maybe("description", figure.description.as_ref())?,
        },
        releases,
        msrp: at.money("msrp", figure.msrp_amount.as_ref(), figure.msrp_currency.as_ref())?,
        jan: figure
            .jan
            .as_ref()
            .map(|jan| Gtin::new(jan).map_err(|error| bad(at.field("jan"), error)))
            .transpose()?,
        mfc_id: figure.mfc_id,
        is_nsfw: figure.is_nsfw,
        buy_links,
        imported_as: Some((line("backup")?, line(&figure_id.to_string())?)),
    })
}

fn brought_back(
    at: &At,
    piece: &BackupPiece,
    figure_id: FigureId,
    request: &Request<'_>,
) -> Result<BringBack, BadBackup> {
    let user = request.user;
    let cost = Cost {
        price: at.maybe("price_amount", piece.price_amount.as_ref())?,
        shipping: at.maybe("shipping_amount", piece.shipping_amount.as_ref())?,
        fees: at.maybe("fees_amount", piece.fees_amount.as_ref())?,
        currency: at.maybe("price_currency", piece.price_currency.as_ref())?,
        fx_rate: at.rate(piece.price_fx_rate.as_ref())?,
    };
    let condition: Option<Condition> =
        piece.condition.as_ref().map(|word| at.word("condition", word)).transpose()?;
    let origin: Origin = at.word("origin", &piece.origin)?;
    let mut chapters = Vec::with_capacity(piece.preorders.len());
    for (n, chapter) in piece.preorders.iter().enumerate() {
        let at = At(at.field(&format!("preorders[{n}]")));
        let chapter = chapter_back(&at, chapter, PreorderId(derived(user, "preorder", chapter.id)))?;
        let is_last = n + 1 == piece.preorders.len();
        if !is_last && chapter.status != Status::Cancelled {
            return Err(bad(at.field("status"), "only a cancelled pre-order was followed by another"));
        }
        if is_last
            && chapter.status != Status::Cancelled
            && chapter.cost.without_fees() != cost.without_fees()
        {
            return Err(bad(at.field("price_amount"), "price, shipping and currency are those of the piece"));
        }
        chapters.push(chapter);
    }
    let archived = match (piece.archived_at, &piece.archive_reason) {
        (None, None) => None,
        (Some(moment), Some(reason)) => {
            let price = at.money("sold", piece.sold_amount.as_ref(), piece.sold_currency.as_ref())?;
            let sale = (price.is_some() || piece.sold_on.is_some())
                .then_some(Sale { price, sold_on: piece.sold_on });
            Some(ArchivedBack { reason: at.word("archive_reason", reason)?, sale, at: at_micros(moment) })
        }
        _ => return Err(bad(at.field("archive_reason"), "archived_at and archive_reason go together")),
    };
    Ok(BringBack {
        user_id: user,
        piece_id: PieceId(derived(user, "piece", piece.id)),
        figure_id,
        piece: PieceFields {
            condition,
            cost,
            purchase_date: piece.purchase_date,
            store: at.maybe("store", piece.store.as_ref())?,
            location: at.maybe("location", piece.location.as_ref())?,
            notes: at.maybe("notes", piece.notes.as_ref())?,
            origin: Some(origin),
            origin_from: at.maybe("origin_from", piece.origin_from.as_ref())?,
            value: at.money("value", piece.value_amount.as_ref(), piece.value_currency.as_ref())?,
            source: None,
        },
        sort_order: piece.sort_order,
        added_at: at_micros(piece.added_at),
        chapters,
        archived,
    })
}

fn chapter_back(at: &At, chapter: &BackupPreorder, id: PreorderId) -> Result<ChapterBack, BadBackup> {
    let status: Status = at.word("status", &chapter.status)?;
    let original = at.release(
        "release_date_original",
        chapter.release_date_original,
        chapter.release_date_original_precision.as_ref(),
    )?;
    let mut dates = Vec::with_capacity(chapter.dates.len());
    for (n, told) in chapter.dates.iter().enumerate() {
        let at = At(at.field(&format!("dates[{n}]")));
        let release = at.release("new_date", Some(told.new_date), Some(&told.new_precision))?;
        let Some(release) = release else { continue };
        dates.push(DateTold {
            release,
            source: at.word("source", &told.source)?,
            note: at.maybe("note", told.note.as_ref())?,
            at: at_micros(told.recorded_at),
        });
    }
    // A date that was named later is the first of the changes; else it was placed with it.
    let named_later = chapter.dates.first().is_some_and(|first| first.previous_date.is_none());
    let days = chapter.estimated_delivery_days.map(u16::try_from).transpose();
    let refund: Option<Amount> = at.maybe("deposit_refund_amount", chapter.deposit_refund_amount.as_ref())?;
    let cancelled = match (status, chapter.cancelled_at) {
        (Status::Cancelled, Some(moment)) => Some((at_micros(moment), refund.unwrap_or(Amount::ZERO))),
        (Status::Cancelled, None) | (_, Some(_)) => {
            return Err(bad(at.field("cancelled_at"), "exactly a cancelled pre-order has it"));
        }
        (_, None) => None,
    };
    if (status == Status::Shipped && chapter.shipped_at.is_none())
        || (status == Status::Received && chapter.received_at.is_none())
    {
        return Err(bad(at.field("status"), "the day that belongs to this status is missing"));
    }
    Ok(ChapterBack {
        preorder_id: id,
        status,
        release_original: original.filter(|_| !named_later),
        dates,
        release: at.release(
            "release_date_current",
            chapter.release_date_current,
            chapter.release_date_precision.as_ref(),
        )?,
        cost: Cost {
            price: at.maybe("price_amount", chapter.price_amount.as_ref())?,
            shipping: at.maybe("shipping_amount", chapter.shipping_amount.as_ref())?,
            fees: None,
            currency: at.maybe("price_currency", chapter.price_currency.as_ref())?,
            fx_rate: at.rate(chapter.price_fx_rate.as_ref())?,
        },
        deposit: at.maybe("deposit_amount", chapter.deposit_amount.as_ref())?,
        store: at.maybe("store", chapter.store.as_ref())?,
        tracking_url: at.url("tracking_url", chapter.tracking_url.as_ref())?,
        estimated_delivery_days: days.map_err(|error| bad(at.field("estimated_delivery_days"), error))?,
        placed_at: at_micros(chapter.placed_at),
        balance_paid_at: chapter.balance_paid_at.map(at_micros),
        shipped_at: chapter.shipped_at.map(at_micros),
        received_at: chapter.received_at.map(at_micros),
        cancelled,
    })
}

fn wished(
    at: &At,
    wish: &BackupWish,
    figure_id: FigureId,
    request: &Request<'_>,
) -> Result<SetWish, BadBackup> {
    Ok(SetWish {
        user_id: request.user,
        figure_id,
        expected: Some(Version::NONE),
        target: at.money("max_price", wish.max_price_amount.as_ref(), wish.max_price_currency.as_ref())?,
        note: at.maybe("note", wish.note.as_ref())?,
    })
}
