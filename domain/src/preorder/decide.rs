//! The rules of a pre-order: pure, from its state and a command to events or a refusal.

use super::{Chapter, DateChanged, Placed, Preorder, PreorderEvent, SlipSource, Status};
use crate::collection::{Condition, Cost};
use crate::dates::{DateChange, ReleaseDate, sensible_day};
use crate::ids::EntityId;
use crate::money::Amount;
use crate::refusal::{Code, Refusal};
use crate::text::{HttpUrl, Note};
use chrono::{DateTime, Utc};

/// A command on one piece's pre-order.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the fields are those of the events they lead to")]
pub enum PreorderCommand {
    /// Place it, with its piece.
    Place(Box<Placed>),
    /// Place it anew after a cancellation.
    Replace(Box<Placed>),
    /// Go to a status: forward, or back as a correction.
    Step { to: Status, now: DateTime<Utc> },
    /// It left the shop; also corrects the day, tracking and estimate of one on its way.
    Ship {
        shipped_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
        tracking_url: Option<HttpUrl>,
        estimated_delivery_days: Option<u16>,
    },
    /// It is here.
    Receive { received_at: Option<DateTime<Utc>>, now: DateTime<Utc>, condition: Option<Condition> },
    /// A release date was announced.
    Slip { release: ReleaseDate, source: SlipSource, note: Option<Note> },
    /// State price, shipping, currency and deposit.
    RecordCost { cost: Cost, deposit: Option<Amount> },
    /// The balance is paid, or is not after all.
    SetBalance { paid: bool, now: DateTime<Utc> },
    /// Where to follow the parcel.
    RecordTracking { tracking_url: Option<HttpUrl> },
    /// Days from shipping to the door.
    EstimateDelivery { days: Option<u16> },
    /// Where it was ordered.
    RecordStore { store_id: Option<EntityId> },
    /// Call it off.
    Cancel { refund: Amount },
    /// Say when things happened to this chapter where it was kept before.
    Date {
        placed_at: DateTime<Utc>,
        cancelled_at: Option<DateTime<Utc>>,
        told_at: Vec<DateTime<Utc>>,
        now: DateTime<Utc>,
    },
}

fn not_found() -> Refusal {
    Refusal::new(Code::PreorderNotFound, "there is no such pre-order in your collection")
}

fn cancelled() -> Refusal {
    Refusal::new(
        Code::PreorderCancelled,
        "this pre-order was cancelled; restore its piece and place a fresh one with replace",
    )
}

/// Price, shipping, currency and deposit that fit together.
///
/// # Errors
/// `CurrencyMissing`, `InvalidAmount`, `DepositAbovePrice`.
pub fn checked_cost(cost: Cost, deposit: Option<Amount>) -> Result<Cost, Refusal> {
    let cost = cost.without_fees().checked()?;
    if let (Some(price), Some(shipping)) = (cost.price, cost.shipping)
        && price.plus(shipping).is_err()
    {
        return Err(Refusal::new(Code::InvalidAmount, "price and shipping together stay below 10^10")
            .on("shipping_amount"));
    }
    let Some(deposit) = deposit else { return Ok(cost) };
    match (cost.price, cost.currency) {
        (Some(price), Some(currency)) => {
            if !deposit.fits(currency) {
                return Err(Refusal::new(
                    Code::InvalidAmount,
                    format!("{currency} amounts have at most {} decimal places", currency.minor_units()),
                )
                .on("deposit_amount"));
            }
            if deposit > price {
                return Err(Refusal::new(
                    Code::DepositAbovePrice,
                    format!("the deposit is part of the price, so at most {price}"),
                )
                .on("deposit_amount"));
            }
            Ok(cost)
        }
        _ => Err(Refusal::new(Code::DepositAbovePrice, "a deposit needs a price that it is part of")
            .on("deposit_amount")),
    }
}

fn checked_days(days: Option<u16>) -> Result<Option<u16>, Refusal> {
    if days.is_some_and(|d| d > 365) {
        return Err(Refusal::new(Code::InvalidField, "a delivery takes at most 365 days")
            .on("estimated_delivery_days"));
    }
    Ok(days)
}

fn checked_moment(
    at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    field: &'static str,
) -> Result<DateTime<Utc>, Refusal> {
    let Some(at) = at else { return Ok(now) };
    sensible_day(at.date_naive()).map_err(|e| Refusal::new(Code::InvalidDate, e.to_string()).on(field))?;
    // A parcel can be dated tomorrow in a time zone ahead of UTC, not later.
    if at > now + chrono::TimeDelta::days(1) {
        return Err(Refusal::new(Code::InvalidDate, "this day is still to come").on(field));
    }
    Ok(at)
}

impl Preorder {
    /// Decides a command. The same command on the same state always comes to the same.
    ///
    /// # Errors
    /// A refusal with its code; nothing happened then.
    pub fn decide(&self, command: PreorderCommand) -> Result<Vec<PreorderEvent>, Refusal> {
        use PreorderCommand as C;
        match command {
            C::Place(placed) => {
                if self.chapter.is_some() {
                    return Err(Refusal::new(Code::AlreadyExists, "this piece has a pre-order already"));
                }
                Ok(vec![PreorderEvent::Placed(checked_placing(*placed)?)])
            }
            C::Replace(placed) => {
                if self.chapter()?.status != Status::Cancelled {
                    return Err(Refusal::new(
                        Code::PreorderNotCancelled,
                        "only a cancelled pre-order can be replaced; change this one instead",
                    ));
                }
                Ok(vec![PreorderEvent::Replaced(checked_placing(*placed)?)])
            }
            C::Step { to, now } => self.step(to, now),
            C::Ship { shipped_at, now, tracking_url, estimated_delivery_days } => {
                self.ship(shipped_at, now, tracking_url, estimated_delivery_days)
            }
            C::Receive { received_at, now, condition } => self.receive(received_at, now, condition),
            C::Slip { release, source, note } => self.slip(release, source, note),
            C::RecordCost { cost, deposit } => {
                let chapter = self.open_chapter()?;
                let cost = checked_cost(cost, deposit)?;
                if cost == chapter.cost && deposit == chapter.deposit {
                    return Ok(vec![]);
                }
                if chapter.balance_paid && cost.price.is_none() {
                    return Err(Refusal::new(
                        Code::InvalidAmount,
                        "the balance is paid, so the price has to stay known",
                    )
                    .on("price_amount"));
                }
                Ok(vec![PreorderEvent::CostRecorded { preorder_id: chapter.id, cost, deposit }])
            }
            C::SetBalance { paid, now } => {
                let chapter = self.open_chapter()?;
                if paid == chapter.balance_paid {
                    return Ok(vec![]);
                }
                if paid && chapter.cost.price.is_none() {
                    return Err(Refusal::new(
                        Code::InvalidField,
                        "state the price before marking the balance paid",
                    )
                    .on("balance_paid"));
                }
                Ok(vec![if paid {
                    PreorderEvent::BalancePaid { preorder_id: chapter.id, paid_at: now }
                } else {
                    PreorderEvent::BalanceReopened { preorder_id: chapter.id }
                }])
            }
            C::RecordTracking { tracking_url } => {
                let chapter = self.open_chapter()?;
                if tracking_url == chapter.tracking_url {
                    return Ok(vec![]);
                }
                Ok(vec![PreorderEvent::TrackingRecorded { preorder_id: chapter.id, tracking_url }])
            }
            C::EstimateDelivery { days } => {
                let chapter = self.open_chapter()?;
                let days = checked_days(days)?;
                if days == chapter.estimated_delivery_days {
                    return Ok(vec![]);
                }
                Ok(vec![PreorderEvent::DeliveryEstimated { preorder_id: chapter.id, days }])
            }
            C::RecordStore { store_id } => {
                let chapter = self.open_chapter()?;
                if store_id == chapter.store_id {
                    return Ok(vec![]);
                }
                Ok(vec![PreorderEvent::StoreRecorded { preorder_id: chapter.id, store_id }])
            }
            C::Cancel { refund } => self.cancel(refund),
            C::Date { placed_at, cancelled_at, told_at, now } => {
                let chapter = self.chapter()?;
                let cancelled = chapter.status == Status::Cancelled;
                if told_at.iter().chain(&cancelled_at).any(|at| *at > now)
                    || placed_at > now
                    || cancelled != cancelled_at.is_some()
                {
                    return Err(Refusal::new(
                        Code::InvalidDate,
                        "what happened to a pre-order is not still to come, and only a cancelled one was cancelled",
                    )
                    .on("cancelled_at"));
                }
                let preorder_id = chapter.id;
                Ok(vec![PreorderEvent::ChapterDated { preorder_id, placed_at, cancelled_at, told_at }])
            }
        }
    }

    /// The current chapter.
    ///
    /// # Errors
    /// `PreorderNotFound` for a piece without one.
    pub fn chapter(&self) -> Result<&Chapter, Refusal> {
        self.chapter.as_ref().ok_or_else(not_found)
    }

    fn open_chapter(&self) -> Result<&Chapter, Refusal> {
        let chapter = self.chapter()?;
        if chapter.status == Status::Cancelled { Err(cancelled()) } else { Ok(chapter) }
    }

    fn step(&self, to: Status, now: DateTime<Utc>) -> Result<Vec<PreorderEvent>, Refusal> {
        let chapter = self.open_chapter()?;
        let from = chapter.status;
        let (preorder_id, previous) = (chapter.id, from);
        let illegal = |detail: &'static str| Err(Refusal::new(Code::IllegalStatusStep, detail).on("status"));
        if to == from {
            return Ok(vec![]);
        }
        if to == Status::Cancelled {
            return illegal("use cancel, which asks for the refund");
        }
        if to > from {
            return match to {
                Status::Shipped => self.ship(None, now, None, None),
                Status::Received => self.receive(None, now, None),
                _ => Ok(vec![PreorderEvent::StatusAdvanced { preorder_id, previous, status: to }]),
            };
        }
        if from == Status::Received {
            match (to, chapter.shipped_at) {
                (Status::Shipped, Some(_)) => {}
                (Status::Shipped, None) => {
                    return illegal("no shipping day is recorded; go back to a status before shipping");
                }
                (_, Some(_)) => {
                    return illegal("a shipping day is recorded, so received goes back to shipped first");
                }
                (_, None) => {}
            }
        }
        Ok(vec![PreorderEvent::StatusCorrected { preorder_id, previous, status: to }])
    }

    fn ship(
        &self,
        shipped_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
        tracking_url: Option<HttpUrl>,
        days: Option<u16>,
    ) -> Result<Vec<PreorderEvent>, Refusal> {
        let chapter = self.open_chapter()?;
        let estimated_delivery_days = checked_days(days)?;
        if chapter.status == Status::Received {
            return Err(Refusal::new(
                Code::IllegalStatusStep,
                "it was received; set the status back to shipped if that was a mistake",
            )
            .on("status"));
        }
        let shipped_at = match (shipped_at, chapter.shipped_at) {
            // Shipping again without a day keeps the day it left.
            (None, Some(day)) if chapter.status == Status::Shipped => day,
            (given, _) => checked_moment(given, now, "shipped_at")?,
        };
        let unchanged = chapter.status == Status::Shipped
            && chapter.shipped_at == Some(shipped_at)
            && (tracking_url.is_none() || tracking_url == chapter.tracking_url)
            && (estimated_delivery_days.is_none()
                || estimated_delivery_days == chapter.estimated_delivery_days);
        if unchanged {
            return Ok(vec![]);
        }
        Ok(vec![PreorderEvent::Shipped {
            preorder_id: chapter.id,
            shipped_at,
            tracking_url,
            estimated_delivery_days,
        }])
    }

    fn receive(
        &self,
        received_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
        condition: Option<Condition>,
    ) -> Result<Vec<PreorderEvent>, Refusal> {
        let chapter = self.open_chapter()?;
        if chapter.status == Status::Received && received_at.is_none() && condition.is_none() {
            return Ok(vec![]);
        }
        if chapter.status == Status::Received {
            return Err(Refusal::new(
                Code::IllegalStatusStep,
                "it was received already; edit the piece, or set the status back first",
            )
            .on("status"));
        }
        let received_at = checked_moment(received_at, now, "received_at")?;
        if chapter.shipped_at.is_some_and(|s| received_at.date_naive() < s.date_naive()) {
            return Err(
                Refusal::new(Code::InvalidDate, "it cannot arrive before it was shipped").on("received_at")
            );
        }
        Ok(vec![PreorderEvent::Received { preorder_id: chapter.id, received_at, condition }])
    }

    fn slip(
        &self,
        release: ReleaseDate,
        source: SlipSource,
        note: Option<Note>,
    ) -> Result<Vec<PreorderEvent>, Refusal> {
        let chapter = self.open_chapter()?;
        let preorder_id = chapter.id;
        let Some(previous) = chapter.release else {
            return Ok(vec![PreorderEvent::ReleaseDateNamed { preorder_id, release, source, note }]);
        };
        let change = DateChanged { preorder_id, previous, release, source, note };
        Ok(match previous.compare(release) {
            DateChange::Same => vec![],
            DateChange::Slipped => vec![PreorderEvent::ReleaseDateSlipped(change)],
            DateChange::BroughtForward => vec![PreorderEvent::ReleaseDateBroughtForward(change)],
            DateChange::Narrowed => vec![PreorderEvent::ReleaseDateNarrowed(change)],
        })
    }

    fn cancel(&self, refund: Amount) -> Result<Vec<PreorderEvent>, Refusal> {
        let chapter = self.chapter()?;
        if !chapter.status.is_live() {
            return Err(Refusal::new(
                Code::IllegalStatusStep,
                if chapter.status == Status::Received {
                    "what was received cannot be cancelled; archive the piece instead"
                } else {
                    "this pre-order was cancelled already"
                },
            ));
        }
        let paid = chapter.paid();
        if refund > paid {
            return Err(Refusal::new(
                Code::RefundAbovePaid,
                format!("{paid} was paid so far, so the refund is at most that"),
            )
            .on("refund_amount"));
        }
        if chapter.cost.currency.is_some_and(|c| !refund.fits(c)) {
            return Err(Refusal::new(
                Code::InvalidAmount,
                "the refund has more decimal places than the currency",
            )
            .on("refund_amount"));
        }
        Ok(vec![PreorderEvent::Cancelled {
            preorder_id: chapter.id,
            paid,
            refund,
            currency: chapter.cost.currency,
        }])
    }
}

fn checked_placing(placed: Placed) -> Result<Placed, Refusal> {
    if matches!(placed.status, Status::Shipped | Status::Received | Status::Cancelled) {
        return Err(Refusal::new(
            Code::IllegalStatusStep,
            "a pre-order is placed before it ships; ship or receive it afterwards",
        )
        .on("status"));
    }
    let cost = checked_cost(placed.cost, placed.deposit)?;
    checked_days(placed.estimated_delivery_days)?;
    Ok(Placed { cost, ..placed })
}
