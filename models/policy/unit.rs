//! Quantities and money: the one place where smallest units meet prices per base unit.

/// The unit of an item. A quantity is a whole number of `10^-decimals` of `name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QtyUnit {
    /// `base_uom`, e.g. `each` or `kg`.
    pub name: String,
    /// `qty_decimals`, 0..=6: pieces have 0, kilograms to the gram have 3.
    pub decimals: u8,
}

impl Default for QtyUnit {
    fn default() -> QtyUnit {
        QtyUnit { name: "each".to_owned(), decimals: 0 }
    }
}

impl QtyUnit {
    /// Smallest units in one base unit.
    pub fn per_base(&self) -> i64 {
        10i64.pow(u32::from(self.decimals.min(9)))
    }

    /// What `qty` smallest units cost at `unit_minor` per base unit, in minor units of money,
    /// halves away from zero. Saturates instead of overflowing.
    pub fn value_minor(&self, qty: i64, unit_minor: i64) -> i64 {
        let per_base = i128::from(self.per_base());
        let exact = i128::from(qty) * i128::from(unit_minor);
        let half = if exact < 0 { -(per_base / 2) } else { per_base / 2 };
        let rounded = (exact + half) / per_base;
        rounded.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
    }

    /// Minor units of money per smallest unit, for expectations over paths.
    pub fn minor_per_smallest(&self, unit_minor: i64) -> f64 {
        unit_minor as f64 / self.per_base() as f64
    }

    /// `1.250 kg`, `12`: pieces go without a name.
    pub fn show(&self, qty: i64) -> String {
        if self.decimals == 0 {
            return qty.to_string();
        }
        let sign = if qty < 0 { "-" } else { "" };
        let per_base = self.per_base().unsigned_abs();
        let (whole, part) = (qty.unsigned_abs() / per_base, qty.unsigned_abs() % per_base);
        format!("{sign}{whole}.{part:0width$} {}", self.name, width = usize::from(self.decimals))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(decimals: u8, qty: i64, unit_minor: i64, value: i64, shown: &str) {
        let unit = QtyUnit { name: "kg".to_owned(), decimals };
        assert_eq!(unit.value_minor(qty, unit_minor), value, "{qty} at {unit_minor}");
        assert_eq!(unit.show(qty), shown);
    }

    #[test]
    fn money_is_per_base_unit_and_quantities_are_smallest_units() {
        check(0, 12, 250, 3_000, "12");
        check(3, 1_250, 800, 1_000, "1.250 kg");
        check(3, 1, 500, 1, "0.001 kg");
        check(3, 1, 499, 0, "0.001 kg");
        check(3, -1_250, 800, -1_000, "-1.250 kg");
        check(0, i64::MAX, i64::MAX, i64::MAX, "9223372036854775807");
    }
}
