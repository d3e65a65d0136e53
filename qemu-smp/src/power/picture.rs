//! The results as a picture: a row for each trace with its load, what each policy cost against the optimum, and what
//! it left unmet.

use std::fmt::Display;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::trace::Trace;
use super::{Replayed, Report, Row};

const WIDTH: u32 = 1180;
const HEADER: u32 = 64;
const ROW: u32 = 190;
/// Widths of the load's and the cost's column; what is unmet gets the rest.
const LOAD: u32 = 500;
const COST: u32 = 370;

const MARGIN: u32 = 10;

/// Columns of the load that are told apart, if it changes more often than that.
const SAMPLES: u64 = 420;

/// Costs beyond this many times the optimum do not fit.
const MOST: f64 = 5.0;

/// Colours that the colour-blind can tell apart (Okabe and Ito): the optimum, then the rules in their order.
const COLOURS: [RGBColor; 6] = [
    RGBColor(120, 120, 120),
    RGBColor(0, 114, 178),
    RGBColor(0, 158, 115),
    RGBColor(230, 159, 0),
    RGBColor(204, 121, 167),
    RGBColor(213, 94, 0),
];
const WANTED: RGBColor = RGBColor(86, 180, 233);
const INK: RGBColor = RGBColor(60, 60, 60);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type DrawingResult<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

/// The picture, as SVG.
pub(super) fn render(report: &Report) -> Result<String, String> {
    let rows = u32::try_from(report.traces.len()).unwrap_or(u32::MAX).min(64);
    let mut picture = String::new();
    {
        let root = SVGBackend::with_string(&mut picture, (WIDTH, HEADER + rows * ROW + MARGIN)).into_drawing_area();
        draw(&root, report).map_err(text)?;
        root.present().map_err(text)?;
    }
    Ok(picture)
}

fn text(error: impl Display) -> String {
    error.to_string()
}

fn draw<'a>(root: &Area<'a>, report: &Report) -> DrawingResult<'a> {
    root.fill(&WHITE)?;
    let (header, mut rest) = root.split_vertically(HEADER);
    draw_header(&header, report)?;
    for replayed in &report.traces {
        let (row, below) = rest.split_vertically(ROW);
        let (load, results) = row.split_horizontally(LOAD);
        let (cost, unmet) = results.split_horizontally(COST);
        draw_load(&load, &replayed.trace)?;
        draw_cost(&cost, replayed)?;
        draw_unmet(&unmet, replayed)?;
        rest = below;
    }
    Ok(())
}

/// Title and legend.
fn draw_header<'a>(area: &Area<'a>, report: &Report) -> DrawingResult<'a> {
    let ms = |microseconds: u64| microseconds as f64 / 1e3;
    let title = format!(
        "When idle cores go off: {} cores, break-even {} ms, wake latency {} ms",
        report.cores,
        ms(report.break_even_us),
        ms(report.wake_latency_us)
    );
    area.draw(&Text::new(title, (12, 10), ("sans-serif", 20).into_font().color(&INK)))?;
    let names = report.traces.first().map(|replayed| replayed.policies.as_slice()).unwrap_or_default();
    let mut left = 12;
    for (row, colour) in names.iter().zip(COLOURS) {
        area.draw(&Rectangle::new([(left, 42), (left + 12, 54)], colour.filled()))?;
        area.draw(&Text::new(row.policy.clone(), (left + 18, 41), ("sans-serif", 14).into_font().color(&INK)))?;
        left += 48 + 8 * i32::try_from(row.policy.len()).unwrap_or(0);
    }
    Ok(())
}

fn caption<'a>(area: &Area<'a>, left: i32, text: &str, size: u32) -> DrawingResult<'a> {
    area.draw(&Text::new(text.to_owned(), (left, 8), ("sans-serif", size).into_font().color(&INK)))
}

fn draw_load<'a>(area: &Area<'a>, trace: &Trace) -> DrawingResult<'a> {
    caption(area, 12, &format!("{}: {}", trace.name, trace.about), 14)?;
    let shown = trace.typical.max(1);
    let (unit, per_us) = unit(shown);
    let most = f64::from(trace.cores);
    let mut chart = ChartBuilder::on(area)
        .margin_left(2)
        .margin_right(MARGIN)
        .margin_top(30)
        .x_label_area_size(34)
        .y_label_area_size(40)
        .build_cartesian_2d(0.0..shown as f64 * per_us, 0.0..most * 1.05)?;
    let beginning = if shown < trace.end { " (the beginning)" } else { "" };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(INK.mix(0.12))
        .axis_style(INK.mix(0.5))
        .x_labels(8)
        .x_label_formatter(&|value| short(*value))
        .y_labels(trace.cores.min(4) as usize + 1)
        .y_label_formatter(&|value| short(*value))
        .x_desc(format!("{unit}{beginning}"))
        .y_desc("cores wanted")
        .label_style(("sans-serif", 12).into_font().color(&INK))
        .draw()?;
    chart.draw_series(
        columns(trace, shown)
            .into_iter()
            .map(|(from, to, cores)| Rectangle::new([(from * per_us, 0.0), (to * per_us, cores)], WANTED.filled())),
    )?;
    Ok(())
}

/// From when to when how many cores were wanted, up to `shown`: exactly, or in the mean if there is not enough room.
fn columns(trace: &Trace, shown: u64) -> Vec<(f64, f64, f64)> {
    let ends = trace.steps.iter().skip(1).map(|step| step.at).chain([trace.end]);
    let spans = trace.steps.iter().zip(ends).take_while(|(step, _)| step.at < shown);
    let spans: Vec<_> =
        spans.map(|(step, end)| (step.at as f64, end.min(shown) as f64, f64::from(step.cores))).collect();
    if spans.len() as u64 <= SAMPLES {
        return spans;
    }
    let part = shown as f64 / SAMPLES as f64;
    let mut means: Vec<_> = (0..SAMPLES).map(|index| (index as f64 * part, (index + 1) as f64 * part, 0.0)).collect();
    for (from, to, cores) in spans {
        let touched = means.iter_mut().take((to / part).ceil() as usize).skip((from / part) as usize);
        for (left, right, mean) in touched {
            *mean += cores * (to.min(*right) - from.max(*left)).max(0.0) / part;
        }
    }
    means
}

fn draw_cost<'a>(area: &Area<'a>, replayed: &Replayed) -> DrawingResult<'a> {
    caption(area, 12, "cost in optima: lower is better, corral is bounded by 2", 13)?;
    let cost = |row: &Row| row.cost_ratio.map_or(0.0, |ratio| ratio.min(MOST));
    let label = |row: &Row| match row.cost_ratio {
        Some(ratio) if ratio > MOST => format!("{} (off the scale)", long(ratio)),
        Some(ratio) => long(ratio),
        None => "the optimum is 0".to_owned(),
    };
    draw_bars(area, replayed, MOST * 1.4, Some(2.0), cost, label)
}

fn draw_unmet<'a>(area: &Area<'a>, replayed: &Replayed) -> DrawingResult<'a> {
    caption(area, 12, "unmet: core-seconds spent waking up", 13)?;
    let most = replayed.policies.iter().map(|row| row.outcome.unmet_s).fold(0.0, f64::max);
    let end = if most > 0.0 { most * 1.3 } else { 1.0 };
    draw_bars(area, replayed, end, None, |row| row.outcome.unmet_s, |row| long(row.outcome.unmet_s))
}

/// A bar for each policy, the first one at the top.
fn draw_bars<'a>(
    area: &Area<'a>,
    replayed: &Replayed,
    end: f64,
    mark: Option<f64>,
    value: impl Fn(&Row) -> f64,
    label: impl Fn(&Row) -> String,
) -> DrawingResult<'a> {
    let (bottom, top) = (0.5 - replayed.policies.len() as f64, 0.6);
    let mut chart = ChartBuilder::on(area)
        .margin_left(12)
        .margin_right(16)
        .margin_top(30)
        .x_label_area_size(34)
        .build_cartesian_2d(0.0..end, bottom..top)?;
    chart
        .configure_mesh()
        .disable_mesh()
        .disable_y_axis()
        .axis_style(INK.mix(0.5))
        .x_labels(6)
        .x_label_formatter(&|value| short(*value))
        .label_style(("sans-serif", 12).into_font().color(&INK))
        .draw()?;
    let rows = || replayed.policies.iter().zip(COLOURS).enumerate().map(|(index, row)| (-(index as f64), row));
    chart.draw_series(rows().map(|(middle, (row, colour))| {
        Rectangle::new([(0.0, middle - 0.36), (value(row), middle + 0.36)], colour.filled())
    }))?;
    chart.draw_series(mark.map(|at| PathElement::new([(at, bottom), (at, top)], INK.mix(0.6).stroke_width(1))))?;
    let style = ("sans-serif", 12).into_font().color(&INK).pos(Pos::new(HPos::Left, VPos::Center));
    chart.draw_series(rows().map(|(middle, (row, _))| {
        EmptyElement::at((value(row), middle)) + Text::new(label(row), (5, 0), style.clone())
    }))?;
    Ok(())
}

/// A unit in which the length is a number of some digits, and how many of it a microsecond is.
fn unit(microseconds: u64) -> (&'static str, f64) {
    match microseconds {
        0..2_000_000 => ("ms", 1e-3),
        2_000_000..600_000_000 => ("s", 1e-6),
        _ => ("h", 1.0 / 3.6e9),
    }
}

/// For axes.
fn short(value: f64) -> String {
    format!("{}", (value * 1e4).round() / 1e4)
}

/// For bars: three digits that count.
fn long(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let digits = (2.0 - value.abs().log10().floor()).clamp(0.0, 4.0) as usize;
    format!("{value:.digits$}")
}
