//! Dynamic lot sizing: demand known for some periods ahead, orders without a limit.
//!
//! The best plan by Wagner & Whitin's zero-inventory property (1958), found in `O(T log T)` after
//! the geometric view of Wagelmans, van Hoesel & Kolen (1992), and Silver & Meal's heuristic
//! (1973). Units of money and quantity are the caller's.

use super::check::{ParameterError, as_many, each, not_negative};

/// More periods than any plan has.
pub const PERIODS_MAX: usize = 1_000_000;

/// A checked instance. An order arrives at once, at the start of its period; holding is paid on
/// what is left at a period's end.
#[derive(Clone, Debug, PartialEq)]
pub struct LotSizing<'a> {
    demand: &'a [f64],
    holding_cost: &'a [f64],
    fixed_cost: &'a [f64],
    purchase_cost: &'a [f64],
}

/// Orders period by period and what they cost in all.
#[derive(Clone, Debug, PartialEq)]
pub struct LotPlan {
    pub order_quantities: Vec<f64>,
    /// Fixed, purchase and holding cost of the whole horizon.
    pub cost: f64,
}

impl<'a> LotSizing<'a> {
    /// `demand[t]` in units; `holding_cost[t]` a unit from the end of period t to the next;
    /// `fixed_cost[t]` an order; `purchase_cost[t]` a unit. A cost is given for each period, or
    /// once for all; an empty purchase cost is 0.
    ///
    /// # Errors
    /// A number that is negative or none, lists of different lengths, no period at all.
    pub fn new(
        demand: &'a [f64],
        holding_cost: &'a [f64],
        fixed_cost: &'a [f64],
        purchase_cost: &'a [f64],
    ) -> Result<LotSizing<'a>, ParameterError> {
        if demand.is_empty() || demand.len() > PERIODS_MAX {
            let value = format!("a list of {}", demand.len());
            let legal = format!("a list of 1 to {PERIODS_MAX} numbers");
            return Err(ParameterError::new("demand", value, legal));
        }
        each("demand", demand, not_negative)?;
        let costs = [
            ("holding_cost", holding_cost),
            ("fixed_cost", fixed_cost),
            ("purchase_cost", purchase_cost),
        ];
        for (field, costs) in costs {
            each(field, costs, not_negative)?;
            let once = costs.len() == 1 || (costs.is_empty() && field == "purchase_cost");
            if !once {
                as_many(field, costs.len(), demand.len(), "demand")?;
            }
        }
        Ok(LotSizing { demand, holding_cost, fixed_cost, purchase_cost })
    }

    fn holding(&self, t: usize) -> f64 {
        in_period(self.holding_cost, t)
    }

    fn fixed(&self, t: usize) -> f64 {
        in_period(self.fixed_cost, t)
    }

    fn purchase(&self, t: usize) -> f64 {
        in_period(self.purchase_cost, t)
    }

    /// The plan of least cost. With several, the one that orders later.
    ///
    /// An order in period i that covers demand through j costs
    /// `F(i−1) + K_i + (c_i − H_i)(D_j − D_{i−1})` and terms of j alone, with `D` the cumulative
    /// demand and `H_i` what holding a unit from the first period to i costs: a line in `D_j` for
    /// each i, and the best i for j is the lowest of the lines so far.
    ///
    /// ```
    /// use granary_models::policy::textbook::lot_sizing::LotSizing;
    /// // Snyder & Shen, example 3.9.
    /// let lots = LotSizing::new(&[90.0, 120.0, 80.0, 70.0], &[2.0], &[500.0], &[]).unwrap();
    /// let plan = lots.best();
    /// assert_eq!(plan.order_quantities, [210.0, 0.0, 150.0, 0.0]);
    /// assert_eq!(plan.cost, 1380.0);
    /// ```
    pub fn best(&self) -> LotPlan {
        let periods = self.demand.len();
        let mut cumulative = Vec::with_capacity(periods + 1);
        cumulative.push(0.0);
        for &demand in self.demand {
            cumulative.push(cumulative[cumulative.len() - 1] + demand);
        }
        let mut lines = LowestLine::new(&cumulative[1..]);
        // The first period of the order that covers demand through each period; none where there
        // has been no demand since the best plan before.
        let mut from = vec![None; periods];
        let (mut cost_before, mut held_to) = (0.0, 0.0);
        for t in 0..periods {
            let slope = self.purchase(t) - held_to;
            lines.add(Line {
                slope,
                intercept: cost_before + self.fixed(t) - slope * cumulative[t],
                period: t,
            });
            // `cost_before` leaves out the holding cost up to the period of demand, which is the
            // same in every plan.
            if self.demand[t] > 0.0 {
                let (cost, period) = lines.lowest(t);
                (cost_before, from[t]) = (cost, Some(period));
            }
            held_to += self.holding(t);
        }
        let mut order_quantities = vec![0.0; periods];
        let mut end = periods;
        while end > 0 {
            match from[end - 1] {
                Some(start) => {
                    order_quantities[start] = self.demand[start..end].iter().sum();
                    end = start;
                }
                None => end -= 1,
            }
        }
        self.priced(order_quantities)
    }

    /// Silver & Meal's heuristic: an order covers one period more as long as that lowers the cost
    /// a period. Purchase prices are paid but do not steer it, as in the original.
    pub fn silver_meal(&self) -> LotPlan {
        let periods = self.demand.len();
        let mut order_quantities = vec![0.0; periods];
        let mut start = 0;
        while start < periods {
            if self.demand[start] == 0.0 {
                start += 1;
                continue;
            }
            let mut quantity = self.demand[start];
            let mut cost = self.fixed(start);
            let (mut end, mut held) = (start + 1, 0.0);
            while end < periods {
                held += self.holding(end - 1);
                let longer = cost + held * self.demand[end];
                let covered = (end - start) as f64;
                if longer / (covered + 1.0) > cost / covered {
                    break;
                }
                cost = longer;
                quantity += self.demand[end];
                end += 1;
            }
            order_quantities[start] = quantity;
            start = end;
        }
        self.priced(order_quantities)
    }

    fn priced(&self, order_quantities: Vec<f64>) -> LotPlan {
        let (mut cost, mut stock) = (0.0, 0.0);
        for (t, (&order, &demand)) in order_quantities.iter().zip(self.demand).enumerate() {
            if order > 0.0 {
                cost += self.fixed(t) + self.purchase(t) * order;
            }
            // A sum in another order may leave a rounding below zero at the end of a cover.
            stock = f64::max(stock + order - demand, 0.0);
            cost += self.holding(t) * stock;
        }
        LotPlan { order_quantities, cost }
    }
}

/// A cost that is given once holds in every period; one that is not given is 0.
fn in_period(costs: &[f64], t: usize) -> f64 {
    match costs {
        [] => 0.0,
        [always] => *always,
        _ => costs[t],
    }
}

#[derive(Clone, Copy)]
struct Line {
    slope: f64,
    intercept: f64,
    period: usize,
}

impl Line {
    fn at(&self, x: f64) -> f64 {
        self.slope * x + self.intercept
    }
}

/// The lowest of the lines added so far at given points (Li Chao's tree): both in `O(log T)`.
struct LowestLine<'a> {
    /// Ascending.
    points: &'a [f64],
    /// A tree over the points, the root at 1.
    lines: Vec<Option<Line>>,
    /// Leaves of the tree, a power of two.
    width: usize,
}

impl<'a> LowestLine<'a> {
    fn new(points: &'a [f64]) -> LowestLine<'a> {
        let width = points.len().next_power_of_two();
        LowestLine { points, lines: vec![None; 2 * width], width }
    }

    fn point(&self, at: usize) -> f64 {
        self.points[at.min(self.points.len() - 1)]
    }

    fn add(&mut self, mut line: Line) {
        let (mut node, mut low, mut high) = (1, 0, self.width);
        loop {
            let Some(kept) = self.lines[node] else {
                self.lines[node] = Some(line);
                return;
            };
            let middle = (low + high) / 2;
            let x = self.point(middle);
            // On equal cost the new line, of a later period, stays.
            let (lower, higher) =
                if line.at(x) <= kept.at(x) { (line, kept) } else { (kept, line) };
            self.lines[node] = Some(lower);
            if high - low == 1 {
                return;
            }
            // What is higher in the middle can be lower on one side only, that of its slope.
            line = higher;
            node *= 2;
            if line.slope < lower.slope {
                node += 1;
                low = middle;
            } else {
                high = middle;
            }
        }
    }

    fn lowest(&self, at: usize) -> (f64, usize) {
        let x = self.points[at];
        let mut best = (f64::INFINITY, 0);
        let mut node = self.width + at;
        while node >= 1 {
            if let Some(line) = self.lines[node] {
                let cost = line.at(x);
                if cost < best.0 || (cost == best.0 && line.period > best.1) {
                    best = (cost, line.period);
                }
            }
            node /= 2;
        }
        best
    }
}
