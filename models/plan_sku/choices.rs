//! What else a line could order, for limits that several lines share.

use crate::plan::choice::Choice;
use crate::plan_sku::decide::lot_of;
use crate::plan_sku::input::ItemSupply;
use crate::policy::order::{Needs, UnitMoney, mean};
use crate::policy::rounding::round;
use crate::policy::terms::SupplyTerms;

/// Evenly spaced quantities at most; nothing, the line's own and the largest come on top.
const MOST_STEPS: i64 = 45;

/// What the curve is drawn from.
pub(super) struct Curve<'a> {
    pub item: &'a ItemSupply<'a>,
    pub terms: &'a SupplyTerms,
    pub needs: &'a Needs,
    pub money: UnitMoney,
    /// The line's own quantity, and what it has to bring beyond the needs of demand.
    pub own: i64,
    pub standing: i64,
    /// Ordered elsewhere tonight to meet the same need.
    pub already: i64,
    /// Mean demand between this order's arrival and the next: so much may be brought forward.
    pub room: i64,
    /// The most that may be ordered at all.
    pub most: i64,
    /// Whether something else than the value of the needs set the quantity: a service level, or a
    /// look at later orders.
    pub by_service: bool,
}

/// Per quantity: sales saved, units left over, and days that units wait.
struct Books {
    saved: f64,
    left: f64,
    held: f64,
}

impl Curve<'_> {
    /// Empty where the source accepts no quantity at all. Whether some quantity earns money at the
    /// item's own prices comes with it.
    pub(super) fn choice(&self) -> (Choice, bool) {
        let Some((qty, evenly)) = self.grid() else { return (Choice::default(), false) };
        let books = self.books(&qty, evenly);
        let earns = books.iter().any(|b| worth(b, self.money) > self.terms.fixed_cost_minor as f64);
        let own = qty.iter().position(|&q| q == self.own).unwrap_or(0);
        let money = self.priced_in(&books, own);
        let fixed = self.terms.fixed_cost_minor as f64;
        let mut value_minor: Vec<f64> = books
            .iter()
            .zip(&qty)
            .map(|(b, &qty)| worth(b, money) - if qty > 0 { fixed } else { 0.0 })
            .collect();
        if self.by_service && own > 0 {
            // A lot larger than any need, a price tier or an order's own cost have reasons that the
            // needs do not know; and more than the level asks for is worth no more.
            let best = value_minor[..=own].iter().copied().fold(f64::NEG_INFINITY, f64::max);
            value_minor[own] = best;
            value_minor[own + 1..].iter_mut().for_each(|value| *value = value.min(best));
        }
        let cost_minor = qty.iter().map(|&q| self.terms.cost_minor(&self.item.unit, q)).collect();
        (Choice { qty, value_minor, cost_minor }, earns)
    }

    /// Nothing, then lots of even steps, with the line's own among them. The steps' first and width
    /// come with it.
    fn grid(&self) -> Option<(Vec<i64>, (i64, i64))> {
        let lot = lot_of(self.terms);
        let first = round(1, lot);
        if first.qty <= 0 {
            return None;
        }
        let step = lot.multiple.max(1);
        let down = |qty: i64| qty - qty.rem_euclid(step);
        let best = self.needs.best_quantity(self.money).saturating_sub(self.already).max(0);
        let wish = best.saturating_add(self.standing).max(self.own).saturating_add(self.room);
        let most = self.most.min(lot.capacity.unwrap_or(i64::MAX)).max(self.own);
        let last = down(wish.min(most)).max(if self.own > 0 { self.own } else { first.qty });
        let width = ((last - first.qty) / step / MOST_STEPS + 1) * step;
        let mut qty: Vec<i64> = (0..=MOST_STEPS).map(|i| first.qty + i * width).collect();
        qty.retain(|&q| q <= last);
        qty.extend([0, self.own, last]);
        qty.sort_unstable();
        qty.dedup();
        Some((qty, (first.qty, width)))
    }

    /// The first units ordered fill what has to stand there, and are worth as much as a sale.
    fn books(&self, qty: &[i64], (first, width): (i64, i64)) -> Vec<Books> {
        let fill = |q: i64| q.min(self.standing);
        let at: Vec<f64> = qty.iter().map(|&q| (self.already + q - fill(q)) as f64).collect();
        let sums = self.needs.used_and_waiting(&at, (first as f64, width as f64));
        let base =
            self.needs.used_and_waiting(&[self.already as f64], (first as f64, width as f64));
        let paths = self.needs.need.len().max(1) as f64;
        let comes = if self.needs.share.is_empty() { 1.0 } else { mean(&self.needs.share) };
        let rest = |index: usize| at[index] * comes - sums[index].0 / paths;
        let base_rest = self.already as f64 * comes - base[0].0 / paths;
        (0..qty.len())
            .map(|index| Books {
                saved: (sums[index].0 - base[0].0) / paths + fill(qty[index]) as f64,
                left: rest(index) - base_rest,
                held: (sums[index].1 - base[0].1) / paths,
            })
            .collect()
    }

    /// Under a service level a sale is worth at least what the last lot of the line's own quantity
    /// needs: the level asks for it. What a sale brings is never taken for less.
    fn priced_in(&self, books: &[Books], own: usize) -> UnitMoney {
        let money = self.money;
        if !self.by_service {
            return money;
        }
        let spent = |b: &Books| b.left * money.left_over + b.held * money.holding_per_day;
        let slope = |a: &Books, b: &Books| {
            let saved = b.saved - a.saved;
            if saved > 1e-12 { (spent(b) - spent(a)) / saved } else { f64::INFINITY }
        };
        let mine = &books[own];
        let least = books[..own].iter().map(|b| slope(b, mine)).filter(|s| s.is_finite());
        let least = least.fold(0.0, f64::max);
        let most = books[own + 1..].iter().map(|b| slope(mine, b)).fold(f64::INFINITY, f64::min);
        let price = money.margin_and_penalty;
        let implied = if price < least { (least + most.min(2.0 * least)) / 2.0 } else { price };
        UnitMoney { margin_and_penalty: implied, ..money }
    }
}

fn worth(books: &Books, money: UnitMoney) -> f64 {
    books.saved * money.margin_and_penalty
        - books.left * money.left_over
        - books.held * money.holding_per_day
}
