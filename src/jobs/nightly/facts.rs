//! Pull: everything a night needs, read once, with a digest of what was read.

use std::fmt::Debug;

use granary_models::calendar::Day;

use crate::config::{Defaults, Job};
use crate::store::inputs::master::{self, Item, Location, Stocking, Supplier, SupplyTerms};
use crate::store::inputs::{
    Behaviour, CalendarEvent, Lot, Order, Presale, PricePlan, Promotion, ShopperEvent, Stock,
    WeatherDay,
};
use crate::store::sales::SeriesSales;
use crate::store::{Store, inputs, sales};

/// Days of shopper behaviour that are read: launches are judged on recent weeks, and neighbours
/// are found among what the same shoppers looked at in the last half year.
const BEHAVIOUR_DAYS: i32 = 183;

pub struct Facts {
    pub business_date: Day,
    pub items: Vec<Item>,
    pub locations: Vec<Location>,
    pub supply_terms: Vec<SupplyTerms>,
    pub suppliers: Vec<Supplier>,
    pub stocking: Vec<Stocking>,
    pub stock: Vec<Stock>,
    pub lots: Vec<Lot>,
    pub orders: Vec<Order>,
    pub promotions: Vec<Promotion>,
    pub events: Vec<CalendarEvent>,
    pub weather: Vec<WeatherDay>,
    pub price_plan: Vec<PricePlan>,
    pub behaviour: Vec<Behaviour>,
    pub event_log: Vec<ShopperEvent>,
    pub presales: Vec<Presale>,
    pub sales: Vec<SeriesSales>,
    /// The job's, then the import map's.
    pub defaults: Defaults,
    pub input_digest: String,
}

impl Facts {
    pub async fn pull(store: &Store, job: &Job, business_date: Day) -> anyhow::Result<Facts> {
        let pool = &store.reader;
        let from = business_date - job.forecast.history_days;
        let behaviour_from = business_date - BEHAVIOUR_DAYS;
        let mut facts = Facts {
            business_date,
            sales: sales::sales(pool, from, business_date).await?,
            items: master::items(pool).await?,
            locations: master::locations(pool).await?,
            supply_terms: master::supply_terms(pool).await?,
            suppliers: master::suppliers(pool).await?,
            stocking: master::stocking(pool).await?,
            stock: inputs::stock(pool, business_date).await?,
            lots: inputs::lots(pool, business_date).await?,
            orders: inputs::orders(pool, business_date).await?,
            promotions: inputs::promotions(pool).await?,
            events: inputs::calendar_events(pool).await?,
            weather: inputs::weather(pool, business_date).await?,
            price_plan: inputs::price_plan(pool).await?,
            behaviour: inputs::behaviour(pool, behaviour_from, business_date).await?,
            event_log: inputs::event_log(pool, behaviour_from, business_date).await?,
            presales: inputs::presales(pool, business_date).await?,
            defaults: job.defaults.clone().or(inputs::import_defaults(pool).await?),
            input_digest: String::new(),
        };
        facts.input_digest = facts.digest();
        Ok(facts)
    }

    /// The newest day with sales anywhere, before the business date.
    pub fn last_sales_day(&self) -> Option<Day> {
        self.sales.iter().filter_map(|series| series.days.last()).map(|day| day.date).max()
    }

    pub fn last_stock_day(&self) -> Option<Day> {
        self.stock.iter().map(|stock| stock.date).max()
    }

    fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        let mut add = |name: &str, text: &dyn Debug| {
            hasher.update(format!("{name}{text:?}").as_bytes());
        };
        add("date", &self.business_date);
        add("items", &self.items);
        add("locations", &self.locations);
        add("terms", &self.supply_terms);
        add("suppliers", &self.suppliers);
        add("stocking", &self.stocking);
        add("stock", &self.stock);
        add("lots", &self.lots);
        add("orders", &self.orders);
        add("promotions", &self.promotions);
        add("events", &self.events);
        add("weather", &self.weather);
        add("prices", &self.price_plan);
        add("behaviour", &self.behaviour);
        add("log", &self.event_log);
        add("presales", &self.presales);
        add("defaults", &self.defaults);
        for series in &self.sales {
            hasher.update(series.item_id.as_bytes());
            hasher.update(&[0]);
            hasher.update(series.location_id.as_bytes());
            hasher.update(&[0]);
            for day in &series.days {
                hasher.update(&day.date.0.to_le_bytes());
                hasher.update(&day.qty.to_le_bytes());
                hasher.update(&day.price_minor.unwrap_or(-1).to_le_bytes());
                hasher.update(&day.promo_depth.to_le_bytes());
                hasher.update(&day.available.to_le_bytes());
                hasher.update(&day.returned_qty.to_le_bytes());
            }
        }
        hasher.finalize().to_hex().to_string()
    }
}
