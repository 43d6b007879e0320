//! Charts over days as inline SVG: no script, no fonts, colours from the page's style sheet.
//!
//! A chart says what it shows in `title` and `desc`; the page puts its numbers in a table below.

use std::fmt::Write;

use granary_models::calendar::Day;

use crate::export::svg::{escaped, level, open, path, tick_label, ticks};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 54.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 34.0;

/// What is drawn from day `from` of the chart on, in this order from back to front.
pub enum Layer {
    /// A bar per day; `class` of each.
    Bars {
        from: usize,
        values: Vec<f64>,
        classes: Vec<&'static str>,
    },
    /// Parts of each day: those above zero on top of each other, the others below it.
    Stack {
        from: usize,
        parts: Vec<(&'static str, Vec<f64>)>,
    },
    Band {
        from: usize,
        low: Vec<f64>,
        high: Vec<f64>,
        class: &'static str,
    },
    Line {
        from: usize,
        values: Vec<f64>,
        class: &'static str,
    },
    /// A mark below the axis on each of these days.
    Marks {
        days: Vec<usize>,
        class: &'static str,
    },
    /// An arrow on the axis on each of these days.
    Arrows {
        days: Vec<usize>,
        class: &'static str,
    },
    /// An upright line before a day, with a word.
    Divider {
        day: usize,
        label: &'static str,
    },
}

pub struct Chart {
    /// Distinguishes the ids of several charts of one page.
    pub id: &'static str,
    pub title: String,
    pub description: String,
    pub first: Day,
    pub days: usize,
    pub layers: Vec<Layer>,
    /// What a reader sees on resting on a day; one per day.
    pub notes: Vec<String>,
}

impl Chart {
    /// The SVG element. A chart without days is empty text.
    pub fn svg(&self) -> String {
        if self.days == 0 {
            return String::new();
        }
        let scale = Scale::of(self);
        let mut svg = String::new();
        // Writing into a String cannot fail.
        let _ = self.write(&mut svg, &scale);
        svg
    }

    fn write(&self, out: &mut String, scale: &Scale) -> std::fmt::Result {
        open(out, (WIDTH, HEIGHT), self.id, &self.title, &self.description)?;
        self.write_axes(out, scale)?;
        for layer in &self.layers {
            write_layer(out, scale, layer)?;
        }
        for (day, note) in self.notes.iter().enumerate().take(self.days) {
            write!(
                out,
                "<rect class=\"day\" x=\"{:.1}\" y=\"{TOP}\" width=\"{:.2}\" height=\"{:.1}\">\
                 <title>{}</title></rect>",
                scale.x(day as f64),
                scale.step,
                HEIGHT - TOP - BOTTOM,
                escaped(note)
            )?;
        }
        out.write_str("</svg>")
    }

    fn write_axes(&self, out: &mut String, scale: &Scale) -> std::fmt::Result {
        for &tick in &scale.ticks {
            let class = if tick == 0.0 { "axis" } else { "grid" };
            level(out, class, (LEFT, WIDTH - RIGHT), scale.y(tick), &tick_label(tick))?;
        }
        let weeks = (self.days as f64 / 7.0 / 10.0).ceil().max(1.0) as i32;
        let monday = (7 - self.first.weekday() as i32) % 7;
        let mut day = monday;
        while day < self.days as i32 {
            let x = scale.x(f64::from(day));
            let date = (self.first + day).to_date().format("%-d %b");
            write!(
                out,
                "<line class=\"notch\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{0:.1}\" y2=\"{1:.1}\"/>\
                 <text class=\"tick\" x=\"{x:.1}\" y=\"{2:.1}\">{date}</text>",
                HEIGHT - BOTTOM,
                HEIGHT - BOTTOM + 4.0,
                HEIGHT - 6.0
            )?;
            day += 7 * weeks;
        }
        Ok(())
    }
}

/// Days to the right, values upwards.
struct Scale {
    step: f64,
    low: f64,
    high: f64,
    ticks: Vec<f64>,
}

impl Scale {
    fn of(chart: &Chart) -> Scale {
        let mut low: f64 = 0.0;
        let mut high: f64 = 0.0;
        for layer in &chart.layers {
            let (below, above) = match layer {
                Layer::Stack { parts, .. } => stack_ends(parts),
                _ => (0.0, 0.0),
            };
            low = low.min(below);
            high = high.max(above);
            let series: [&[f64]; 2] = match layer {
                Layer::Bars { values, .. } | Layer::Line { values, .. } => [values, &[]],
                Layer::Band { low, high, .. } => [low, high],
                Layer::Stack { .. }
                | Layer::Marks { .. }
                | Layer::Arrows { .. }
                | Layer::Divider { .. } => [&[], &[]],
            };
            for &value in series.into_iter().flatten().filter(|value| value.is_finite()) {
                low = low.min(value);
                high = high.max(value);
            }
        }
        if high == low {
            high = low + 1.0;
        }
        let ticks = ticks(low, high, 5.0, 20.0);
        Scale {
            step: (WIDTH - LEFT - RIGHT) / chart.days as f64,
            low: ticks[0],
            high: ticks[ticks.len() - 1],
            ticks,
        }
    }

    fn x(&self, day: f64) -> f64 {
        LEFT + day * self.step
    }

    fn middle(&self, day: usize) -> f64 {
        self.x(day as f64 + 0.5)
    }

    fn y(&self, value: f64) -> f64 {
        let share = (value.clamp(self.low, self.high) - self.low) / (self.high - self.low);
        HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
    }

    /// Places in the drawing of the values that are there, counted from day `from`.
    fn placed<'a>(
        &self,
        from: usize,
        values: impl Iterator<Item = (usize, &'a f64)>,
    ) -> impl Iterator<Item = (f64, f64)> {
        let seen = values.filter(|(_, value)| value.is_finite());
        seen.map(move |(day, &value)| (self.middle(from + day), self.y(value)))
    }
}

fn write_layer(out: &mut String, scale: &Scale, layer: &Layer) -> std::fmt::Result {
    match layer {
        Layer::Bars { from, values, classes } => {
            let gap = if scale.step > 4.0 { 1.0 } else { 0.2 };
            for (n, &value) in values.iter().enumerate().filter(|(_, value)| value.is_finite()) {
                let (x, y) = (scale.x((from + n) as f64), scale.y(value.max(0.0)));
                let class = classes.get(n).copied().unwrap_or_default();
                write!(
                    out,
                    "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.2}\" \
                     height=\"{:.1}\"/>",
                    (scale.step - gap).max(0.5),
                    scale.y(0.0) - y
                )?;
            }
        }
        Layer::Stack { from, parts } => write_stack(out, scale, *from, parts)?,
        Layer::Band { from, low, high, class } => {
            write!(out, "<path class=\"{class}\" d=\"")?;
            path(out, scale.placed(*from, high.iter().enumerate()), 'M')?;
            path(out, scale.placed(*from, low.iter().enumerate().rev()), 'L')?;
            out.write_str("Z\"/>")?;
        }
        Layer::Line { from, values, class } => {
            write!(out, "<path class=\"{class}\" d=\"")?;
            path(out, scale.placed(*from, values.iter().enumerate()), 'M')?;
            out.write_str("\"/>")?;
        }
        Layer::Marks { days, class } => {
            for &day in days {
                let (x, y) = (scale.x(day as f64), HEIGHT - BOTTOM + 5.0);
                let width = (scale.step - 0.5).max(1.0);
                write!(
                    out,
                    "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y}\" width=\"{width:.2}\" \
                     height=\"4\"/>"
                )?;
            }
        }
        Layer::Arrows { days, class } => {
            for &day in days {
                let (x, y) = (scale.middle(day), scale.y(0.0));
                write!(out, "<path class=\"{class}\" d=\"M{x:.1} {:.1}l-5 9h10Z\"/>", y - 12.0)?;
            }
        }
        Layer::Divider { day, label } => {
            let x = scale.x(*day as f64);
            write!(
                out,
                "<line class=\"divider\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{:.1}\"/>\
                 <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                HEIGHT - BOTTOM,
                x + 5.0,
                TOP + 10.0,
                escaped(label)
            )?;
        }
    }
    Ok(())
}

/// The lowest and the highest end of any day's stack.
fn stack_ends(parts: &[(&'static str, Vec<f64>)]) -> (f64, f64) {
    let days = parts.iter().map(|(_, values)| values.len()).max().unwrap_or(0);
    let ends = |day: usize| {
        let values = parts.iter().filter_map(|(_, values)| values.get(day).copied());
        values.filter(|value| value.is_finite()).fold((0.0, 0.0), |(low, high), value| {
            (low + f64::min(value, 0.0), high + f64::max(value, 0.0))
        })
    };
    (0..days).map(ends).fold((0.0, 0.0), |all, day| (all.0.min(day.0), all.1.max(day.1)))
}

fn write_stack(
    out: &mut String,
    scale: &Scale,
    from: usize,
    parts: &[(&'static str, Vec<f64>)],
) -> std::fmt::Result {
    let days = parts.iter().map(|(_, values)| values.len()).max().unwrap_or(0);
    let gap = if scale.step > 4.0 { 1.0 } else { 0.2 };
    for day in 0..days {
        let (mut below, mut above) = (0.0, 0.0);
        for (class, values) in parts {
            let Some(value) = values.get(day).copied().filter(|value| value.is_finite()) else {
                continue;
            };
            let end = if value < 0.0 { &mut below } else { &mut above };
            let start = *end;
            *end += value;
            let (top, bottom) = (scale.y(start.max(*end)), scale.y(start.min(*end)));
            if bottom - top < 0.05 {
                continue;
            }
            write!(
                out,
                "<rect class=\"{class}\" x=\"{:.1}\" y=\"{top:.1}\" width=\"{:.2}\" \
                 height=\"{:.1}\"/>",
                scale.x((from + day) as f64),
                (scale.step - gap).max(0.5),
                bottom - top
            )?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(days: usize, layers: Vec<Layer>) -> String {
        Chart {
            id: "c",
            title: "a <b> & \"c\"".into(),
            description: String::new(),
            first: Day(20_000),
            days,
            layers,
            notes: Vec::new(),
        }
        .svg()
    }

    #[test]
    fn no_value_breaks_a_chart() {
        for values in [vec![], vec![0.0; 3], vec![f64::NAN, f64::INFINITY, 1.0], vec![-5.0, 1e300]]
        {
            let svg = chart(3, vec![Layer::Line { from: 0, values, class: "line" }]);
            assert!(svg.ends_with("</svg>"), "{svg}");
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
        assert_eq!(chart(0, Vec::new()), "");
    }

    #[test]
    fn stacks_grow_away_from_zero() {
        let parts = vec![("a", vec![3.0, 2.0]), ("b", vec![-1.0, f64::NAN]), ("c", vec![2.0])];
        assert_eq!(stack_ends(&parts), (-1.0, 5.0));
        let svg = chart(2, vec![Layer::Stack { from: 0, parts }]);
        assert_eq!(svg.matches("<rect").count(), 4, "{svg}");
        assert_eq!(stack_ends(&[]), (0.0, 0.0));
    }

    #[test]
    fn words_are_escaped() {
        assert!(chart(2, Vec::new()).contains("a &lt;b&gt; &amp; &quot;c&quot;"));
    }
}
