//! The core map as a picture: time to the right, cores upwards, a colour for each owner.

use std::collections::BTreeMap;
use std::fmt::Display;

use domains::ledger::{CoreState, Heir};
use plotters::prelude::*;

use crate::summary::failovers::OneFailover;
use crate::trace::detail::kind;
use crate::trace::{CoreMap, Span, owner};

const WIDTH: u32 = 1000;

/// Pixels for title, axes and legend.
const AROUND: u32 = 150;

/// Pixels for all rows together, unless few cores would get rows that are too thick.
const ROWS: u32 = 600;
const THICKEST_ROW: u32 = 28;

/// Pixels above the legend's first row, and of each row.
const LEGEND_TOP: u32 = 48;
const LEGEND_ROW: u32 = 24;

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
/// What does not run is dark, held off darkest.
const OFF: RGBColor = RGBColor(95, 95, 105);
const HELD: RGBColor = RGBColor(40, 40, 48);
const WAKING: RGBColor = RGBColor(255, 225, 130);
const IDLE: RGBColor = RGBColor(225, 225, 225);
const FAILED: RGBColor = RGBColor(213, 50, 0);

/// The picture, as SVG.
pub fn render(map: &CoreMap, names: &[&str], title: &str, failovers: &[OneFailover]) -> Result<String, String> {
    let cores = u32::try_from(map.cores.len()).unwrap_or(u32::MAX).max(1);
    let legend = legend(map);
    let height = AROUND + ROWS.min(THICKEST_ROW.saturating_mul(cores));
    let height = height.max(LEGEND_TOP + LEGEND_ROW * (legend.len() as u32 + 1));
    let mut picture = String::new();
    {
        let root = SVGBackend::with_string(&mut picture, (WIDTH, height)).into_drawing_area();
        draw(&root, map, &legend, names, title, failovers).map_err(text)?;
        root.present().map_err(text)?;
    }
    Ok(picture)
}

fn text(error: impl Display) -> String {
    error.to_string()
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type DrawingResult<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

fn draw<'a>(
    root: &Area<'a>,
    map: &CoreMap,
    entries: &[CoreState],
    names: &[&str],
    title: &str,
    failovers: &[OneFailover],
) -> DrawingResult<'a> {
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
        // On its way to another owner a core has a band of that one's colour.
        chart.draw_series(spans.iter().filter_map(|span| {
            let corners = [(span.from_us * per_us, row - half / 3.0), (span.to_us * per_us, row + half / 3.0)];
            Some(Rectangle::new(corners, colour(heir(span.state)?).filled()))
        }))?;
    }
    // A line from the failure up, with who took over, or what else followed.
    for one in failovers {
        let at = one.failover.detected_us * per_us;
        let ends = vec![(at, -0.5), (at, top)];
        chart.draw_series([PathElement::new(ends, FAILED.stroke_width(2))])?;
        let what = match &one.to {
            Some(to) => format!("{} -> {to}", one.from),
            None => format!("{}: {}", one.from, one.failover.action),
        };
        chart.draw_series([
            EmptyElement::at((at, top)) + Text::new(what, (4, 1), ("sans-serif", 13).into_font().color(&FAILED))
        ])?;
    }
    draw_legend(&legend, entries, names)
}

/// The state in which a core that was asked for will be.
fn heir(state: CoreState) -> Option<CoreState> {
    let (CoreState::Asked(_, heir) | CoreState::Releasing(_, heir) | CoreState::Waking(heir)) = state else {
        return None;
    };
    match (state, heir) {
        (CoreState::Waking(_), Heir::Pool) => None,
        (_, Heir::Pool) => Some(CoreState::Idle),
        (_, Heir::Off) => Some(CoreState::Off { held: true }),
        (_, Heir::Domain(domain)) => Some(CoreState::Owned(domain)),
    }
}

/// The state with the pool for an heir.
fn without_heir(state: CoreState) -> CoreState {
    match state {
        CoreState::Asked(owner, _) => CoreState::Asked(owner, Heir::Pool),
        CoreState::Releasing(owner, _) => CoreState::Releasing(owner, Heir::Pool),
        CoreState::Waking(_) => CoreState::Waking(Heir::Pool),
        other => other,
    }
}

/// Everything that occurs, in the order of the states.
fn legend(map: &CoreMap) -> Vec<CoreState> {
    let states = map.cores.iter().flatten().map(|Span { state, .. }| without_heir(*state));
    states.map(|state| (state.to_trace(), state)).collect::<BTreeMap<_, _>>().into_values().collect()
}

fn draw_legend<'a>(area: &Area<'a>, entries: &[CoreState], names: &[&str]) -> DrawingResult<'a> {
    for (row, state) in entries.iter().enumerate() {
        let top = i32::try_from(LEGEND_TOP + LEGEND_ROW * row as u32).unwrap_or(0);
        let square = [(0, top), (16, top + 16)];
        area.draw(&Rectangle::new(square, colour(*state).filled()))?;
        if let Some(band) = heir(*state) {
            area.draw(&Rectangle::new([(0, top + 6), (16, top + 10)], colour(band).filled()))?;
        }
        area.draw(&Rectangle::new(square, BLACK.mix(0.4)))?;
        let name = kind(*state, names);
        area.draw(&Text::new(name, (24, top + 2), ("sans-serif", 14)))?;
    }
    Ok(())
}

fn colour(state: CoreState) -> RGBAColor {
    match (state, owner(state)) {
        (CoreState::Owned(_), Some(index)) => solid(OWNERS[index % OWNERS.len()]),
        (CoreState::Asked(..), Some(index)) => OWNERS[index % OWNERS.len()].mix(0.65),
        (CoreState::Releasing(..), Some(index)) => OWNERS[index % OWNERS.len()].mix(0.35),
        (CoreState::Waking(_), _) => solid(WAKING),
        (CoreState::Idle, _) => solid(IDLE),
        (CoreState::Failed, _) => solid(FAILED),
        (CoreState::Off { held: true }, _) => solid(HELD),
        _ => solid(OFF),
    }
}

fn solid(colour: RGBColor) -> RGBAColor {
    colour.mix(1.0)
}
