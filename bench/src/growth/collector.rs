//! A collection that grew for years, and the market around it.

use crate::history::{Catalogue, LogWriter};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use domain::collection::{ArchiveReason, CollectionEvent, Condition, Cost, Origin, Sale};
use domain::dates::{Precision, ReleaseDate};
use domain::figure::{FigureEvent, Offer, PriceMove};
use domain::ids::{FigureId, PieceId, PreorderId, UserId};
use domain::money::rates::{RateTable, Rates};
use domain::money::{Amount, Currency, Money};
use domain::preorder::{DateChanged, Placed, PreorderEvent, SlipSource, Status};
use domain::stream::StreamId;
use domain::text::{HttpUrl, Line, Location};

/// How far back everything goes.
pub const DAYS: usize = 1_800;
/// What prices are in, and about how many units of it one euro is.
const CURRENCIES: [(Currency, u64); 4] =
    [(Currency::Eur, 1), (Currency::Usd, 1), (Currency::Jpy, 170), (Currency::Gbp, 1)];

/// The day so many days ago.
pub fn ago(days: usize) -> NaiveDate {
    let days = Days::new(u64::try_from(days).unwrap_or_default());
    Utc::now().date_naive().checked_sub_days(days).unwrap_or_default()
}

fn at(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

fn some_currency(n: usize) -> (Currency, u64) {
    CURRENCIES.get(n % CURRENCIES.len()).copied().unwrap_or((Currency::Eur, 1))
}

/// A price somewhere between 30 and 330 euro.
fn money(log: &mut LogWriter<'_>, n: usize) -> anyhow::Result<Money> {
    let (currency, units) = some_currency(n);
    let whole = (30 + log.random(300)) * units;
    let text = if currency == Currency::Jpy { whole.to_string() } else { format!("{whole}.95") };
    Ok(Money::new(text.parse()?, currency)?)
}

/// A table of rates for every day.
pub fn rates() -> anyhow::Result<Vec<RateTable>> {
    let mut tables = Vec::new();
    for days in 0..=DAYS {
        let cents = i64::try_from(days % 20)?;
        let quote = |code: &str, whole: i64, scale| {
            Ok::<_, anyhow::Error>((code.parse()?, rust_decimal::Decimal::new(whole + cents, scale)))
        };
        let quotes = [
            quote("USD", 11_500, 4)?,
            quote("JPY", 16_500, 2)?,
            quote("GBP", 8_500, 4)?,
            quote("CHF", 9_300, 4)?,
            quote("CAD", 16_100, 4)?,
        ];
        tables.push(RateTable::new(ago(days), quotes)?);
    }
    Ok(tables)
}

/// Writes how the market price of a figure moved, so many times.
pub async fn market(
    log: &mut LogWriter<'_>,
    catalogue: &Catalogue,
    place: usize,
    points: usize,
) -> anyhow::Result<()> {
    let figure = catalogue.figure(place)?.id;
    let store = catalogue.stores.first().copied().ok_or_else(|| anyhow::anyhow!("no stores"))?;
    let offer = Offer {
        provider: Line::new("127.0.0.1:8090")?,
        source: Line::new("harbour")?,
        store_id: store,
        url: HttpUrl::new(&format!("https://harbour.example/item/{place}"))?,
    };
    let mut previous = None;
    let apart = DAYS / points.max(1);
    for point in 0..points {
        let price = money(log, place)?;
        let event = FigureEvent::PriceMoved(Box::new(PriceMove {
            price,
            previous,
            original: None,
            offer: offer.clone(),
            matched_version: None,
            stores: Vec::new(),
            seen_at: at(ago(DAYS - point * apart - place % apart.max(1))),
        }));
        log.tell(StreamId::Figure(figure), None, event).await?;
        previous = Some(price);
    }
    Ok(())
}

/// Writes a collection of so many pieces, of one after the other of the first `owned` figures: some valued, sold or
/// pre-ordered, in four currencies; and 200 wishes for the figures after those.
pub async fn collection(
    log: &mut LogWriter<'_>,
    catalogue: &Catalogue,
    rates: &Rates,
    owned: usize,
    pieces: usize,
) -> anyhow::Result<UserId> {
    let user = UserId(log.id());
    let home = StreamId::Collection(user);
    for n in 0..pieces {
        let figure = catalogue.figure(n % owned)?.id;
        let id = PieceId(log.id());
        let bought = ago(n.wrapping_mul(7) % DAYS);
        let price = money(log, n / 3)?;
        let cost = Cost {
            price: Some(price.amount()),
            shipping: Some("12".parse::<Amount>()?),
            fees: None,
            currency: Some(price.currency()),
            fx_rate: rates.on(bought).and_then(|table| table.eur_for_one(price.currency())),
        };
        let preordered = n % 20 == 7;
        let value = if n % 10 == 3 { Some(money(log, n)?) } else { None };
        let added = CollectionEvent::PieceAdded {
            piece_id: id,
            figure_id: figure,
            preordered,
            condition: (!preordered).then_some(Condition::Displayed),
            cost,
            purchase_date: Some(bought),
            store_id: None,
            location: Some(Location::new(&format!("Detolf {}", n % 40))?),
            notes: None,
            origin: Origin::Purchased,
            origin_from: None,
            value,
            source: None,
        };
        log.tell(home.clone(), Some(user), added).await?;
        if preordered {
            preorder(log, catalogue, user, figure, (id, n), cost).await?;
        }
        if n % 25 == 4 {
            let sale = Some(Sale { price: Some(money(log, n)?), sold_on: Some(ago(n % 300)) });
            let sold =
                CollectionEvent::PiecesArchived { piece_ids: vec![id], reason: ArchiveReason::Sold, sale };
            log.tell(home.clone(), Some(user), sold).await?;
        }
    }
    for n in 0..200 {
        let target = Some(money(log, n)?);
        let figure_id = catalogue.figure(owned + n)?.id;
        log.tell(home.clone(), Some(user), CollectionEvent::Wished { figure_id, target, note: None }).await?;
    }
    Ok(user)
}

/// A pre-order of a piece: received, cancelled or, half of them, still to come.
async fn preorder(
    log: &mut LogWriter<'_>,
    catalogue: &Catalogue,
    user: UserId,
    figure: FigureId,
    (piece, n): (PieceId, usize),
    cost: Cost,
) -> anyhow::Result<()> {
    let (stream, id) = (StreamId::Preorder(piece), PreorderId(log.id()));
    let month = |ahead: usize| {
        let day =
            Utc::now().date_naive().checked_add_days(Days::new(u64::try_from(ahead)?)).unwrap_or_default();
        Ok::<_, anyhow::Error>(ReleaseDate::new(day, Precision::Day)?)
    };
    let announced = month(30 + n % 300)?;
    let (currency, deposit) = (cost.currency, Some("5".parse::<Amount>()?));
    let placed = Placed {
        preorder_id: id,
        user_id: user,
        piece_id: piece,
        figure_id: figure,
        status: Status::Preordered,
        release: Some(announced),
        cost,
        deposit,
        store_id: catalogue.stores.first().copied(),
        tracking_url: None,
        estimated_delivery_days: None,
    };
    log.tell(stream.clone(), Some(user), PreorderEvent::Placed(placed)).await?;
    let slipped = PreorderEvent::ReleaseDateSlipped(DateChanged {
        preorder_id: id,
        previous: announced,
        release: month(60 + n % 300)?,
        source: SlipSource::User,
        note: None,
    });
    log.tell(stream.clone(), Some(user), slipped).await?;
    match n / 20 % 4 {
        0 => {
            let received_at = at(ago(n % DAYS));
            let event = PreorderEvent::Received { preorder_id: id, received_at, condition: None };
            log.tell(stream, Some(user), event).await
        }
        1 => {
            let paid = "5".parse()?;
            let event = PreorderEvent::Cancelled { preorder_id: id, paid, refund: "0".parse()?, currency };
            log.tell(stream, Some(user), event).await?;
            let archived = CollectionEvent::PiecesArchived {
                piece_ids: vec![piece],
                reason: ArchiveReason::Cancelled,
                sale: None,
            };
            log.tell(StreamId::Collection(user), Some(user), archived).await
        }
        _ => Ok(()),
    }
}
