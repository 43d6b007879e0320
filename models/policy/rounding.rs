//! From a need to a quantity that the supplier accepts.

/// What a supplier accepts in one order line, smallest units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lot {
    /// At least this much, or nothing.
    pub moq: i64,
    /// In steps of this; below 1 counts as 1.
    pub multiple: i64,
    /// At most this much.
    pub capacity: Option<i64>,
}

/// A quantity and what each limit did to it: `need + moq_added + multiple_added - cut = qty`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rounded {
    pub qty: i64,
    pub moq_added: i64,
    pub multiple_added: i64,
    pub cut: i64,
    /// No multiple lies between MOQ and capacity, so nothing can be ordered at all.
    pub impossible: bool,
}

/// The smallest multiple that is at least `need` and the MOQ; if that is over capacity, the largest
/// multiple within it, provided it still reaches the MOQ. The MOQ need not be a multiple itself:
/// MOQ 10 in steps of 4 asks for 12. A need of 0 or less orders nothing.
pub fn round(need: i64, lot: Lot) -> Rounded {
    if need <= 0 {
        return Rounded::default();
    }
    let step = lot.multiple.max(1);
    let with_moq = need.max(lot.moq);
    let up = ceil_to(with_moq, step);
    let mut rounded = Rounded {
        qty: up,
        moq_added: with_moq - need,
        multiple_added: up - with_moq,
        ..Rounded::default()
    };
    let Some(capacity) = lot.capacity else { return rounded };
    if up > capacity {
        let within = floor_to(capacity.max(0), step);
        rounded.impossible = within < lot.moq.max(1);
        rounded.qty = if rounded.impossible { 0 } else { within };
        rounded.cut = up - rounded.qty;
    }
    rounded
}

/// The largest quantity within `limit` that the lot allows, or 0.
pub fn round_down(limit: i64, lot: Lot) -> i64 {
    let limit = lot.capacity.map_or(limit, |capacity| limit.min(capacity));
    let within = floor_to(limit.max(0), lot.multiple.max(1));
    if within >= lot.moq.max(1) { within } else { 0 }
}

/// Saturates at the largest multiple that fits an `i64`.
fn ceil_to(qty: i64, step: i64) -> i64 {
    match qty % step {
        0 => qty,
        over => qty.checked_add(step - over).unwrap_or(floor_to(i64::MAX, step)),
    }
}

fn floor_to(qty: i64, step: i64) -> i64 {
    qty - qty % step
}
