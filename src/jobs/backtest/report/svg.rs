//! The report's drawings as inline SVG; colours come from the page's style sheet.

use std::fmt::{Result, Write};

use crate::export::svg::{escaped, level, open, path, tick_label, ticks};

/// Narrow enough to stay legible on half a page and on a phone.
const WIDTH: f64 = 540.0;
const HEIGHT: f64 = 250.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 28.0;
/// Room that a label below the axis needs.
const LABEL_WIDTH: f64 = 78.0;

/// A line of a plot. NaN breaks it.
pub struct Line {
    pub class: String,
    pub points: Vec<(f64, f64)>,
    pub dots: bool,
}

/// An area between two lines over the same places.
pub struct Band {
    pub class: &'static str,
    pub low: Vec<(f64, f64)>,
    pub high: Vec<(f64, f64)>,
}

pub struct Plot {
    /// Distinguishes the ids of several plots of one page.
    pub id: String,
    pub title: String,
    pub description: String,
    pub from: f64,
    pub to: f64,
    /// Places below the axis and their words; those without room are left out.
    pub labels: Vec<(f64, String)>,
    /// Whether values are shares.
    pub percent: bool,
    /// Lowest value of the axis, when not zero.
    pub floor: Option<f64>,
    pub bands: Vec<Band>,
    pub lines: Vec<Line>,
    /// Upright lines.
    pub dividers: Vec<f64>,
}

struct Scale {
    from: f64,
    to: f64,
    ticks: Vec<f64>,
}

impl Scale {
    fn of(plot: &Plot) -> Scale {
        let lines = plot.lines.iter().flat_map(|line| &line.points);
        let bands = plot.bands.iter().flat_map(|band| band.low.iter().chain(&band.high));
        let mut low: f64 = plot.floor.unwrap_or(0.0);
        let mut high = f64::NEG_INFINITY;
        for &(_, value) in lines.chain(bands).filter(|(_, value)| value.is_finite()) {
            low = low.min(value);
            high = high.max(value);
        }
        if high <= low {
            high = low + 1.0;
        }
        let ticks = ticks(low, high, 4.0, 12.0);
        let to = if plot.to > plot.from { plot.to } else { plot.from + 1.0 };
        Scale { from: plot.from, to, ticks }
    }

    fn x(&self, at: f64) -> f64 {
        LEFT + (at - self.from) / (self.to - self.from) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        let (low, high) = (self.ticks[0], self.ticks[self.ticks.len() - 1]);
        let share = (value.clamp(low, high) - low) / (high - low);
        HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
    }

    /// Places in the drawing of the points that have a value.
    fn placed<'a>(
        &self,
        points: impl Iterator<Item = &'a (f64, f64)>,
    ) -> impl Iterator<Item = (f64, f64)> {
        let seen = points.filter(|(_, value)| value.is_finite());
        seen.map(|&(at, value)| (self.x(at), self.y(value)))
    }
}

impl Plot {
    pub fn svg(&self) -> String {
        let mut svg = String::new();
        // Writing into a String cannot fail.
        let _ = self.write(&mut svg, &Scale::of(self));
        svg
    }

    fn write(&self, out: &mut String, scale: &Scale) -> Result {
        open(out, (WIDTH, HEIGHT), &self.id, &self.title, &self.description)?;
        self.write_axes(out, scale)?;
        for &at in &self.dividers {
            let x = scale.x(at);
            write!(
                out,
                "<line class=\"divider\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{:.1}\"/>",
                HEIGHT - BOTTOM
            )?;
        }
        for band in &self.bands {
            write!(out, "<path class=\"{}\" d=\"", band.class)?;
            path(out, scale.placed(band.high.iter()), 'M')?;
            path(out, scale.placed(band.low.iter().rev()), 'L')?;
            out.write_str("Z\"/>")?;
        }
        for line in &self.lines {
            write!(out, "<path class=\"line {}\" d=\"", line.class)?;
            let mut gap = true;
            for &(at, value) in &line.points {
                if value.is_finite() {
                    let command = if gap { 'M' } else { 'L' };
                    write!(out, "{command}{:.1} {:.1}", scale.x(at), scale.y(value))?;
                }
                gap = !value.is_finite();
            }
            out.write_str("\"/>")?;
            for &(at, value) in line.points.iter().filter(|(_, v)| line.dots && v.is_finite()) {
                write!(
                    out,
                    "<circle class=\"dot {}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.2\"/>",
                    line.class,
                    scale.x(at),
                    scale.y(value)
                )?;
            }
        }
        out.write_str("</svg>")
    }

    fn write_axes(&self, out: &mut String, scale: &Scale) -> Result {
        for (n, &tick) in scale.ticks.iter().enumerate() {
            let class = if n == 0 || tick == 0.0 { "axis" } else { "grid" };
            let label = match self.percent {
                true => format!("{}%", tick_label(tick * 100.0)),
                false => tick_label(tick),
            };
            level(out, class, (LEFT, WIDTH - RIGHT), scale.y(tick), &label)?;
        }
        let mut free = 0.0;
        for (at, label) in &self.labels {
            let x = scale.x(*at);
            let half = (label.chars().count() as f64 * 3.5).min(LABEL_WIDTH / 2.0);
            let middle = x.clamp(half, WIDTH - half);
            if middle - half < free {
                continue;
            }
            free = middle + half + 14.0;
            write!(
                out,
                "<line class=\"notch\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{0:.1}\" y2=\"{1:.1}\"/>\
                 <text class=\"tick\" x=\"{middle:.1}\" y=\"{2:.1}\" text-anchor=\"middle\">{3}\
                 </text>",
                HEIGHT - BOTTOM,
                HEIGHT - BOTTOM + 4.0,
                HEIGHT - 9.0,
                escaped(label)
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_breaks_a_plot() {
        for points in [vec![], vec![(0.0, f64::NAN)], vec![(0.0, 1e300), (1.0, -5.0)]] {
            let plot = Plot {
                id: "p".into(),
                title: "<b>".into(),
                description: String::new(),
                from: 0.0,
                to: 0.0,
                labels: vec![(0.0, "</svg>".into())],
                percent: false,
                floor: None,
                bands: Vec::new(),
                lines: vec![Line { class: "m0".into(), points, dots: true }],
                dividers: vec![0.5],
            };
            let svg = plot.svg();
            assert!(svg.ends_with("</svg>") && !svg.contains("NaN") && !svg.contains("inf"));
            assert!(!svg.contains("<b>") && svg.matches("</svg>").count() == 1, "{svg}");
        }
    }
}
