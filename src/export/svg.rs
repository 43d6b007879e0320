//! What every drawing needs: safe text and round ticks.

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
