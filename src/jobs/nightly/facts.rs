//! Pull: everything a night needs, read once, with a digest of what was read.

use std::fmt::Debug;

use granary_models::calendar::Day;

use super::measures::PERIOD_DAYS;
use crate::config::{Defaults, Job};
use crate::store::db::Db;
use crate::store::inputs::master::{self, Item, Location, Stocking, Supplier, SupplyTerms};
use crate::store::inputs::{
    Behaviour, CalendarEvent, Lot, MeanStock, Order, Presale, PricePlan, Promotion, ShopperEvent,
    Stock, WeatherDay,
};
use crate::store::release::on_order::{self, OnOrder, Scope};
use crate::store::sales::SeriesSales;
use crate::store::{inputs, sales};

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
    pub mean_stock: Vec<MeanStock>,
    pub lots: Vec<Lot>,
    pub orders: Vec<Order>,
    /// What was released before and no order of the upstream shows.
    pub released: OnOrder,
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
    /// Everything comes from one state of the database, the one that `db` sees.
    pub async fn pull(db: &mut Db, job: &Job, business_date: Day) -> anyhow::Result<Facts> {
        let from = business_date - job.forecast.history_days;
        let behaviour_from = business_date - BEHAVIOUR_DAYS;
        let scope = Scope { job: &job.name, business_date, place: None };
        let orders =
            on_order::without_own_date(inputs::orders(db, business_date).await?, business_date);
        let released = on_order::released(db, scope).await?;
        let released = released.against(&orders, scope, job.release.on_order_days)?;
        let mut facts = Facts {
            business_date,
            sales: sales::sales(db, from, business_date).await?,
            items: master::items(db).await?,
            locations: master::locations(db).await?,
            supply_terms: master::supply_terms(db).await?,
            suppliers: master::suppliers(db).await?,
            stocking: master::stocking(db).await?,
            stock: inputs::stock(db, business_date).await?,
            mean_stock: inputs::mean_stock(db, business_date - PERIOD_DAYS, business_date).await?,
            lots: inputs::lots(db, business_date).await?,
            orders,
            released,
            promotions: inputs::promotions(db).await?,
            events: inputs::calendar_events(db).await?,
            weather: inputs::weather(db, business_date).await?,
            price_plan: inputs::price_plan(db).await?,
            behaviour: inputs::behaviour(db, behaviour_from, business_date).await?,
            event_log: inputs::event_log(db, behaviour_from, business_date).await?,
            presales: inputs::presales(db, business_date).await?,
            defaults: job.defaults.clone().or(inputs::import_defaults(db).await?),
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
        add("mean stock", &self.mean_stock);
        add("lots", &self.lots);
        add("orders", &self.orders);
        add("released", &(&self.released.orders, &self.released.promised));
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
