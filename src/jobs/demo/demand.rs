//! The true demand: its daily mean from every driver, and one draw of it.

use super::catalogue::{Item, Role};
use super::places::{LOCATIONS, LocationKind};
use super::random::{Purpose, Random};
use super::world::World;

/// One row of `promotion`; days are counted from the first simulated day, both ends included.
#[derive(Clone, Debug)]
pub struct Promotion {
    pub promotion_id: String,
    /// `None`: the whole category.
    pub item: Option<usize>,
    pub category: usize,
    pub first_day: i32,
    pub last_day: i32,
    pub depth: f64,
    pub kind: &'static str,
}

/// After a promotion shoppers' cupboards are full: this share of the uplift, turned round, is left
/// on the next day and fades over `DIP_DAYS`.
pub const DIP_SHARE: f64 = 0.3;
pub const DIP_DAYS: i32 = 7;

/// What an item's owner decides: promotions and list prices, past and planned.
pub struct Commerce {
    pub promotions: Vec<Promotion>,
    /// (first day, list price); the first entry is day 0's.
    pub price_plan: Vec<(i32, i64)>,
    pub promo_depth: Vec<f64>,
    pub list_price_minor: Vec<i64>,
    /// ln of demand's factor from both.
    pub log_effect: Vec<f64>,
}

impl Commerce {
    pub fn plan(world: &World, item: &Item) -> Commerce {
        let len = world.len();
        let promotions = item_promotions(world, item);
        let price_plan = price_plan(world, item);
        let mut commerce = Commerce {
            promo_depth: vec![0.0; len],
            list_price_minor: vec![item.price_minor; len],
            log_effect: vec![0.0; len],
            promotions,
            price_plan,
        };
        commerce.apply_promotions(world, item);
        commerce.apply_prices(item);
        commerce
    }

    fn apply_promotions(&mut self, world: &World, item: &Item) {
        let len = world.len() as i32;
        let of_category = world.promotions.iter().filter(|p| p.category == item.category);
        let mut dip = vec![0.0f64; len as usize];
        for promotion in self.promotions.iter().chain(of_category) {
            for day in promotion.first_day.max(0)..(promotion.last_day + 1).min(len) {
                let depth = &mut self.promo_depth[day as usize];
                *depth = depth.max(promotion.depth);
            }
            let uplift = item.promo_uplift * promotion.depth;
            for k in 0..DIP_DAYS {
                let day = promotion.last_day + 1 + k;
                if (0..len).contains(&day) {
                    let fading = 1.0 - f64::from(k) / f64::from(DIP_DAYS);
                    dip[day as usize] = dip[day as usize].max(DIP_SHARE * uplift * fading);
                }
            }
        }
        for (t, &depth) in self.promo_depth.iter().enumerate() {
            // No dip while the next promotion is already on.
            self.log_effect[t] += if depth > 0.0 { item.promo_uplift * depth } else { -dip[t] };
        }
    }

    fn apply_prices(&mut self, item: &Item) {
        let first = self.price_plan.first().map_or(item.price_minor, |(_, price)| *price) as f64;
        for &(day, price) in &self.price_plan {
            for t in day.max(0) as usize..self.list_price_minor.len() {
                self.list_price_minor[t] = price;
            }
        }
        for (t, &price) in self.list_price_minor.iter().enumerate() {
            self.log_effect[t] -= item.elasticity * (price as f64 / first).ln();
        }
    }

    /// What a shopper pays per base_uom on day `t`.
    pub fn asked_price_minor(&self, t: usize) -> i64 {
        (self.list_price_minor[t] as f64 * (1.0 - self.promo_depth[t])).round() as i64
    }
}

fn item_promotions(world: &World, item: &Item) -> Vec<Promotion> {
    let mut random = Random::new(world.seed(), Purpose::Promotions, item.index as u64);
    let mut promotions = Vec::new();
    let never = item.is_direct() || item.role == Role::Slow || random.chance(0.15);
    if never {
        return promotions;
    }
    let mean_gap_days = random.between(35.0, 100.0);
    let mut first_day = item.launch_day.max(0) + (mean_gap_days * random.unit()) as i32;
    while first_day < world.known_until() {
        let last_day = first_day + random.integer(2, 9) as i32;
        let depth = *random.pick(&[0.1, 0.15, 0.2, 0.2, 0.3, 0.4, 0.5]).unwrap_or(&0.2);
        promotions.push(Promotion {
            promotion_id: format!("PR-{}-{}", item.item_id, promotions.len() + 1),
            item: Some(item.index),
            category: item.category,
            first_day,
            last_day,
            depth,
            kind: if depth >= 0.4 { "clearance" } else { "discount" },
        });
        first_day = last_day + DIP_DAYS + (mean_gap_days * random.gamma(2.0) / 2.0) as i32;
    }
    promotions
}

/// Prices move a few times in the history; one item in fourteen has a change already decided.
fn price_plan(world: &World, item: &Item) -> Vec<(i32, i64)> {
    let mut random = Random::new(world.seed(), Purpose::Prices, item.index as u64);
    let mut plan = vec![(0, item.price_minor)];
    let mut price = item.price_minor as f64;
    let change = |price: &mut f64, random: &mut Random| {
        *price *= 1.0 + random.between(-0.14, 0.16);
        (*price / 10.0).round().max(1.0) as i64 * 10
    };
    let mut day = 60 + (300.0 * random.gamma(1.5)) as i32;
    while day < world.days() as i32 - 20 {
        plan.push((day, change(&mut price, &mut random)));
        day += 60 + (300.0 * random.gamma(1.5)) as i32;
    }
    if random.chance(0.07) || item.index == 3 {
        let ahead = random.integer(3, 40) as i32;
        plan.push((world.days() as i32 + ahead, change(&mut price, &mut random)));
    }
    plan
}

/// Promotions of whole categories on the shopping peaks, past and announced.
pub fn category_promotions(world: &World) -> Vec<Promotion> {
    let mut promotions = Vec::new();
    for event in world.events.iter().filter(|event| event.kind == "peak" && event.region == "CN") {
        let depth = match event.name.as_str() {
            "double-11" => 0.25,
            "618" => 0.2,
            _ => 0.15,
        };
        let first_day = event.starts_on - world.start();
        if first_day < 0 || first_day >= world.len() as i32 {
            continue;
        }
        for (category, kind) in world.categories().iter().enumerate() {
            if kind.peak >= 1.0 {
                promotions.push(Promotion {
                    promotion_id: format!("{}-{}", event.event_id, kind.name),
                    item: None,
                    category,
                    first_day,
                    last_day: event.ends_on - world.start(),
                    depth,
                    kind: "festival",
                });
            }
        }
    }
    promotions
}

/// True demand of one item at one selling location; a value per day of history and horizon.
#[derive(Clone, Debug)]
pub struct TrueDemand {
    pub shop: usize,
    pub mean: Vec<f64>,
    pub drawn: Vec<i64>,
}

/// Share of the settled rate on day `k` from the launch.
pub fn launch_factor(item: &Item, k: i32) -> f64 {
    let category = item.category();
    let k = f64::from(k);
    let ramp = 1.0 - 0.75 * (-k / category.launch_ramp_days).exp();
    ramp * (category.launch_hype * 0.5f64.powf(k / 7.0)).exp()
}

pub fn true_demand(world: &World, item: &Item, commerce: &Commerce) -> Vec<TrueDemand> {
    let item_level = level(world, item, u64::MAX, 0.05, 0.10);
    let shops = item.shops.iter();
    shops
        .map(|&(shop, taste)| {
            let location = &LOCATIONS[shop];
            let own_level = level(world, item, shop as u64, 0.025, 0.03);
            // A part is never in fashion: its rate is the same wherever it is asked for.
            let trade = if item.role == Role::Slow { 0.0 } else { location.trade.ln() + taste };
            let profile = world.profile(shop, item.category);
            let online_promo = if location.kind == LocationKind::Online { 1.0 } else { 0.9 };
            let mean: Vec<f64> = (0..world.len())
                .map(|t| {
                    let since_launch = t as i32 - item.launch_day;
                    if since_launch < 0 {
                        return 0.0;
                    }
                    let launch =
                        if item.launch_day > 0 { launch_factor(item, since_launch) } else { 1.0 };
                    let log = item.log_rate
                        + trade
                        + item_level[t]
                        + own_level[t]
                        + profile[t]
                        + online_promo * commerce.log_effect[t]
                        + phase_out(item, t as i32);
                    launch * log.exp()
                })
                .collect();
            let stream = (item.index * LOCATIONS.len() + shop) as u64;
            let mut random = Random::new(world.seed(), Purpose::Demand, stream);
            let drawn = mean.iter().map(|&mean| draw(item, mean, &mut random)).collect();
            TrueDemand { shop, mean, drawn }
        })
        .collect()
}

fn phase_out(item: &Item, day: i32) -> f64 {
    item.phase_out_day.map_or(0.0, |from| -f64::from((day - from).max(0)) / 45.0)
}

/// Slow drift of ln demand: a yearly trend and a deviation that fades over some ten weeks.
fn level(world: &World, item: &Item, place: u64, weekly_sd: f64, trend_sd: f64) -> Vec<f64> {
    let index = (item.index as u64) << 8 | place.min(255);
    let mut random = Random::new(world.seed() ^ 0x1E7E_1E7E, Purpose::Demand, index);
    let daily_trend = trend_sd * random.normal() / 365.0;
    let mut deviation = 2.0 * weekly_sd * random.normal();
    (0..world.len())
        .map(|t| {
            if t % 7 == 0 {
                deviation = 0.9 * deviation + weekly_sd * random.normal();
            }
            deviation + daily_trend * (t as f64 - world.days() as f64)
        })
        .collect()
}

fn draw(item: &Item, mean: f64, random: &mut Random) -> i64 {
    if item.role == Role::Lumpy {
        let askers = random.poisson(mean / item.batch);
        return askers + random.poisson(askers as f64 * (item.batch - 1.0));
    }
    if item.category().weighed {
        let shoppers = random.negative_binomial(mean / item.batch, item.dispersion);
        if shoppers == 0 {
            return 0;
        }
        let weight = item.batch * random.gamma(4.0 * shoppers as f64) / 4.0;
        return (weight.round() as i64).max(1);
    }
    random.negative_binomial(mean, item.dispersion)
}

/// Variance of one day's demand with the given mean, in smallest units squared.
pub fn daily_variance(item: &Item, mean: f64) -> f64 {
    let dispersed = item.dispersion * mean * mean;
    if item.role == Role::Lumpy {
        // Var of N + Poisson(N (b − 1)) with N Poisson(mean / b).
        let b = item.batch;
        return mean / b * (b * b + b - 1.0);
    }
    if item.category().weighed {
        return mean * item.batch * 1.25 + dispersed;
    }
    mean + dispersed
}
