//! The drawing itself.
#![allow(clippy::float_arithmetic, reason = "places on a drawing, never money")]

use std::fmt::Write as _;

use chrono::{Days, NaiveDate};
use plotters::{
    coord::{
        Shift,
        ranged1d::{Ranged, ValueFormatter},
    },
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};
use rust_decimal::prelude::ToPrimitive;

use super::{Chart, Joined, Panel, Unit, axes};

const WIDTH: u32 = 720;
const HEAD: u32 = 44;
const PANEL: u32 = 260;

/// Each colour is one role: the style sheet finds it by its value.
const INK: RGBColor = RGBColor(0x22, 0x25, 0x2B);
const AXIS: RGBColor = RGBColor(0x6B, 0x70, 0x78);
const GRID: RGBColor = RGBColor(0xE2, 0xE5, 0xEA);
const MAIN: RGBColor = RGBColor(0x1F, 0x5F, 0xBF);
const PAPER: RGBColor = RGBColor(0xFE, 0xFE, 0xFE);

const STYLE: &str = "text{font-family:system-ui,'Segoe UI','DejaVu Sans','Noto Sans',sans-serif}\
@media (prefers-color-scheme:dark){\
[fill='#22252B']{fill:#E6E8EC}\
[stroke='#6B7078']{stroke:#9AA1AC}\
[stroke='#E2E5EA']{stroke:#343A44}\
[stroke='#1F5FBF']{stroke:#7FB2FF}\
[fill='#1F5FBF']{fill:#7FB2FF}\
[fill='#FEFEFE']{fill:#15181D}}";

/// A chart could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("a chart could not be drawn: {0}")]
pub struct DrawingFailed(String);

impl<E: std::error::Error + Send + Sync> From<DrawingAreaErrorKind<E>> for DrawingFailed {
    fn from(error: DrawingAreaErrorKind<E>) -> Self {
        Self(error.to_string())
    }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

pub(super) fn svg(chart: &Chart) -> Result<String, DrawingFailed> {
    let panels = u32::try_from(chart.panels.len()).unwrap_or(1).max(1);
    let height = HEAD + PANEL * panels;
    let mut drawn = String::new();
    {
        let area = SVGBackend::with_string(&mut drawn, (WIDTH, height)).into_drawing_area();
        area.fill(&PAPER)?;
        area.draw(&Text::new(chart.title.clone(), (16, 14), ("sans-serif", 20).into_font().color(&INK)))?;
        let (_, frames) = area.split_vertically(HEAD);
        let frames = frames.split_evenly((usize::try_from(panels).unwrap_or(1), 1));
        for (panel, frame) in chart.panels.iter().zip(&frames) {
            match panel {
                Panel::Curve { label, unit, points, joined, until } => {
                    curve(frame, (label, *unit), points, *joined, *until)?;
                }
                Panel::Bars { label, bars } => draw_bars(frame, label, bars)?,
            }
        }
        area.present()?;
    }
    // XML has no way to write these, and the drawing takes them as they are.
    let unwritable = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    Ok(told(chart, &drawn.replace(unwritable, " ")))
}

/// Puts in what those need who do not see it, and the style sheet.
fn told(chart: &Chart, drawn: &str) -> String {
    let Some((open, rest)) = drawn.split_once('>') else { return drawn.to_owned() };
    let mut svg = String::with_capacity(drawn.len() + STYLE.len() + 256);
    let _infallible = write!(
        svg,
        "{open} role=\"img\" aria-labelledby=\"title description\">\n<title id=\"title\">{}</title>\n\
         <desc id=\"description\">{}</desc>\n<style>{STYLE}</style>{rest}",
        escaped(&chart.title),
        escaped(&chart.description),
    );
    svg
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            // XML has no way to write these.
            c if c.is_control() && !matches!(c, '\n' | '\t') => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

fn small() -> TextStyle<'static> {
    ("sans-serif", 13).into_font().color(&INK)
}

fn head(frame: &Area<'_>, label: &str) -> Result<(), DrawingFailed> {
    frame.draw(&Text::new(label.to_owned(), (16, 4), ("sans-serif", 14).into_font().color(&INK)))?;
    Ok(())
}

fn nothing(frame: &Area<'_>, label: &str) -> Result<(), DrawingFailed> {
    head(frame, label)?;
    let (width, height) = frame.dim_in_pixel();
    let middle = (i32::try_from(width / 2).unwrap_or(0), i32::try_from(height / 2).unwrap_or(0));
    let style = ("sans-serif", 15).into_font().color(&INK).pos(Pos::new(HPos::Center, VPos::Center));
    frame.draw(&Text::new("Nothing to show yet", middle, style))?;
    Ok(())
}

/// Draws the axes of a frame; `X` is what stands on the horizontal one.
fn plain_mesh<X>(
    context: &mut ChartContext<'_, SVGBackend<'_>, Cartesian2d<X, plotters::coord::types::RangedCoordf64>>,
    ticks: usize,
    x: &dyn Fn(&X::ValueType) -> String,
    y: &dyn Fn(&f64) -> String,
) -> Result<(), DrawingFailed>
where
    X: Ranged + ValueFormatter<X::ValueType>,
{
    context
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(ticks)
        .y_labels(5)
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(AXIS)
        .label_style(small())
        .x_label_formatter(x)
        .y_label_formatter(y)
        .draw()?;
    Ok(())
}

fn curve(
    frame: &Area<'_>,
    (label, unit): (&str, Unit),
    points: &[(NaiveDate, rust_decimal::Decimal)],
    joined: Joined,
    until: Option<NaiveDate>,
) -> Result<(), DrawingFailed> {
    let label = axes::heading(label, unit);
    let places: Vec<(NaiveDate, f64)> =
        points.iter().map(|(day, amount)| (*day, amount.to_f64().unwrap_or_default())).collect();
    let (Some((first, _)), Some((last, level))) = (places.first().copied(), places.last().copied()) else {
        return nothing(frame, &label);
    };
    let end = until.map_or(last, |until| until.max(last));
    // One day alone would have no width.
    let end = if end == first { end.checked_add_days(Days::new(1)).unwrap_or(end) } else { end };
    let mut line: Vec<(NaiveDate, f64)> = Vec::with_capacity(places.len().saturating_mul(2));
    for (day, value) in places {
        if let Some((_, before)) = line.last().copied().filter(|_| joined == Joined::Steps) {
            line.push((day, before));
        }
        line.push((day, value));
    }
    if joined == Joined::Steps || last < end {
        line.push((end, level));
    }
    let most = line.iter().fold(0.0_f64, |most, (_, value)| most.max(*value));
    let (ticks, format) = axes::days(first, end);
    let count = ticks.len();
    let decimals = axes::places(unit, most);
    head(frame, &label)?;
    let mut context = ChartBuilder::on(frame)
        .margin_top(28)
        .margin_right(28)
        .margin_bottom(8)
        .x_label_area_size(28)
        .y_label_area_size(78)
        .build_cartesian_2d((first..end).with_key_points(ticks), 0.0..axes::top(most))?;
    plain_mesh(&mut context, count, &|day: &NaiveDate| day.format(format).to_string(), &|value: &f64| {
        axes::number(*value, decimals)
    })?;
    context.draw_series(AreaSeries::new(line.iter().copied(), 0.0, MAIN.mix(0.14)))?;
    context.draw_series(LineSeries::new(line, MAIN.stroke_width(2)))?;
    Ok(())
}

fn draw_bars(frame: &Area<'_>, label: &str, bars: &[(String, i64)]) -> Result<(), DrawingFailed> {
    let Ok(count @ 1..) = i32::try_from(bars.len()) else { return nothing(frame, label) };
    let most = bars.iter().map(|(_, n)| *n).max().unwrap_or(0).max(1);
    let most_drawn = i32::try_from(most).unwrap_or(i32::MAX);
    head(frame, label)?;
    let mut context = ChartBuilder::on(frame)
        .margin_top(28)
        .margin_right(28)
        .margin_bottom(8)
        .x_label_area_size(28)
        .y_label_area_size(78)
        .build_cartesian_2d(0.0..f64::from(count), 0.0..axes::top(f64::from(most_drawn)))?;
    context
        .configure_mesh()
        .disable_x_mesh()
        .disable_x_axis()
        .y_labels(usize::try_from(most.min(5)).unwrap_or(5))
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(AXIS)
        .label_style(small())
        .y_label_formatter(&|value: &f64| {
            // Halves of a piece would only confuse.
            if value.fract().abs() < 1e-6 { axes::number(*value, 0) } else { String::new() }
        })
        .draw()?;
    let centred = small().pos(Pos::new(HPos::Center, VPos::Top));
    for (at, (name, n)) in (0_i32..).zip(bars) {
        let left = f64::from(at);
        let height = f64::from(i32::try_from(*n).unwrap_or(i32::MAX));
        context.draw_series([Rectangle::new([(left + 0.15, 0.0), (left + 0.85, height)], MAIN.filled())])?;
        let below = EmptyElement::at((left + 0.5, 0.0)) + Text::new(name.clone(), (0, 8), centred.clone());
        context.plotting_area().draw(&below)?;
        if *n > 0 {
            let above = Pos::new(HPos::Center, VPos::Bottom);
            let count = Text::new(axes::number(height, 0), (0, -3), small().pos(above));
            context.plotting_area().draw(&(EmptyElement::at((left + 0.5, height)) + count))?;
        }
    }
    Ok(())
}
