//! Lines, their options, and what they share.

/// What one option of a line takes from a limit: `per_money · money + per_qty · qty`. Negative where
/// the limit is a minimum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::plan) struct Member {
    pub limit: usize,
    pub per_money: f64,
    pub per_qty: f64,
}

/// `Σ use ≤ most`; a minimum `Σ use ≥ m` is `Σ −use ≤ −m`. Infinite: no limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::plan) struct Limit {
    pub most: f64,
}

impl Limit {
    /// Room for rounding in sums of whole numbers.
    pub fn tolerance(&self) -> f64 {
        1e-9 * (1.0 + self.most.abs())
    }

    pub fn over(&self, used: f64) -> f64 {
        let over = used - self.most;
        if over > self.tolerance() { over } else { 0.0 }
    }

    /// To compare kilograms with money: a share of the limit.
    pub fn scale(&self) -> f64 {
        if self.most.is_finite() { self.most.abs().max(1.0) } else { 1.0 }
    }
}

/// The options of one line, by rising quantity; the first orders nothing.
#[derive(Clone, Debug)]
pub(in crate::plan) struct Goods {
    pub qty: Vec<f64>,
    pub money: Vec<f64>,
    /// No option is worth more than the line's own.
    pub value: Vec<f64>,
    pub own: usize,
    pub members: Vec<Member>,
    hull: Option<Hull>,
}

/// Vertices of the upper concave hull of (quantity, value), for a line whose money is proportional
/// to its quantity: at any price the best option is one of them (Sinha & Zoltners 1979).
#[derive(Clone, Debug)]
struct Hull {
    at: Vec<u32>,
    /// `slope[i]`: value per unit from vertex `i` to `i + 1`, falling.
    slope: Vec<f64>,
    money_per_qty: f64,
}

impl Goods {
    pub fn new(
        qty: Vec<f64>,
        money: Vec<f64>,
        mut value: Vec<f64>,
        own: usize,
        members: Vec<Member>,
    ) -> Goods {
        let most = value[own];
        value.iter_mut().for_each(|value| *value = value.min(most));
        let mut goods = Goods { qty, money, value, own, members, hull: None };
        goods.hull = goods.proportional().map(|per_qty| goods.hull(per_qty));
        goods
    }

    /// The same options, worth other amounts, in other limits. Which is its own no longer matters.
    pub fn with_value(&self, value: Vec<f64>, members: Vec<Member>) -> Goods {
        let mut best = 0;
        for option in 1..value.len() {
            if value[option] > value[best] {
                best = option;
            }
        }
        Goods::new(self.qty.clone(), self.money.clone(), value, best, members)
    }

    fn proportional(&self) -> Option<f64> {
        let last = self.qty.len() - 1;
        let per_qty = if last > 0 { self.money[last] / self.qty[last] } else { 0.0 };
        let exact = |(qty, money): (&f64, &f64)| (qty * per_qty - money).abs() <= 1e-12 * money;
        self.qty.iter().zip(&self.money).all(exact).then_some(per_qty)
    }

    fn hull(&self, money_per_qty: f64) -> Hull {
        let slope = |from: usize, to: usize| {
            (self.value[to] - self.value[from]) / (self.qty[to] - self.qty[from])
        };
        let mut at: Vec<u32> = Vec::with_capacity(self.qty.len());
        for option in 0..self.qty.len() {
            while let [.., before, last] = at[..] {
                if slope(before as usize, last as usize) > slope(last as usize, option) {
                    break;
                }
                at.pop();
            }
            at.push(option as u32);
        }
        let slope = at.windows(2).map(|ends| slope(ends[0] as usize, ends[1] as usize)).collect();
        Hull { at, slope, money_per_qty }
    }

    pub fn options(&self) -> usize {
        self.qty.len()
    }

    /// What `option` is worth when money and quantity have these prices.
    pub fn net(&self, option: usize, money_price: f64, qty_price: f64) -> f64 {
        self.value[option] - money_price * self.money[option] - qty_price * self.qty[option]
    }

    /// The option that is worth most; its own where nothing has a price, otherwise the smallest of
    /// several.
    pub fn best(&self, money_price: f64, qty_price: f64) -> usize {
        if money_price == 0.0 && qty_price == 0.0 {
            return self.own;
        }
        if let Some(hull) = &self.hull {
            let price = money_price * hull.money_per_qty + qty_price;
            return hull.at[hull.slope.partition_point(|&slope| slope > price)] as usize;
        }
        let mut best = (0, self.net(0, money_price, qty_price));
        for option in 1..self.options() {
            let net = self.net(option, money_price, qty_price);
            if net > best.1 {
                best = (option, net);
            }
        }
        best.0
    }

    pub fn takes(&self, member: &Member, option: usize) -> f64 {
        member.per_money * self.money[option] + member.per_qty * self.qty[option]
    }
}

#[derive(Clone, Debug, Default)]
pub(in crate::plan) struct Problem {
    pub goods: Vec<Goods>,
    pub limits: Vec<Limit>,
    /// Lines that order nothing, whatever they want.
    pub closed: Vec<bool>,
    /// Lines of each limit, with the place among the line's members.
    pub lines_of: Vec<Vec<(u32, u8)>>,
}

impl Problem {
    pub fn new(goods: Vec<Goods>, limits: Vec<Limit>) -> Problem {
        let mut lines_of = vec![Vec::new(); limits.len()];
        for (line, goods) in goods.iter().enumerate() {
            for (at, member) in goods.members.iter().enumerate() {
                lines_of[member.limit].push((line as u32, at as u8));
            }
        }
        let closed = vec![false; goods.len()];
        Problem { goods, limits, closed, lines_of }
    }

    pub fn wanted(&self, line: usize) -> usize {
        if self.closed[line] { 0 } else { self.goods[line].own }
    }

    pub fn value(&self, picks: &[usize]) -> f64 {
        self.goods.iter().zip(picks).map(|(goods, &option)| goods.value[option]).sum()
    }

    pub fn used(&self, picks: &[usize]) -> Vec<f64> {
        let mut used = vec![0.0; self.limits.len()];
        for (goods, &option) in self.goods.iter().zip(picks) {
            for member in &goods.members {
                used[member.limit] += goods.takes(member, option);
            }
        }
        used
    }

    pub fn keeps_all(&self, used: &[f64]) -> bool {
        self.limits.iter().zip(used).all(|(limit, &used)| limit.over(used) == 0.0)
    }

    /// Whether some limit cannot be kept even by the options that take least from it.
    pub fn hopeless(&self) -> bool {
        self.limits.iter().enumerate().any(|(at, limit)| {
            // Ordering nothing takes nothing.
            limit.most < 0.0 && limit.over(self.least_use(at)) > 0.0
        })
    }

    fn least_use(&self, limit: usize) -> f64 {
        let least = |&(line, at): &(u32, u8)| {
            let goods = &self.goods[line as usize];
            let member = &goods.members[usize::from(at)];
            let options = if self.closed[line as usize] { 1 } else { goods.options() };
            (0..options).map(|option| goods.takes(member, option)).fold(f64::INFINITY, f64::min)
        };
        self.lines_of[limit].iter().map(least).sum()
    }

    /// Whether moving `line` from one option to another keeps every limit.
    pub fn fits(&self, used: &[f64], line: usize, from: usize, to: usize) -> bool {
        let goods = &self.goods[line];
        goods.members.iter().all(|member| {
            let more = goods.takes(member, to) - goods.takes(member, from);
            // A limit that is not kept anyway must not get worse.
            more <= 0.0 || self.limits[member.limit].over(used[member.limit] + more) == 0.0
        })
    }

    pub fn apply(&self, used: &mut [f64], line: usize, from: usize, to: usize) {
        let goods = &self.goods[line];
        for member in &goods.members {
            used[member.limit] += goods.takes(member, to) - goods.takes(member, from);
        }
    }
}
