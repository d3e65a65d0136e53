//! The distribution of detection and takeover: a row for each kind of fault, a dot for each time.

use std::fmt::Display;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::report::{Report, takeover};
use crate::trace::failover::Failover;

const WIDTH: u32 = 1100;
const HEADER: u32 = 44;
const ROW: u32 = 30;
const AROUND: u32 = 84;

/// Colours that the colour-blind can tell apart (Okabe and Ito).
const DETECTION: RGBColor = RGBColor(0, 114, 178);
const TAKEOVER: RGBColor = RGBColor(0, 158, 115);
const DEADLINE: RGBColor = RGBColor(213, 94, 0);
const INK: RGBColor = RGBColor(60, 60, 60);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type DrawingResult<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

/// What a panel shows.
struct Panel {
    title: &'static str,
    unit: &'static str,
    /// Of the unit in a microsecond.
    scale: f64,
    colour: RGBColor,
    of: fn(&Failover) -> Option<f64>,
    /// A line, in microseconds.
    mark: Option<f64>,
}

/// The picture, as SVG.
pub(super) fn render(report: &Report) -> Result<String, String> {
    let rows = u32::try_from(report.kinds().len()).unwrap_or(u32::MAX).clamp(1, 64);
    let mut picture = String::new();
    {
        let size = (WIDTH, HEADER + AROUND + rows * ROW);
        let root = SVGBackend::with_string(&mut picture, size).into_drawing_area();
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
    let (header, below) = root.split_vertically(HEADER);
    let bad = report.results.iter().filter(|judged| !judged.ok).count();
    let title = format!("{}: {} runs, {bad} bad", report.scenario, report.results.len());
    header.draw(&Text::new(title, (12, 12), ("sans-serif", 20).into_font().color(&INK)))?;
    let panels = [
        Panel {
            title: "from the fault to its detection",
            unit: "ms",
            scale: 1e-3,
            colour: DETECTION,
            of: Failover::detection_us,
            mark: Some(report.heartbeat_us),
        },
        Panel {
            title: "from the detection to the new primary's notification",
            unit: "us",
            scale: 1.0,
            colour: TAKEOVER,
            of: takeover,
            mark: None,
        },
    ];
    let (left, right) = below.split_horizontally(WIDTH / 2 + 60);
    for (area, panel) in [left, right].iter().zip(&panels) {
        draw_panel(area, report, panel)?;
    }
    Ok(())
}

fn draw_panel<'a>(area: &Area<'a>, report: &Report, panel: &Panel) -> DrawingResult<'a> {
    let kinds = report.kinds();
    let names: Vec<String> = kinds.iter().map(|kind| kind.name()).collect();
    // An axis of powers of ten has no place for 0; nothing takes less than one instruction.
    let instruction = 1e-3 * panel.scale;
    let dots: Vec<(f64, f64)> = report
        .results
        .iter()
        .flat_map(|judged| {
            let row = kinds.iter().position(|kind| *kind == judged.case).unwrap_or(0);
            // Not all on one line: runs of the same time would hide each other.
            let offset = (judged.number % 7) as f64 / 7.0 - 0.43;
            let times = judged.failovers.iter().filter_map(|one| (panel.of)(&one.failover));
            times.map(move |time| ((time * panel.scale).max(instruction), row as f64 + 0.6 * offset))
        })
        .collect();
    let mark = panel.mark.map(|mark| mark * panel.scale);
    let times = || dots.iter().map(|(time, _)| *time).chain(mark);
    let (least, most) = (times().fold(f64::INFINITY, f64::min), times().fold(0.0, f64::max));
    // From a power of ten to another one.
    let end = if most > 0.0 { 10f64.powf((most * 1.05).log10().ceil()) } else { 10.0 };
    let start = if least > 0.0 && least < end { 10f64.powf(least.log10().floor()) } else { end / 10.0 };
    let mut chart = ChartBuilder::on(area)
        .caption(panel.title, ("sans-serif", 15).into_font().color(&INK))
        .margin_left(8)
        .margin_right(16)
        .margin_bottom(4)
        .x_label_area_size(36)
        .y_label_area_size(130)
        .build_cartesian_2d((start..end).log_scale(), names.len() as f64 - 0.5..-0.5)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(INK.mix(0.12))
        .axis_style(INK.mix(0.5))
        .x_labels(8)
        .y_labels(0)
        .x_label_formatter(&|time| format!("{time}"))
        .x_desc(format!("machine time [{}]", panel.unit))
        .label_style(("sans-serif", 12).into_font().color(&INK))
        .draw()?;
    let style = ("sans-serif", 13).into_font().color(&INK).pos(Pos::new(HPos::Right, VPos::Center));
    chart.draw_series(
        names
            .iter()
            .enumerate()
            .map(|(row, name)| EmptyElement::at((start, row as f64)) + Text::new(name.clone(), (-8, 0), style.clone())),
    )?;
    if let Some(at) = mark {
        let line = vec![(at, -0.5), (at, names.len() as f64 - 0.5)];
        chart.draw_series([PathElement::new(line, DEADLINE.stroke_width(2))])?;
        let style = ("sans-serif", 12).into_font().color(&DEADLINE).pos(Pos::new(HPos::Right, VPos::Top));
        chart.draw_series([EmptyElement::at((at, -0.5)) + Text::new("deadline of a heartbeat", (-4, 2), style)])?;
    }
    chart.draw_series(dots.into_iter().map(|at| Circle::new(at, 3, panel.colour.mix(0.6).filled())))?;
    Ok(())
}
