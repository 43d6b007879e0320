//! What series of one kind had in common: their demand over what was expected of it, day by day.

use super::life::Life;
use crate::calendar::Day;

/// Expected units of a group that draw its ratio to one, in units of the panel's mean day.
const PRIOR_DAYS: f64 = 5.0;
/// Series that a group has on average, at the least, for it to tell more than they do.
const MEMBERS_MIN: usize = 2;

/// Days of groups that ratios need to be learned from: fewer would only tell the days apart, which
/// trees then know by heart.
const GROUP_DAYS_MIN: usize = 10_000;

/// One way to sort series into groups.
#[derive(Clone, Debug)]
pub struct Grouping {
    pub name: String,
    /// Of each series.
    codes: Vec<u32>,
    groups: usize,
    first: Day,
    days: usize,
    /// Sums over the days before each, `(days + 1)` per group: demand, and what was expected.
    demand: Vec<f64>,
    expected: Vec<f64>,
    /// Likewise, known days of members.
    known: Vec<f64>,
    mean: f64,
}

impl Grouping {
    /// `None` when the groups are too many, or only one, to tell anything of their own.
    pub fn new(name: &str, codes: Vec<u32>) -> Option<Grouping> {
        let groups = codes.iter().max().map_or(0, |&most| most as usize + 1);
        let mut used = vec![false; groups];
        codes.iter().for_each(|&code| used[code as usize] = true);
        let count = used.iter().filter(|&&used| used).count();
        (count >= 1 && count * MEMBERS_MIN <= codes.len()).then(|| Grouping {
            name: name.to_owned(),
            codes,
            groups,
            first: Day::default(),
            days: 0,
            demand: Vec::new(),
            expected: Vec::new(),
            known: Vec::new(),
            mean: 0.0,
        })
    }

    /// Whether two groupings sort the series alike.
    pub fn is_like(&self, other: &Grouping) -> bool {
        let mut of = vec![u32::MAX; self.groups];
        let mut back = vec![u32::MAX; other.groups];
        self.codes.iter().zip(&other.codes).all(|(&a, &b)| {
            let (to, from) = (&mut of[a as usize], &mut back[b as usize]);
            if *to == u32::MAX && *from == u32::MAX {
                (*to, *from) = (b, a);
            }
            *to == b && *from == a
        })
    }

    /// Sums up what is known of every day of the panel, `mean` being the panel's mean day.
    pub fn sum(&mut self, lives: &[Life], start: &[Day], mean: f64) {
        let begins = start.iter().copied().min().unwrap_or_default();
        let ends = lives.iter().zip(start).map(|(life, &start)| start + life.days() as i32);
        let days = ends.max().map_or(0, |end| (end - begins) as usize);
        (self.first, self.days, self.mean) = (begins, days, mean);
        let width = days + 1;
        self.demand = vec![0.0; self.groups * width];
        self.expected = vec![0.0; self.groups * width];
        self.known = vec![0.0; self.groups * width];
        for ((life, &start), &code) in lives.iter().zip(start).zip(&self.codes) {
            let row = code as usize * width + (start - begins) as usize + 1;
            for (day, &demand) in life.demand.iter().enumerate().filter(|(_, d)| !d.is_nan()) {
                self.demand[row + day] += f64::from(demand);
                self.expected[row + day] += f64::from(life.level[day] * life.factor[day]);
                self.known[row + day] += 1.0;
            }
        }
        for sums in [&mut self.demand, &mut self.expected, &mut self.known] {
            for row in sums.chunks_exact_mut(width) {
                (1..width).for_each(|day| row[day] += row[day - 1]);
            }
        }
    }

    /// Whether there are groups and days enough to learn from what happened to each.
    pub fn has_ratios(&self) -> bool {
        self.groups * self.days >= GROUP_DAYS_MIN
    }

    fn place(&self, series: usize, day: Day) -> usize {
        let day = (day - self.first).clamp(0, self.days as i32) as usize;
        self.codes[series] as usize * (self.days + 1) + day
    }

    /// Mean demand of a day of a member before `day`, over the panel's.
    pub fn size(&self, series: usize, day: Day) -> f32 {
        let at = self.place(series, day);
        (self.demand[at] / self.known[at].max(1.0) / self.mean) as f32
    }

    /// Demand over expectation of a series' group on the days `from..to`, drawn to one.
    pub fn ratio(&self, series: usize, from: Day, to: Day) -> f32 {
        let (from, to) = (self.place(series, from), self.place(series, to));
        let demand = self.demand[to] - self.demand[from];
        let expected = self.expected[to] - self.expected[from];
        let prior = PRIOR_DAYS * self.mean;
        ((demand + prior) / (expected + prior)) as f32
    }
}
