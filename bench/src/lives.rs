//! What years of use leave behind: collections that people have lived with.

use crate::history::{Catalogue, LogWriter, cost, day, piece};
use domain::collection::{CollectionEvent, UnwishReason};
use domain::dates::{Precision, ReleaseDate};
use domain::ids::{FigureId, PieceId, PreorderId, UserId};
use domain::money::{Currency, Money};
use domain::preorder::{DateChanged, Placed, PreorderEvent, SlipSource, Status};
use domain::stream::StreamId;
use domain::text::{Location, Note};

/// Writes collections that people have lived with: wishes, pieces, pre-orders and what comes of them, until
/// the log holds so many events.
pub async fn lives(log: &mut LogWriter<'_>, catalogue: &Catalogue, until: i64) -> anyhow::Result<()> {
    while log.position() < until {
        let user = UserId(log.id());
        let wants = 40 + log.random(160);
        let mut pieces = Vec::new();
        for _ in 0..wants {
            if log.position() >= until {
                break;
            }
            let place = usize::try_from(log.random(u64::MAX) >> 1).unwrap_or_default();
            let figure = catalogue.figure(place)?.id;
            one_figure(log, catalogue, user, figure, &mut pieces).await?;
        }
    }
    Ok(())
}

async fn one_figure(
    log: &mut LogWriter<'_>,
    catalogue: &Catalogue,
    user: UserId,
    figure: FigureId,
    pieces: &mut Vec<PieceId>,
) -> anyhow::Result<()> {
    let home = StreamId::Collection(user);
    let wished = log.random(3) == 0;
    if wished {
        let event = CollectionEvent::Wished { figure_id: figure, target: None, note: None };
        log.tell(home.clone(), Some(user), event).await?;
        if log.random(4) == 0 {
            return Ok(());
        }
    }
    let preordered = log.random(2) == 0;
    let id = PieceId(log.id());
    log.tell(home.clone(), Some(user), piece(id, figure, preordered)?).await?;
    pieces.push(id);
    if wished {
        let event = CollectionEvent::Unwished { figure_id: figure, reason: UnwishReason::Owned };
        log.tell(home.clone(), Some(user), event).await?;
    }
    if preordered {
        preorder(log, catalogue, user, figure, id).await?;
    }
    let other = usize::try_from(log.random(u64::MAX) >> 1).unwrap_or_default() % pieces.len().max(1);
    let Some(other) = pieces.get(other).copied() else { return Ok(()) };
    match log.random(6) {
        0 => {
            let location = Some(Location::new("Detolf 2")?);
            let event = CollectionEvent::PiecesMoved { piece_ids: vec![other], location };
            log.tell(home, Some(user), event).await
        }
        1 => {
            let notes = Some(Note::new("The base has a hairline crack at the back; bought it anyway.")?);
            log.tell(home, Some(user), CollectionEvent::PieceNoted { piece_id: other, notes }).await
        }
        2 => {
            let value = Money::new("21000".parse()?, Currency::Jpy)?;
            log.tell(home, Some(user), CollectionEvent::PieceValued { piece_id: other, value }).await
        }
        _ => Ok(()),
    }
}

async fn preorder(
    log: &mut LogWriter<'_>,
    catalogue: &Catalogue,
    user: UserId,
    figure: FigureId,
    piece: PieceId,
) -> anyhow::Result<()> {
    let (stream, id) = (StreamId::Preorder(piece), PreorderId(log.id()));
    let announced = ReleaseDate::new(day(1_500), Precision::Month)?;
    let placed = Placed {
        preorder_id: id,
        user_id: user,
        piece_id: piece,
        figure_id: figure,
        status: Status::Preordered,
        release: Some(announced),
        cost: cost()?,
        deposit: None,
        store_id: catalogue.stores.first().copied(),
        tracking_url: None,
        estimated_delivery_days: None,
    };
    log.tell(stream.clone(), Some(user), PreorderEvent::Placed(placed)).await?;
    if log.random(2) == 0 {
        let event = PreorderEvent::ReleaseDateSlipped(DateChanged {
            preorder_id: id,
            previous: announced,
            release: ReleaseDate::new(day(1_620), Precision::Month)?,
            source: SlipSource::User,
            note: None,
        });
        log.tell(stream.clone(), Some(user), event).await?;
    }
    if log.random(4) == 0 {
        return Ok(());
    }
    let at = log.now();
    let shipped = PreorderEvent::Shipped {
        preorder_id: id,
        shipped_at: at,
        tracking_url: None,
        estimated_delivery_days: Some(7),
    };
    log.tell(stream.clone(), Some(user), shipped).await?;
    let received = PreorderEvent::Received { preorder_id: id, received_at: at, condition: None };
    log.tell(stream, Some(user), received).await
}
