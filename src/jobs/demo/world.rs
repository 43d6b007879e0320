//! What all items of the demo share: dates, places, suppliers, calendar and weather.

use granary_models::calendar::Day;

use super::catalogue::{self, Item};
use super::categories::{CATEGORIES, Category};
use super::demand::{Promotion, category_promotions};
use super::festivals::{self, Closures, Event};
use super::places::{self, FIRST_SHOP, LOCATIONS, LocationKind, Supplier};
use super::weather::{self, RegionWeather};
use super::{DECIDED_DAYS, DemoConfig, HORIZON_DAYS, WEATHER_FORECAST_DAYS};

/// A stock count is kept for the last day and for the ends of so many months before it.
const MONTHS_COUNTED: usize = 6;

/// Days past the truth's horizon for which lead times may run and closures are known.
const LEAD_TIME_DAYS_MAX: usize = 200;

pub struct World {
    pub config: DemoConfig,
    pub suppliers: Vec<Supplier>,
    pub closures: Vec<Closures>,
    pub items: Vec<Item>,
    pub weather: Vec<RegionWeather>,
    /// Events with an effect, then the suppliers' shutdowns.
    pub events: Vec<Event>,
    /// Promotions of whole categories.
    pub promotions: Vec<Promotion>,
    /// ln of the effect of calendar and weather per shop and category.
    profiles: Vec<Vec<f64>>,
    dates: Vec<String>,
    month_of: Vec<usize>,
    /// `2025-09` and so on, of the history.
    pub months: Vec<String>,
    count_days: Vec<i32>,
}

impl World {
    pub fn new(config: &DemoConfig) -> anyhow::Result<World> {
        let start = config.business_date - config.days as i32;
        let len = config.days + HORIZON_DAYS;
        let suppliers = places::suppliers(config.seed, config.items);
        let items = catalogue::items(config.seed, config.items, config.days, &suppliers);
        let weather =
            weather::simulate(config.seed, start, len, config.days, WEATHER_FORECAST_DAYS);
        // Planners see a year of the calendar ahead.
        let until = config.business_date + 365;
        let mut events = festivals::between(start, until, config.business_date, CATEGORIES)?;
        let profiles = profiles(&events, &weather, start, len);
        let mut closures = Vec::new();
        for supplier in &suppliers {
            let shut = supplier.shuts_days_before.map_or_else(Vec::new, |before| {
                festivals::shutdowns(&events, &supplier.supplier_id, before)
            });
            closures.push(Closures::new(&shut, start, len + LEAD_TIME_DAYS_MAX));
            events.extend(shut);
        }
        let dates: Vec<String> = (0..len).map(|t| (start + t as i32).to_string()).collect();
        let (months, month_of) = months(&dates[..config.days]);
        let count_days = count_days(&month_of);
        let mut world = World {
            config: *config,
            suppliers,
            closures,
            items,
            weather,
            events,
            promotions: Vec::new(),
            profiles,
            dates,
            month_of,
            months,
            count_days,
        };
        world.promotions = category_promotions(&world);
        Ok(world)
    }

    pub fn seed(&self) -> u64 {
        self.config.seed
    }

    /// Days of history; also the index of the business date.
    pub fn days(&self) -> usize {
        self.config.days
    }

    /// Days of history and horizon.
    pub fn len(&self) -> usize {
        self.dates.len()
    }

    pub fn start(&self) -> Day {
        self.config.business_date - self.config.days as i32
    }

    /// The day up to which promotions and prices are decided.
    pub fn known_until(&self) -> i32 {
        self.config.days as i32 + DECIDED_DAYS
    }

    pub fn date(&self, t: i32) -> Day {
        self.start() + t
    }

    pub fn date_text(&self, t: usize) -> &str {
        &self.dates[t]
    }

    pub fn month_of(&self, t: usize) -> usize {
        self.month_of[t]
    }

    pub fn is_count_day(&self, t: i32) -> bool {
        self.count_days.binary_search(&t).is_ok()
    }

    pub fn categories(&self) -> &'static [Category] {
        CATEGORIES
    }

    pub fn profile(&self, shop: usize, category: usize) -> &[f64] {
        &self.profiles[(shop - FIRST_SHOP) * CATEGORIES.len() + category]
    }
}

fn profiles(events: &[Event], weather: &[RegionWeather], start: Day, len: usize) -> Vec<Vec<f64>> {
    let mut profiles = Vec::new();
    for location in &LOCATIONS[FIRST_SHOP..] {
        let sky = weather.iter().find(|region| region.region == location.weather_region);
        for category in CATEGORIES {
            let online = location.kind == LocationKind::Online;
            let mut profile =
                festivals::log_profile(category, location.region, online, events, start, len);
            if let Some(sky) = sky {
                for (effect, day) in profile.iter_mut().zip(&sky.days) {
                    *effect += day.log_effect(&category.weather);
                }
            }
            profiles.push(profile);
        }
    }
    profiles
}

fn months(dates: &[String]) -> (Vec<String>, Vec<usize>) {
    let mut months: Vec<String> = Vec::new();
    let mut month_of = Vec::with_capacity(dates.len());
    for date in dates {
        if months.last().is_none_or(|month| !date.starts_with(month.as_str())) {
            months.push(date[..7].to_owned());
        }
        month_of.push(months.len() - 1);
    }
    (months, month_of)
}

fn count_days(month_of: &[usize]) -> Vec<i32> {
    let ends = month_of.windows(2).enumerate().filter(|(_, pair)| pair[0] != pair[1]);
    let mut days: Vec<i32> = ends.map(|(t, _)| t as i32).collect();
    let mut days = days.split_off(days.len().saturating_sub(MONTHS_COUNTED));
    let last = month_of.len() as i32 - 1;
    days.retain(|&day| day != last);
    days.push(last);
    days
}
