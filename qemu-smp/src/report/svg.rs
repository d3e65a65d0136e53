//! The core map as a picture: time to the right, cores upwards, a colour for each owner.

use std::collections::BTreeMap;
use std::fmt::Display;

use domains::ledger::CoreState;
use plotters::prelude::*;

use super::perfetto::label;
use crate::trace::{CoreMap, Span, owner};

const WIDTH: u32 = 1000;

/// Pixels for title, axes and legend.
const AROUND: u32 = 150;

/// Pixels for all rows together, unless few cores would get rows that are too thick.
const ROWS: u32 = 600;
const THICKEST_ROW: u32 = 28;

/// Colours that the colour-blind can tell apart (Okabe and Ito).
const OWNERS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(240, 228, 66),
    RGBColor(120, 94, 60),
];
const OFF: RGBColor = RGBColor(245, 245, 245);
const WAKING: RGBColor = RGBColor(255, 240, 200);
const IDLE: RGBColor = RGBColor(215, 215, 215);
const FAILED: RGBColor = RGBColor(213, 50, 0);

/// The picture, as SVG.
pub fn render(map: &CoreMap, names: &[&str], title: &str) -> Result<String, String> {
    let cores = u32::try_from(map.cores.len()).unwrap_or(u32::MAX).max(1);
    let height = AROUND + ROWS.min(THICKEST_ROW.saturating_mul(cores));
    let mut picture = String::new();
    {
        let root = SVGBackend::with_string(&mut picture, (WIDTH, height)).into_drawing_area();
        draw(&root, map, names, title).map_err(text)?;
        root.present().map_err(text)?;
    }
    Ok(picture)
}

fn text(error: impl Display) -> String {
    error.to_string()
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type DrawingResult<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

fn draw<'a>(root: &Area<'a>, map: &CoreMap, names: &[&str], title: &str) -> DrawingResult<'a> {
    root.fill(&WHITE)?;
    let (plot, legend) = root.split_horizontally(WIDTH - 170);
    let (unit, per_us) = if map.end_us() < 2e6 { ("ms", 1e-3) } else { ("s", 1e-6) };
    let end = (map.end_us() * per_us).max(1e-3);
    let top = map.cores.len().max(1) as f64 - 0.5;
    let mut chart = ChartBuilder::on(&plot)
        .caption(format!("{title}: who owned which core"), ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..end, -0.5..top)?;
    chart
        .configure_mesh()
        .disable_mesh()
        .x_desc(format!("time since the kernel was entered [{unit}]"))
        .y_desc("core")
        .y_labels(map.cores.len().min(16))
        .y_label_formatter(&|core| {
            let is_whole = (core - core.round()).abs() < 1e-6;
            if is_whole { format!("{core:.0}") } else { String::new() }
        })
        .draw()?;
    for (core, spans) in map.cores.iter().enumerate() {
        let row = core as f64;
        // A gap between rows, as long as there is room for one.
        let half = if map.cores.len() <= 64 { 0.42 } else { 0.5 };
        chart.draw_series(spans.iter().map(|span| {
            let corners = [(span.from_us * per_us, row - half), (span.to_us * per_us, row + half)];
            Rectangle::new(corners, colour(span.state).filled())
        }))?;
    }
    draw_legend(&legend, map, names)
}

/// An entry for everything that occurs, by first occurrence in the palette's order.
fn draw_legend<'a>(area: &Area<'a>, map: &CoreMap, names: &[&str]) -> DrawingResult<'a> {
    let mut entries = BTreeMap::new();
    let spans = map.cores.iter().flatten();
    for Span { state, .. } in spans {
        entries.insert(state.to_trace(), *state);
    }
    for (row, state) in entries.values().enumerate() {
        let top = 48 + 24 * i32::try_from(row).unwrap_or(0);
        let square = [(0, top), (16, top + 16)];
        area.draw(&Rectangle::new(square, colour(*state).filled()))?;
        area.draw(&Rectangle::new(square, BLACK.mix(0.4)))?;
        let name = label(*state, names);
        area.draw(&Text::new(name, (24, top + 2), ("sans-serif", 14)))?;
    }
    Ok(())
}

fn colour(state: CoreState) -> RGBAColor {
    match (state, owner(state)) {
        (CoreState::Owned(_), Some(index)) => solid(OWNERS[index % OWNERS.len()]),
        (CoreState::Releasing(_), Some(index)) => OWNERS[index % OWNERS.len()].mix(0.45),
        (CoreState::Waking, _) => solid(WAKING),
        (CoreState::Idle, _) => solid(IDLE),
        (CoreState::Failed, _) => solid(FAILED),
        _ => solid(OFF),
    }
}

fn solid(colour: RGBColor) -> RGBAColor {
    colour.mix(1.0)
}
