//! Which days of a pre-order are worth a word: its release, a week before, the delivery, and when that is late.

use crate::dates::Precision;
use crate::preorder::Status;
use chrono::{Datelike, Days, NaiveDate};

/// What of a pre-order decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dates {
    /// How it stands.
    pub status: Status,
    /// When the figure is released, and how exactly that is known.
    pub release: Option<(NaiveDate, Precision)>,
    /// When the parcel is expected.
    pub delivery: Option<NaiveDate>,
}

/// Something that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// The figure is released on that day.
    Release(NaiveDate),
    /// The figure is released in the month that begins with that day.
    ReleaseInMonth(NaiveDate),
    /// The figure is released seven days later, on that day.
    ReleaseInAWeek(NaiveDate),
    /// The parcel is expected on that day.
    Delivery(NaiveDate),
    /// The parcel was expected on that day, and it is the day after.
    Overdue(NaiveDate),
}

/// The days that a run looks at, both included. They are days of the person's own calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub from: NaiveDate,
    /// The last: today.
    pub until: NaiveDate,
}

impl Span {
    fn holds(self, day: NaiveDate) -> bool {
        self.from <= day && day <= self.until
    }

    fn holds_some_of_month(self, first: NaiveDate) -> bool {
        let month = |day: NaiveDate| (day.year(), day.month());
        month(self.from) <= month(first) && month(first) <= month(self.until)
    }
}

/// What is due of a pre-order on some day of a span. Before it is shipped that is the release, while it is shipped the
/// delivery, and nothing once it was received or cancelled. A release known to the month is due all month long, and to
/// the year never.
#[must_use]
pub fn due(dates: Dates, span: Span) -> Vec<Due> {
    let mut due = Vec::new();
    match dates.status {
        Status::Received | Status::Cancelled => {}
        Status::Shipped => {
            let Some(day) = dates.delivery else { return due };
            if span.holds(day) {
                due.push(Due::Delivery(day));
            }
            if day.succ_opt().is_some_and(|after| span.holds(after)) {
                due.push(Due::Overdue(day));
            }
        }
        _ => match dates.release {
            Some((day, Precision::Day)) => {
                if day.checked_sub_days(Days::new(7)).is_some_and(|before| span.holds(before)) {
                    due.push(Due::ReleaseInAWeek(day));
                }
                if span.holds(day) {
                    due.push(Due::Release(day));
                }
            }
            Some((first, Precision::Month)) if span.holds_some_of_month(first) => {
                due.push(Due::ReleaseInMonth(first));
            }
            _ => {}
        },
    }
    due
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn on(today: &str, dates: Dates) -> Vec<Due> {
        due(dates, Span { from: day(today), until: day(today) })
    }

    fn waiting(release: &str, precision: Precision) -> Dates {
        Dates { status: Status::Preordered, release: Some((day(release), precision)), delivery: None }
    }

    #[test]
    fn a_release_is_due_on_its_day_and_seven_days_before() {
        let mina = waiting("2026-12-01", Precision::Day);
        assert_eq!(on("2026-11-24", mina), [Due::ReleaseInAWeek(day("2026-12-01"))]);
        assert_eq!(on("2026-12-01", mina), [Due::Release(day("2026-12-01"))]);
        for other in ["2026-11-23", "2026-11-25", "2026-11-30", "2026-12-02"] {
            assert_eq!(on(other, mina), [], "{other}");
        }
    }

    #[test]
    fn a_month_is_due_as_long_as_it_lasts_and_a_year_never() {
        let mina = waiting("2026-12-01", Precision::Month);
        for (today, is_due) in
            [("2026-11-24", false), ("2026-12-01", true), ("2026-12-31", true), ("2027-01-01", false)]
        {
            assert_eq!(!on(today, mina).is_empty(), is_due, "{today}");
        }
        assert_eq!(on("2026-01-01", waiting("2026-01-01", Precision::Year)), []);
    }

    #[test]
    fn a_delivery_is_due_on_its_day_and_late_on_the_next_and_never_after() {
        let shipped = Dates {
            status: Status::Shipped,
            delivery: Some(day("2026-12-05")),
            ..waiting("2026-12-05", Precision::Day)
        };
        assert_eq!(on("2026-12-05", shipped), [Due::Delivery(day("2026-12-05"))]);
        assert_eq!(on("2026-12-06", shipped), [Due::Overdue(day("2026-12-05"))]);
        assert_eq!(on("2026-12-07", shipped), []);
        for status in [Status::Received, Status::Cancelled] {
            assert_eq!(on("2026-12-05", Dates { status, ..shipped }), []);
        }
    }

    #[test]
    fn days_without_a_run_are_made_up_for() {
        let mina = waiting("2026-12-01", Precision::Day);
        let span = Span { from: day("2026-11-20"), until: day("2026-12-03") };
        assert_eq!(
            due(mina, span),
            [Due::ReleaseInAWeek(day("2026-12-01")), Due::Release(day("2026-12-01"))]
        );
    }
}
