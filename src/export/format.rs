//! Quantities and money as people read them.

/// Decimals of a currency's minor unit, ISO 4217; two where nothing else is known.
pub fn currency_decimals(currency: &str) -> u32 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX"
        | "UYI" | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        "CLF" | "UYW" => 4,
        _ => 2,
    }
}

/// `units × 10^-decimals`, exactly and without grouping: `-5` with 2 is `-0.05`.
pub fn decimal(units: i64, decimals: u32) -> String {
    if decimals == 0 {
        return units.to_string();
    }
    let scale = 10u64.pow(decimals.min(18));
    let sign = if units < 0 { "-" } else { "" };
    let size = units.unsigned_abs();
    format!("{sign}{}.{:0width$}", size / scale, size % scale, width = decimals.min(18) as usize)
}

/// As [`decimal`], with thousands grouped by a comma.
pub fn grouped(units: i64, decimals: u32) -> String {
    let plain = decimal(units, decimals);
    let (sign, size) = plain.strip_prefix('-').map_or(("", plain.as_str()), |size| ("-", size));
    let (whole, fraction) = size.split_once('.').unwrap_or((size, ""));
    let mut text = String::with_capacity(plain.len() + 6);
    text.push_str(sign);
    for (n, digit) in whole.chars().enumerate() {
        if n > 0 && (whole.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if !fraction.is_empty() {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

/// A quantity in base units; trailing zeros of weighed goods are dropped: `1500` grams is `1.5`.
pub fn quantity(units: i64, qty_decimals: i64) -> String {
    let text = grouped(units, u32::try_from(qty_decimals).unwrap_or(0));
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A real number of smallest units, in base units with at most two decimals.
pub fn real_quantity(units: f64, qty_decimals: i64) -> String {
    if !units.is_finite() {
        return "–".to_owned();
    }
    let base = units / 10f64.powi(qty_decimals.clamp(0, 6) as i32);
    let decimals = match base.abs() {
        size if size >= 1000.0 => 0,
        size if size >= 100.0 => 1,
        _ => 2,
    };
    let scaled = (base * 10f64.powi(decimals)).round();
    // A forecast beyond what an integer holds is shown as the largest there is.
    let text = grouped(scaled as i64, decimals as u32);
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// An amount with its currency: `12,345.60 CNY`. Without a currency the number stands alone.
pub fn money(minor: i64, currency: &str) -> String {
    let amount = grouped(minor, currency_decimals(currency));
    if currency.is_empty() { amount } else { format!("{amount} {currency}") }
}

/// A share as a percentage with one decimal.
pub fn percent(share: f64) -> String {
    if !share.is_finite() {
        return "–".to_owned();
    }
    let text = format!("{:.1}%", share * 100.0);
    if text == "-0.0%" { "0.0%".to_owned() } else { text }
}

/// A figure of a run in its own unit: shares as percentages, minor units as money.
pub fn figure(value: f64, unit: &str, currency: &str) -> String {
    let (unit, rest) = unit.split_once(' ').unwrap_or((unit, ""));
    let number = match unit {
        "share" | "fraction" | "ratio" | "probability" => percent(value),
        "minor" if value.is_finite() => money(value.round() as i64, currency),
        "" => real_quantity(value, 0),
        unit => format!("{} {}", real_quantity(value, 0), unit.replace('_', " ")),
    };
    if rest.is_empty() { number } else { format!("{number} {rest}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_has_the_decimals_of_its_currency() {
        for (minor, currency, text) in [
            (1_234_560, "CNY", "12,345.60 CNY"),
            (-5, "USD", "-0.05 USD"),
            (1_234, "JPY", "1,234 JPY"),
            (1_500_000, "KRW", "1,500,000 KRW"),
            (1_234, "KWD", "1.234 KWD"),
            (100, "", "1.00"),
            (i64::MIN, "JPY", "-9,223,372,036,854,775,808 JPY"),
        ] {
            assert_eq!(money(minor, currency), text);
        }
    }

    #[test]
    fn quantities_are_in_base_units() {
        for (units, decimals, text) in [
            (1_200, 0, "1,200"),
            (1_500, 3, "1.5"),
            (12_000, 3, "12"),
            (5, 3, "0.005"),
            (0, 2, "0"),
            (1_000_000, 0, "1,000,000"),
        ] {
            assert_eq!(quantity(units, decimals), text);
        }
        for (units, decimals, text) in [
            (0.456, 0, "0.46"),
            (12.0, 0, "12"),
            (1_234.5, 0, "1,235"),
            (1_234.5, 3, "1.23"),
            (f64::NAN, 0, "–"),
        ] {
            assert_eq!(real_quantity(units, decimals), text);
        }
    }
}
