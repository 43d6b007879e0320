//! What every drawing needs: safe text, round ticks, its frame and its paths.

use std::fmt::{Result, Write};

/// The smallest of 1, 2, 2.5 and 5 times a power of ten that is not below `rough`.
pub fn nice_step(rough: f64) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|&step| step >= rough * (1.0 - 1e-9))
        .unwrap_or(10.0 * power)
}

/// A tick's value in few signs.
pub fn tick_label(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 => format!("{}M", trimmed(value / 1e6)),
        size if size >= 1e4 => format!("{}k", trimmed(value / 1e3)),
        _ => trimmed(value),
    }
}

fn trimmed(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Ticks in about `parts` round steps that hold `low..=high`, at most `most` steps of them.
pub fn ticks(low: f64, high: f64, parts: f64, most: f64) -> Vec<f64> {
    let tick = nice_step((high - low) / parts);
    let first = (low / tick).floor();
    let count = ((high / tick).ceil() - first).clamp(1.0, most) as i32;
    (0..=count).map(|n| (first + f64::from(n)) * tick).collect()
}

/// The start of a drawing that says what it shows; `id` tells several on one page apart.
pub fn open(
    out: &mut String,
    (width, height): (f64, f64),
    id: &str,
    title: &str,
    description: &str,
) -> Result {
    write!(
        out,
        "<svg class=\"chart\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-labelledby=\"{id}-title {id}-desc\"><title id=\"{id}-title\">{}</title>\
         <desc id=\"{id}-desc\">{}</desc>",
        escaped(title),
        escaped(description)
    )
}

/// A level line from `left` to `right` and its label before it.
pub fn level(
    out: &mut String,
    class: &str,
    (left, right): (f64, f64),
    y: f64,
    label: &str,
) -> Result {
    write!(
        out,
        "<line class=\"{class}\" x1=\"{left}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
         <text class=\"tick\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
        left - 6.0,
        y + 3.5
    )
}

/// Commands of a path through points of the drawing, the first of them `first`.
pub fn path(out: &mut String, points: impl Iterator<Item = (f64, f64)>, first: char) -> Result {
    let mut command = first;
    for (x, y) in points {
        write!(out, "{command}{x:.1} {y:.1}")?;
        command = 'L';
    }
    Ok(())
}

/// Text for an element or a quoted attribute.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            sign if sign.is_control() && sign != '\n' => safe.push('\u{fffd}'),
            sign => safe.push(sign),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_numbers() {
        for (rough, step) in [(0.9, 1.0), (1.0, 1.0), (1.1, 2.0), (23.0, 25.0), (0.03, 0.05)] {
            assert!((nice_step(rough) - step).abs() < 1e-9, "{rough} {}", nice_step(rough));
        }
        for (value, label) in [(0.0, "0"), (2.5, "2.5"), (12_500.0, "12.5k"), (2e6, "2M")] {
            assert_eq!(tick_label(value), label);
        }
    }
}
