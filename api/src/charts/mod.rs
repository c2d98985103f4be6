//! Charts as SVG: for people who look, with the numbers' own route beside each of them for those who reckon.
//!
//! A chart is data; [`Chart::svg`] draws it. Colours follow the reader's light or dark scheme by a style sheet
//! inside, and title and description are there for those who do not see it.

mod axes;
mod draw;
#[cfg(test)]
mod tests;

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use chrono::NaiveDate;
use domain::money::Currency;
use rust_decimal::Decimal;

use crate::{answer::preferred, problem::Problem};

pub use draw::DrawingFailed;

/// The media type.
pub const SVG: &str = "image/svg+xml";
/// The style sheet inside may apply; nothing may be loaded or run.
const POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");

/// What a number on the vertical axis counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Pieces,
    /// Money.
    Money(Currency),
}

/// How the points of a curve are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// By straight lines: a value that was taken now and then.
    Straight,
    /// Level until the next point: a value that stands until it moves.
    Steps,
}

/// One frame of a chart.
#[derive(Debug, Clone, PartialEq)]
pub enum Panel {
    /// A value over time.
    Curve {
        /// What it shows.
        label: String,
        /// What is counted.
        unit: Unit,
        /// The points, oldest first.
        points: Vec<(NaiveDate, Decimal)>,
        /// How they are joined.
        joined: Joined,
        /// The last day shown, when that is after the last point.
        until: Option<NaiveDate>,
    },
    /// A count for each of a few things.
    Bars {
        /// What it shows.
        label: String,
        /// Names and counts, from left to right.
        bars: Vec<(String, i64)>,
    },
}

/// A chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// What it shows, in a few words.
    pub title: String,
    /// What can be read from it, in a sentence or two.
    pub description: String,
    /// Its frames, one below another.
    pub panels: Vec<Panel>,
}

impl Chart {
    /// Draws it.
    ///
    /// # Errors
    /// When it cannot be drawn, which is a mistake in this program.
    pub fn svg(&self) -> Result<String, DrawingFailed> {
        draw::svg(self)
    }
}

impl IntoResponse for Chart {
    fn into_response(self) -> Response {
        match self.svg() {
            Ok(svg) => {
                let headers = [
                    (header::CONTENT_TYPE, HeaderValue::from_static(SVG)),
                    (header::CONTENT_SECURITY_POLICY, POLICY),
                    (header::VARY, HeaderValue::from_static("accept")),
                ];
                (headers, svg).into_response()
            }
            Err(failed) => Problem::internal(failed).into_response(),
        }
    }
}

/// Whether a caller asks for the picture rather than the numbers: `Accept` names it before JSON.
#[must_use]
pub fn wanted(headers: &HeaderMap) -> bool {
    preferred(headers, SVG)
}
