//! Supplier orders: whether one is worth its minimum, and how many containers it fills.
//!
//! At given prices of what orders share, every order stands alone: it may be put off (worth
//! nothing), or placed with its minimum and `n` containers. What it then brings is another problem
//! of the same kind, whose bound is concave in `n`, so that looking past the best `n` on both sides
//! is looking at all of them.

use crate::plan::limits::SupplierRule;
use crate::plan::share::{Effort, Goods, Limit, Member, Problem, solve};

#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    pub supplier_id: String,
    pub location_id: String,
    pub goods: Vec<usize>,
    /// Lines of it that cannot change: with any it cannot be put off altogether.
    pub fixed_lines: usize,
    /// Limits of the problem, `Σ −use ≤ −least`.
    pub minimums: Vec<usize>,
    /// For whatever fills a container: the limit of use, that of the least fill, and how much one
    /// container holds.
    pub holds: Vec<(usize, usize, f64)>,
    pub container_cost: f64,
    pub min_fill_share: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mode {
    Deferred,
    Placed {
        containers: i64,
        /// Of [`Order::holds`]: what the containers must be full of.
        full_of: Option<usize>,
    },
}

/// A mode and what it brings at some prices.
#[derive(Clone, Copy, Debug)]
pub(super) struct Assessed {
    pub mode: Mode,
    pub value: f64,
    pub bound: f64,
}

/// More containers than the wish of an order needs are not looked at beyond this.
const WALK_MOST: usize = 200;

impl Order {
    pub fn new(rule: &SupplierRule, location_id: &str) -> Order {
        Order {
            supplier_id: rule.supplier_id.clone(),
            location_id: location_id.to_owned(),
            ..Order::default()
        }
    }

    pub fn limits(&self) -> impl Iterator<Item = usize> + '_ {
        let holds = self.holds.iter().flat_map(|&(full, least, _)| [full, least]);
        self.minimums.iter().copied().chain(holds)
    }

    /// What its fixed lines take of a limit: in the limit's `most` as it was built.
    fn fixed_of(&self, hold: usize, built: &[Limit]) -> f64 {
        // Σ −use ≤ −(holds − fixed).
        let (_, least, holds) = self.holds[hold];
        holds + built[least].most
    }

    /// Containers for `used` of each of [`Order::holds`].
    pub fn containers(&self, used: impl Fn(usize) -> f64, built: &[Limit]) -> i64 {
        (0..self.holds.len())
            .map(|hold| {
                let (full, _, holds) = self.holds[hold];
                let total = used(full) + self.fixed_of(hold, built);
                (total / holds - 1e-9).ceil() as i64
            })
            .fold(0, i64::max)
    }

    /// What a mode's containers cost.
    pub fn cost(&self, mode: Mode, built: &[Limit]) -> f64 {
        let containers = match mode {
            Mode::Deferred => self.containers(|_| 0.0, built),
            Mode::Placed { containers, .. } => containers,
        };
        self.container_cost * containers as f64
    }

    /// Puts the mode's limits into `limits`, from those in `built`; `of` says where each limit is.
    fn set(&self, mode: Mode, limits: &mut [Limit], built: &[Limit], of: impl Fn(usize) -> usize) {
        let open = Limit { most: f64::INFINITY };
        for &limit in &self.minimums {
            limits[of(limit)] = if mode == Mode::Deferred { open } else { built[limit] };
        }
        for (hold, &(full, least, holds)) in self.holds.iter().enumerate() {
            (limits[of(full)], limits[of(least)]) = (open, open);
            let Mode::Placed { containers, full_of } = mode else { continue };
            let fixed = self.fixed_of(hold, built);
            limits[of(full)].most = (containers as f64 * holds - fixed).max(0.0);
            if full_of == Some(hold) {
                limits[of(least)].most = fixed - self.min_fill_share * containers as f64 * holds;
            }
        }
    }

    /// Makes `mode` the order's in the whole problem.
    pub fn choose(&self, mode: Mode, problem: &mut Problem, built: &[Limit]) {
        self.set(mode, &mut problem.limits, built, |limit| limit);
        for &goods in &self.goods {
            problem.closed[goods] = mode == Mode::Deferred;
        }
    }

    /// The order by itself, with what its lines are worth at the prices of all other limits.
    fn alone(&self, problem: &Problem, prices: &[f64]) -> Problem {
        let own: Vec<usize> = self.limits().collect();
        let of = |limit: usize| own.iter().position(|&at| at == limit);
        let goods = self.goods.iter().map(|&at| {
            let goods = &problem.goods[at];
            let (mut money, mut qty) = (0.0, 0.0);
            let mut members = Vec::new();
            for member in &goods.members {
                if let Some(limit) = of(member.limit) {
                    members.push(Member { limit, ..*member });
                } else {
                    money += prices[member.limit] * member.per_money;
                    qty += prices[member.limit] * member.per_qty;
                }
            }
            let net = (0..goods.options()).map(|option| goods.net(option, money, qty)).collect();
            goods.with_value(net, members)
        });
        let goods: Vec<Goods> = goods.collect();
        Problem::new(goods, vec![Limit { most: f64::INFINITY }; own.len()])
    }

    /// Every mode that may be best at these prices, the best first.
    pub fn assess(&self, problem: &Problem, built: &[Limit], prices: &[f64]) -> Vec<Assessed> {
        let mut alone = self.alone(problem, prices);
        let own: Vec<usize> = self.limits().collect();
        let of = |limit: usize| own.iter().position(|&at| at == limit).unwrap_or(0);
        let nothing: f64 = alone.goods.iter().map(|goods| goods.value[0]).sum::<f64>()
            - self.cost(Mode::Deferred, built);
        let mut found = vec![Assessed { mode: Mode::Deferred, value: nothing, bound: nothing }];
        let mut warm = vec![0.0; own.len()];
        let mut look = |containers: i64, full_of: Option<usize>| {
            let mode = Mode::Placed { containers, full_of };
            self.set(mode, &mut alone.limits, built, of);
            let solved = solve(&alone, Effort::Quick, std::mem::take(&mut warm));
            let cost = self.cost(mode, built);
            let value = if solved.feasible { solved.value - cost } else { f64::NEG_INFINITY };
            let assessed = Assessed { mode, value, bound: solved.bound - cost };
            warm = solved.prices;
            assessed
        };
        if self.holds.is_empty() {
            found.push(look(0, None));
        } else {
            let filled: Vec<Option<usize>> = if self.min_fill_share > 0.0 {
                (0..self.holds.len()).map(Some).collect()
            } else {
                vec![None]
            };
            let wanted: Vec<usize> = problem.goods.iter().map(|goods| goods.own).collect();
            let used = self.used(problem, &wanted);
            let start = self.containers(|limit| used[of(limit)], built).max(1);
            for full_of in filled {
                found.extend(self.walk(start, built, |containers| look(containers, full_of)));
            }
        }
        found.retain(|mode| mode.bound > f64::NEG_INFINITY);
        found.sort_by(|a, b| b.value.total_cmp(&a.value).then(a.mode.cmp(&b.mode)));
        found
    }

    /// From `start` down and up, until more or fewer containers are sure to bring less.
    fn walk(
        &self,
        start: i64,
        built: &[Limit],
        mut look: impl FnMut(i64) -> Assessed,
    ) -> Vec<Assessed> {
        let least = self.containers(|_| 0.0, built).max(1);
        let mut found = vec![look(start.max(least))];
        let mut best = found[0].value;
        for step in [-1, 1] {
            let mut last = found[0].bound;
            let mut containers = start.max(least) + step;
            for _ in 0..WALK_MOST {
                if containers < least {
                    break;
                }
                let next = look(containers);
                let (bound, value) = (next.bound, next.value);
                found.push(next);
                best = f64::max(best, value);
                // The bound is concave in the number: once it falls it goes on falling.
                if bound <= last && bound <= best && last > f64::NEG_INFINITY {
                    break;
                }
                // Too many to be filled stay too many.
                if step > 0 && bound == f64::NEG_INFINITY {
                    break;
                }
                last = bound;
                containers += step;
            }
        }
        found
    }

    /// Use of the order's own limits, in the order of [`Order::limits`].
    pub fn used(&self, problem: &Problem, picks: &[usize]) -> Vec<f64> {
        let own: Vec<usize> = self.limits().collect();
        let mut used = vec![0.0; own.len()];
        for &at in &self.goods {
            for member in &problem.goods[at].members {
                if let Some(limit) = own.iter().position(|&limit| limit == member.limit) {
                    used[limit] += problem.goods[at].takes(member, picks[at]);
                }
            }
        }
        used
    }
}
