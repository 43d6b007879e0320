//! Lead times learned from purchase orders, open ones included.
//!
//! An open order says only that its lead time is longer than its age: it is censored, and counts as
//! such (Kaplan & Meier 1958). Hazards of an item at a supplier are shrunk towards those of the
//! supplier, and these towards those of all suppliers, as if the parent had contributed a few
//! pseudo-observations.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::calendar::Day;
use crate::finding::{Code, Finding};

/// Orders that took longer are taken for slips of the pen.
const LONGEST_DAYS: i32 = 730;

/// Parent's weight in orders: an item with eight own orders is half itself.
const SUPPLIER_WEIGHT: f64 = 8.0;
const GLOBAL_WEIGHT: f64 = 4.0;

/// Days from an order until it can be sold, as a distribution over whole days.
#[derive(Clone, Debug, PartialEq)]
pub struct LeadTime {
    /// `cdf[d]` is P(L ≤ d); the last is 1.
    cdf: Arc<[f64]>,
    /// Received orders that it was learned from; 0 when it was only promised.
    pub observations: u32,
}

impl LeadTime {
    /// As promised: always the same.
    pub fn fixed(days: u32) -> LeadTime {
        let days = days.min(LONGEST_DAYS as u32) as usize;
        let mut cdf = vec![0.0; days + 1];
        cdf[days] = 1.0;
        LeadTime { cdf: cdf.into(), observations: 0 }
    }

    /// From weights of 0, 1, 2, … days. `None` unless they are finite, not negative and not all 0.
    pub fn from_weights(weights: &[f64]) -> Option<LeadTime> {
        let total: f64 = weights.iter().sum();
        if !(total.is_finite() && total > 0.0) || weights.iter().any(|&w| w < 0.0) {
            return None;
        }
        let last = weights.iter().rposition(|&w| w > 0.0)?;
        let mut below = 0.0;
        let mut cdf: Vec<f64> = weights[..=last]
            .iter()
            .map(|w| {
                below += w / total;
                below
            })
            .collect();
        cdf[last] = 1.0;
        Some(LeadTime { cdf: cdf.into(), observations: 0 })
    }

    /// The fewest days within which an order arrives with probability `p`.
    pub fn quantile(&self, p: f64) -> u32 {
        // Sums of hazards miss round levels by an ulp or two.
        self.cdf.partition_point(|&c| c < p - 1e-12).min(self.cdf.len() - 1) as u32
    }

    pub fn mean(&self) -> f64 {
        self.cdf.iter().map(|c| 1.0 - c).sum()
    }

    pub fn longest(&self) -> u32 {
        (self.cdf.len() - 1) as u32
    }

    pub fn is_fixed(&self) -> bool {
        self.cdf[..self.cdf.len() - 1].iter().all(|&c| c <= 0.0)
    }

    /// The lead time of path `path` of `paths`: each path has its own stratum of the distribution,
    /// dealt out by a fixed permutation so that it has nothing to do with the path's demand.
    pub fn sample_for_path(&self, path: usize, paths: usize) -> u32 {
        self.sample(path, paths, 0)
    }

    /// As [`Self::sample_for_path`], with an independent permutation for each `salt`.
    pub fn sample(&self, path: usize, paths: usize, salt: u64) -> u32 {
        if self.cdf[..self.cdf.len() - 1].last().is_none_or(|&c| c <= 0.0) {
            return self.longest();
        }
        let stratum = Permutation::new(paths.max(1), salt).of(path % paths.max(1));
        self.quantile((stratum as f64 + 0.5) / paths.max(1) as f64)
    }

    /// [`Self::sample`] of every path in turn, for all of them at once.
    pub fn sample_each(&self, paths: usize, salt: u64, mut put: impl FnMut(usize, u32)) {
        if self.cdf[..self.cdf.len() - 1].last().is_none_or(|&c| c <= 0.0) {
            (0..paths).for_each(|path| put(path, self.longest()));
            return;
        }
        let mut days = 0;
        let by_stratum: Vec<u32> = (0..paths)
            .map(|stratum| {
                let p = (stratum as f64 + 0.5) / paths as f64;
                while days + 1 < self.cdf.len() && self.cdf[days] < p - 1e-12 {
                    days += 1;
                }
                days as u32
            })
            .collect();
        let order = Permutation::new(paths, salt);
        (0..paths).for_each(|path| put(path, by_stratum[order.of(path)]));
    }

    /// What remains of an order that is `age_days` old and not there: L − age, given L > age.
    /// At least a day. An order older than any on record takes a median lead time from now on.
    pub fn remaining(&self, age_days: u32) -> LeadTime {
        let age = age_days as usize;
        let before = self.cdf.get(age).copied().unwrap_or(1.0);
        if before >= 1.0 - 1e-9 {
            return LeadTime::fixed(self.quantile(0.5).max(1));
        }
        let cdf: Vec<f64> = std::iter::once(0.0)
            .chain(self.cdf[age + 1..].iter().map(|c| (c - before) / (1.0 - before)))
            .collect();
        LeadTime { cdf: cdf.into(), observations: self.observations }
    }

    /// Each day moved to another, later days to later ones or the same.
    pub(crate) fn moved(&self, to: impl Fn(u32) -> u32) -> LeadTime {
        let mut weights = vec![0.0; to(self.longest()) as usize + 1];
        let mut below = 0.0;
        for (day, &within) in self.cdf.iter().enumerate() {
            weights[to(day as u32) as usize] += within - below;
            below = within;
        }
        let moved = LeadTime::from_weights(&weights).unwrap_or_else(|| self.clone());
        LeadTime { observations: self.observations, ..moved }
    }
}

/// A fixed permutation of `0..n`, one for each `salt`: rounds of multiply and xor-shift on the next
/// power of two, walked until the result lies in range.
pub(crate) struct Permutation {
    n: u64,
    mask: u64,
    shift: u32,
    /// Factor and summand of each round.
    rounds: [(u64, u64); 4],
}

impl Permutation {
    pub(crate) fn new(n: usize, salt: u64) -> Permutation {
        let bits = (usize::BITS - (n - 1).leading_zeros()).max(1);
        let key = (salt + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let rounds = std::array::from_fn(|round| {
            (key.rotate_left(11 * round as u32 + 5) | 1, key >> (7 * round as u32 + 3))
        });
        Permutation { n: n as u64, mask: (1u64 << bits) - 1, shift: (bits / 2).max(1), rounds }
    }

    #[inline]
    pub(crate) fn of(&self, index: usize) -> usize {
        let mut x = index as u64;
        loop {
            for (factor, summand) in self.rounds {
                x = x.wrapping_mul(factor).wrapping_add(summand) & self.mask;
                x ^= x >> self.shift;
            }
            if x < self.n {
                return x as usize;
            }
        }
    }
}

/// One purchase order line, as far as its timing goes.
#[derive(Clone, Copy, Debug)]
pub struct OrderRecord<'a> {
    pub item_id: &'a str,
    /// Supplier, or source location of a transfer.
    pub supplier_id: &'a str,
    pub ordered_on: Option<Day>,
    /// `None`: still open.
    pub received_on: Option<Day>,
}

/// Received and open orders by age: the counts behind Kaplan–Meier.
#[derive(Clone, Debug, Default)]
struct Counts {
    /// Orders received after exactly `d` days.
    received: Vec<u32>,
    /// Orders `d` days old and open.
    open: Vec<u32>,
    observations: u32,
}

impl Counts {
    fn add(&mut self, days: usize, received: bool) {
        let counts = if received { &mut self.received } else { &mut self.open };
        if counts.len() <= days {
            counts.resize(days + 1, 0);
        }
        counts[days] += 1;
        self.observations += u32::from(received);
    }

    /// P(L > d) for d = 0, 1, …, with `weight` pseudo-orders of the parent among the own. What
    /// never arrived within the longest age on record arrives the day after it.
    fn survival(&self, parent: Option<&[f64]>, weight: f64) -> Vec<f64> {
        let parent = parent.unwrap_or(&[]);
        let weight = if parent.is_empty() { 0.0 } else { weight };
        let days = self.received.len().max(self.open.len()).max(parent.len());
        let all = |counts: &[u32]| counts.iter().map(|&n| f64::from(n)).sum::<f64>();
        let mut at_risk = all(&self.received) + all(&self.open);
        let (mut alive, mut parent_before) = (1.0, 1.0);
        let mut survival = Vec::with_capacity(days + 1);
        for day in 0..days {
            let parent_after = parent.get(day).copied().unwrap_or(0.0);
            let received = f64::from(self.received.get(day).copied().unwrap_or(0));
            let exposed = at_risk + weight * parent_before;
            if exposed > 0.0 {
                alive *= 1.0 - (received + weight * (parent_before - parent_after)) / exposed;
            }
            at_risk -= received + f64::from(self.open.get(day).copied().unwrap_or(0));
            parent_before = parent_after;
            survival.push(f64::max(alive, 0.0));
        }
        if alive > 1e-9 {
            survival.push(0.0);
        }
        survival
    }
}

/// Every lead time of a night, learned once and asked per item and supplier.
#[derive(Clone, Debug, Default)]
pub struct LeadTimes {
    global: Option<LeadTime>,
    suppliers: BTreeMap<String, LeadTime>,
    items: BTreeMap<String, BTreeMap<String, LeadTime>>,
    /// Orders received before they were placed, or after more than two years: not used.
    pub odd_orders: u32,
}

impl LeadTimes {
    /// Learns from orders in any sequence. Open orders are censored at their age as of `today`;
    /// records without `ordered_on` say nothing and are left out.
    pub fn learn<'a>(records: impl IntoIterator<Item = OrderRecord<'a>>, today: Day) -> LeadTimes {
        let mut book = LeadTimes::default();
        let mut all = Counts::default();
        let mut by_supplier: BTreeMap<&str, (Counts, BTreeMap<&str, Counts>)> = BTreeMap::new();
        for record in records {
            let Some(ordered_on) = record.ordered_on else { continue };
            // An order of the future is not yet at risk, and a receipt of the future not yet one.
            let received_on = record.received_on.filter(|&day| day <= today);
            let days = received_on.unwrap_or(today) - ordered_on;
            if !(0..=LONGEST_DAYS).contains(&days) {
                book.odd_orders += 1;
                continue;
            }
            let (days, received) = (days as usize, received_on.is_some());
            let (supplier, items) = by_supplier.entry(record.supplier_id).or_default();
            all.add(days, received);
            supplier.add(days, received);
            items.entry(record.item_id).or_default().add(days, received);
        }
        if all.observations == 0 {
            return book;
        }
        let global = all.survival(None, 0.0);
        for (supplier_id, (counts, items)) in by_supplier {
            let survival = counts.survival(Some(&global), GLOBAL_WEIGHT);
            let own = items
                .into_iter()
                .map(|(item_id, counts)| {
                    let own = counts.survival(Some(&survival), SUPPLIER_WEIGHT);
                    (item_id.to_owned(), from_survival(&own, counts.observations))
                })
                .collect();
            book.items.insert(supplier_id.to_owned(), own);
            let pooled = from_survival(&survival, counts.observations);
            book.suppliers.insert(supplier_id.to_owned(), pooled);
        }
        book.global = Some(from_survival(&global, all.observations));
        book
    }

    /// The lead time of an item at a supplier. Without a single received order of the supplier its
    /// promise counts, then what other suppliers do, then `default_days`; each with a finding.
    pub fn get(
        &self,
        item_id: &str,
        supplier_id: &str,
        promised_days: Option<u32>,
        default_days: u32,
    ) -> (LeadTime, Option<Finding>) {
        if let Some(pooled) = self.suppliers.get(supplier_id)
            && pooled.observations > 0
        {
            let own = self.items.get(supplier_id).and_then(|items| items.get(item_id));
            return (own.unwrap_or(pooled).clone(), None);
        }
        let (lead_time, source) = match (promised_days, &self.global) {
            (Some(days), _) => (LeadTime::fixed(days), "its promise is used"),
            (None, Some(global)) => (global.clone(), "the other suppliers' is used"),
            (None, None) => (LeadTime::fixed(default_days), "the default is used"),
        };
        let code =
            if promised_days.is_some() { Code::LeadTimePromised } else { Code::LeadTimeUnknown };
        let days = lead_time.quantile(0.5);
        let detail =
            format!("supplier {supplier_id:?} has no received order; {source}: {days} days");
        (lead_time, Some(Finding::new(code, detail)))
    }
}

fn from_survival(survival: &[f64], observations: u32) -> LeadTime {
    let mut cdf: Vec<f64> = survival.iter().map(|s| 1.0 - s).collect();
    if let Some(last) = cdf.iter().position(|&c| c >= 1.0 - 1e-9) {
        cdf.truncate(last + 1);
    }
    if let Some(last) = cdf.last_mut() {
        *last = 1.0;
    }
    LeadTime { cdf: cdf.into(), observations }
}
