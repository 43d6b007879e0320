//! Learned effects against a retailer whose true effects are known.

use std::collections::BTreeMap;

use granary_models::backtest::panel::{
    EffectRow, ForecastConfig, PanelForecast, Wanted, forecast_by, forecast_panel,
};
use granary_models::calendar::Day;
use granary_models::forecast::drivers::{EventWindow, ForecastInput, Region, SeriesMeta, Weather};
use granary_models::forecast::model::Model;
use granary_models::series::Panel;

use crate::retail::Random;

const DAYS: usize = 760;
const HORIZON: usize = 28;
/// Four events a year, alike but not the same; the last one has not come yet.
const FEASTS: [(&str, f64); 5] =
    [("alms", 0.9), ("bells", 0.6), ("candles", 0.3), ("drums", 0.75), ("embers", 0.5)];
const BEFORE: f64 = 0.4;
const LEAD_DAYS: i32 = 8;
const ELASTICITY: f64 = 1.5;
const UPLIFT_PER_DEPTH: f64 = 2.0;
/// Every sixth item has a window of its own.
const FANS: f64 = 0.8;
const COLD: f64 = 0.6;

struct World {
    panel: Panel,
    meta: Vec<SeriesMeta>,
    categories: Vec<String>,
    regions: Vec<Region>,
    /// Mean over its items of how a category differs from the others in all of its feasts.
    taste: Vec<f64>,
}

/// What the simulation varies.
#[derive(Clone, Copy)]
struct Setting {
    categories: usize,
    items: usize,
    seed: u64,
    /// Standard deviation of what hits all series of a day.
    shock: f64,
    /// How far the second region's feasts go beyond the first's.
    region: f64,
    /// 1 fades in a straight line towards the feast, above it later.
    bend: f64,
}

const PLAIN: Setting =
    Setting { categories: 6, items: 30, seed: 1, shock: 0.0, region: 0.0, bend: 1.0 };

fn feasts(start: Day) -> Vec<EventWindow> {
    let window = |name: &str, class: &str, from: i32, days: i32, lead: i32| EventWindow {
        name: name.to_owned(),
        class: class.to_owned(),
        starts_on: start + from,
        ends_on: start + (from + days - 1),
        lead_days: lead,
        ..EventWindow::default()
    };
    let mut windows = Vec::new();
    for (k, (name, _)) in FEASTS.iter().enumerate().take(4) {
        for year in 0..2 {
            let from = 45 + 85 * k as i32 + 365 * year;
            windows.push(window(name, "feast", from, 3, LEAD_DAYS));
        }
    }
    windows.push(window(FEASTS[4].0, "feast", DAYS as i32 + 12, 3, LEAD_DAYS));
    for from in [30, 150, 280, 420, 610] {
        windows.push(window("fans", "hot", from, 4, 0));
    }
    windows
}

impl World {
    fn new(setting: Setting) -> World {
        let start = Day::from_ymd(2023, 1, 2).expect("a date");
        let mut random = Random(setting.seed);
        let fans: Vec<u32> =
            (0..(setting.categories * setting.items) as u32).filter(|i| i % 6 == 0).collect();
        let mut windows = feasts(start);
        for window in windows.iter_mut().filter(|window| window.name == "fans") {
            window.items.clone_from(&fans);
        }
        let mut anomaly = 0.0;
        let wave = |day: usize| -12.0 * (std::f64::consts::TAU * day as f64 / 365.25).cos();
        let temperature_c: Vec<f32> = (0..DAYS + HORIZON)
            .map(|day| {
                anomaly = 0.7 * anomaly + 2.5 * random.normal();
                (12.0 + wave(day) + anomaly) as f32
            })
            .collect();
        let weather = Weather {
            start,
            precipitation_mm: vec![0.0; temperature_c.len()],
            temperature_c,
            ..Weather::default()
        };
        let shocks: Vec<f64> =
            (0..DAYS + HORIZON).map(|_| setting.shock * random.normal()).collect();
        let mut world = World {
            panel: Panel { offsets: vec![0], horizon_days: HORIZON, ..Panel::default() },
            meta: Vec::new(),
            categories: (0..setting.categories).map(|c| format!("category-{c}")).collect(),
            regions: vec![Region { events: windows, weather: Some(weather) }; 2],
            taste: (0..setting.categories).map(|_| 0.15 * random.normal()).collect(),
        };
        for item in 0..setting.categories * setting.items {
            world.add_item(item, setting, &shocks, &mut random);
        }
        world
    }

    fn add_item(&mut self, item: usize, setting: Setting, shocks: &[f64], random: &mut Random) {
        let category = item / setting.items;
        let (own_feast, own_uplift) = (0.1 * random.normal(), 0.3 * random.normal());
        let (depths, prices) = decisions(random);
        for region in 0..2u32 {
            let key = self.meta.len() as u64 * 7919;
            self.meta.push(SeriesMeta {
                key,
                category: category as u32,
                item: item as u32,
                region,
                weather_region: region,
                location: region,
            });
            let rate = (0.7 + 0.7 * random.normal()).exp();
            let start = self.regions[0].weather.as_ref().expect("weather").start;
            self.panel.start.push(start);
            for day in 0..DAYS + HORIZON {
                let depth = f64::from(depths[day]);
                let log = if day % 7 >= 5 { 0.3 } else { 0.0 }
                    + (UPLIFT_PER_DEPTH + own_uplift) * depth
                    - ELASTICITY * f64::from(prices[day]).ln()
                    + self.calendar(start + day as i32, item, category, region, setting, own_feast)
                    + self.cold(day, category)
                    + shocks[day];
                self.panel.promo_depth.push(depths[day]);
                self.panel.price_ratio.push(prices[day]);
                if day < DAYS {
                    self.panel.sold.push(random.count(rate * log.exp(), 0.15));
                    self.panel.available.push(1.0);
                }
            }
            self.panel.offsets.push(self.panel.sold.len());
        }
    }

    fn calendar(
        &self,
        date: Day,
        item: usize,
        category: usize,
        region: u32,
        setting: Setting,
        own: f64,
    ) -> f64 {
        let mut log = 0.0;
        for window in &self.regions[0].events {
            let size = match FEASTS.iter().find(|(name, _)| *name == window.name) {
                Some((_, size)) => size + self.taste[category] + own,
                None if window.items.binary_search(&(item as u32)).is_ok() => FANS,
                None => continue,
            };
            let size = size + if region == 1 { setting.region } else { 0.0 };
            if window.starts_on <= date && date <= window.ends_on {
                log += size;
            } else if date < window.starts_on && window.starts_on - date <= window.lead_days {
                let near = 1.0 - f64::from(window.starts_on - date - 1) / f64::from(LEAD_DAYS);
                log += BEFORE * near.powf(setting.bend);
            }
        }
        log
    }

    /// The first category sells more by the cold.
    fn cold(&self, day: usize, category: usize) -> f64 {
        let weather = self.regions[0].weather.as_ref().expect("weather");
        let cold = (15.0 - f64::from(weather.temperature_c[day])).max(0.0) / 10.0;
        if category == 0 { COLD * cold } else { 0.0 }
    }

    fn input(&self) -> ForecastInput<'_> {
        ForecastInput {
            panel: &self.panel,
            meta: &self.meta,
            categories: &self.categories,
            regions: &self.regions,
        }
    }

    fn forecast(&self) -> PanelForecast {
        let config = ForecastConfig { horizon_days: HORIZON, ..ForecastConfig::default() };
        let config = ForecastConfig { models: vec![Model::Pooled], ..config };
        forecast_panel(&self.input(), &config).expect("the input fits together")
    }

    /// What is true of a row, where this world has a say.
    fn truth(&self, row: &EffectRow, setting: Setting) -> Option<f64> {
        let category = self.categories.iter().position(|c| *c == row.category)?;
        let mut parts = row.regressor.split(':');
        let (kind, name, part) = (parts.next()?, parts.next()?, parts.next());
        let region = setting.region / 2.0;
        match (kind, name, part) {
            ("event", "fans", Some("during")) => Some(FANS + region),
            ("event", name, Some("during")) => {
                let feast = FEASTS.iter().find(|(feast, _)| *feast == name)?;
                Some(feast.1 + self.taste[category] + region)
            }
            ("event", "fans", _) => None,
            ("event", _, Some("before")) => Some(BEFORE),
            ("promo", "depth", _) => Some(UPLIFT_PER_DEPTH),
            ("promo", _, _) => Some(0.0),
            ("price", _, _) => Some(-ELASTICITY),
            ("weather", "cold-5-to-15" | "cold-below-5", _) => {
                Some(if category == 0 { COLD } else { 0.0 })
            }
            _ => None,
        }
    }
}

/// Promotions of four days, and a price that moves twice.
fn decisions(random: &mut Random) -> (Vec<f32>, Vec<f32>) {
    let mut depths = vec![0.0f32; DAYS + HORIZON];
    let mut day = (random.uniform() * 50.0) as usize;
    while day < DAYS {
        let depth = [0.1, 0.2, 0.3, 0.4][(random.uniform() * 4.0) as usize];
        depths[day..(day + 4).min(DAYS)].fill(depth);
        day += 30 + (random.uniform() * 40.0) as usize;
    }
    let mut prices = vec![1.0f32; DAYS + HORIZON];
    for _ in 0..2 {
        let from = (random.uniform() * DAYS as f64) as usize;
        let ratio = 0.85 + 0.3 * random.uniform() as f32;
        prices[from..].fill(ratio);
    }
    (depths, prices)
}

/// Per kind of effect: mean error, intervals that hold the truth, and all of them.
fn judge(setting: Setting, seeds: std::ops::Range<u64>) -> BTreeMap<String, (f64, f64, f64)> {
    let mut kinds: BTreeMap<String, (f64, f64, f64)> = BTreeMap::new();
    for seed in seeds {
        let setting = Setting { seed, ..setting };
        let world = World::new(setting);
        for row in world.forecast().effects {
            let Some(truth) = world.truth(&row, setting) else { continue };
            assert!(row.low <= row.log_effect && row.log_effect <= row.high, "{row:?}");
            let unseen = row.regressor.contains("embers");
            let mut parts = row.regressor.splitn(3, ':');
            let (kind, name) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
            let kind = match (kind, parts.next()) {
                ("event", Some(part)) if !unseen => format!("event:{part}"),
                ("event", _) => "unseen".to_owned(),
                _ => format!("{kind}:{name}"),
            };
            let of = kinds.entry(kind).or_default();
            of.0 += row.log_effect - truth;
            of.1 += f64::from(u8::from(row.low <= truth && truth <= row.high));
            of.2 += 1.0;
        }
    }
    for (kind, (error, inside, rows)) in &kinds {
        println!("{kind:24} bias {:+.4} inside {:.3} of {rows}", error / rows, inside / rows);
    }
    kinds
}

fn check(what: &str, setting: Setting, seeds: std::ops::Range<u64>, bias_max: f64) {
    println!("{what}");
    let kinds = judge(setting, seeds);
    let (mut inside, mut rows) = (0.0, 0.0);
    for (kind, (error, held, n)) in &kinds {
        if kind == "unseen" {
            // Six categories share the error of one feast: it may be anywhere in its class.
            assert!(held / n > 0.5, "{what}: {kind} {held} of {n}");
            continue;
        }
        (inside, rows) = (inside + held, rows + n);
        assert!((error / n).abs() < bias_max, "{what}: {kind} is off by {}", error / n);
    }
    let coverage = inside / rows;
    println!("{what}: {coverage:.3} of {rows} intervals hold the truth");
    assert!((0.80..=0.97).contains(&coverage), "{what}: {coverage}");
}

#[test]
fn effects_are_not_biased_and_their_intervals_hold() {
    check("plain", PLAIN, 1..4, 0.06);
    check("regions differ", Setting { region: 0.4, ..PLAIN }, 4..6, 0.06);
}

#[test]
fn days_that_hit_all_series_alike_widen_the_intervals() {
    // With a tenth of luck per day a feast of six days is known to 0.04, however many items.
    check("shocks", Setting { shock: 0.1, ..PLAIN }, 6..9, 0.1);
    let width = |shock: f64| {
        let world = World::new(Setting { shock, ..PLAIN });
        let rows = world.forecast().effects;
        let row = rows.iter().find(|row| row.regressor == "event:alms:during");
        row.map_or(0.0, |row| row.high - row.low)
    };
    let (calm, wild) = (width(0.0), width(0.1));
    assert!(wild > 1.3 * calm, "{wild} {calm}");
}

#[test]
fn an_event_that_nobody_has_seen_takes_its_classs_effect_with_its_uncertainty() {
    let world = World::new(PLAIN);
    let rows = world.forecast().effects;
    let of = |regressor: &str| -> Vec<&EffectRow> {
        rows.iter().filter(|row| row.regressor == regressor).collect()
    };
    let (unseen, class, seen) =
        (of("event:embers:during"), of("class:feast:during"), of("event:alms:during"));
    assert_eq!((unseen.len(), class.len(), seen.len()), (6, 6, 6));
    for ((unseen, class), seen) in unseen.iter().zip(&class).zip(&seen) {
        // The feasts that were seen have 0.64 on average, 0.25 apart.
        assert!((unseen.log_effect - class.log_effect).abs() < 1e-9);
        assert!((0.3..1.0).contains(&unseen.log_effect), "{unseen:?}");
        let width = |row: &EffectRow| row.high - row.low;
        assert!(width(unseen) > 3.0 * width(seen), "{unseen:?} {seen:?}");
        assert!((0.3..1.8).contains(&width(unseen)), "{unseen:?}");
        assert_eq!((unseen.days, unseen.occurrences), (0, 0));
        assert_eq!((seen.days, seen.items, seen.occurrences), (6, 30, 2));
    }
}

/// Mean forecast of the days from the end of the history on, by item and region.
fn means(world: &World, i: usize) -> Vec<f64> {
    let config = ForecastConfig { horizon_days: HORIZON, ..ForecastConfig::default() };
    let wanted = [Wanted::Model(Model::Pooled)];
    let forecasts = forecast_by(&world.input(), &config, &wanted).expect("the input fits");
    forecasts[0].series[i].mean.clone()
}

#[test]
fn a_window_for_items_moves_these_and_no_others() {
    let setting = Setting { categories: 1, items: 12, ..PLAIN };
    let mut world = World::new(setting);
    let start = world.panel.start[0];
    let ahead = EventWindow {
        name: "fans".to_owned(),
        class: "hot".to_owned(),
        items: vec![0, 6],
        starts_on: start + (DAYS as i32 + 3),
        ends_on: start + (DAYS as i32 + 6),
        ..EventWindow::default()
    };
    // Series 0 is of item 0, series 2 of item 1.
    let (fan, other) = (means(&world, 0), means(&world, 2));
    world.regions.iter_mut().for_each(|region| region.events.push(ahead.clone()));
    let (fan_then, other_then) = (means(&world, 0), means(&world, 2));
    let uplift = fan_then[4] / fan[4];
    assert!((uplift.ln() - FANS).abs() < 0.25, "{uplift}");
    for day in [0, 2, 7, 20] {
        assert!((fan_then[day] / fan[day] - 1.0).abs() < 0.01, "day {day}");
    }
    for day in 0..HORIZON {
        assert!((other_then[day] / other[day] - 1.0).abs() < 0.01, "day {day}");
    }
}

#[test]
fn the_way_towards_an_event_is_learned() {
    // The feast that comes is the same as one that was seen, and buying for it begins late.
    let setting = Setting { bend: 3.0, items: 40, ..PLAIN };
    let mut world = World::new(setting);
    let start = world.panel.start[0];
    let retain = |region: &mut Region| region.events.retain(|window| window.name != "embers");
    world.regions.iter_mut().for_each(retain);
    let quiet = means(&world, 0);
    let ahead = EventWindow {
        name: "alms".to_owned(),
        class: "feast".to_owned(),
        starts_on: start + (DAYS as i32 + 9),
        ends_on: start + (DAYS as i32 + 9),
        lead_days: LEAD_DAYS,
        ..EventWindow::default()
    };
    world.regions.iter_mut().for_each(|region| region.events.push(ahead.clone()));
    let then = means(&world, 0);
    let log = |day: usize| (then[day] / quiet[day]).ln();
    // Half way there a straight fade would have 0.2 and the truth 0.05.
    assert!((log(8) - BEFORE).abs() < 0.12, "the day before: {}", log(8));
    assert!((log(4) - BEFORE * 0.5f64.powi(3)).abs() < 0.08, "half way: {}", log(4));
}

#[test]
fn later_weather_does_not_change_what_a_trial_forecast() {
    let setting = Setting { categories: 2, items: 12, ..PLAIN };
    let world = World::new(setting);
    let config = ForecastConfig { horizon_days: HORIZON, ..ForecastConfig::default() };
    let scores = |world: &World| {
        let wanted = [Wanted::Model(Model::Pooled)];
        let forecasts = forecast_by(&world.input(), &config, &wanted).expect("the input fits");
        (format!("{:?}", forecasts[0].scores), forecasts[0].series[0].mean.clone())
    };
    // The first cutoff lies before these days, and everything that is scored comes after it.
    let first = DAYS - HORIZON - (config.cutoffs - 1) * config.cutoff_step_days;
    let mut frozen = World::new(setting);
    for region in &mut frozen.regions {
        let weather = region.weather.as_mut().expect("weather");
        weather.temperature_c[first..].fill(-20.0);
    }
    let (warm, cold) = (scores(&world), scores(&frozen));
    let of_pooled = |scores: &str| -> Vec<String> {
        let rows = scores.split("ScoreRow").filter(|row| row.contains("\"pooled\""));
        rows.map(str::to_owned).collect()
    };
    assert!(!of_pooled(&warm.0).is_empty(), "{}", warm.0);
    assert_eq!(of_pooled(&warm.0), of_pooled(&cold.0));
    // The last fit has seen it.
    assert!(warm.1 != cold.1);
}
