//! What the simulator knows and no upstream would: written beside the demo's input files, read by
//! tests and by whoever judges a forecast.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use granary_models::calendar::Day;
use serde::{Deserialize, Serialize};

use super::catalogue::Role;
use super::categories::{EventResponse, WeatherResponse};
use super::demand::{DIP_DAYS, DIP_SHARE};
use super::places::LeadTime;
use super::world::World;

/// True mean and true draw of one day's demand, in smallest units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrueDay {
    pub date: Day,
    pub mean: f64,
    pub demand: i64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeriesTruth {
    /// History days on which stock hid demand.
    pub censored: Vec<TrueDay>,
    /// Every day from the business date (or a later launch) to the end of the truth's horizon.
    pub future: Vec<TrueDay>,
}

/// The truth of one demo, keyed by (item_id, location_id).
#[derive(Clone, Debug)]
pub struct Truth {
    pub series: BTreeMap<(String, String), SeriesTruth>,
    pub effects: Effects,
}

/// The simulator's own parameters. Effects are additive on the log of the daily mean.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Effects {
    pub business_date: Day,
    pub seed: u64,
    /// After a promotion this share of its uplift is lost, fading over `promo_dip_days`.
    pub promo_dip_share: f64,
    pub promo_dip_days: i32,
    pub categories: BTreeMap<String, CategoryEffects>,
    pub items: BTreeMap<String, ItemEffects>,
    pub lead_times: BTreeMap<String, LeadTime>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CategoryEffects {
    pub weekend: f64,
    /// Log amplitude of the year, and the day of the year of its crest.
    pub annual: (f64, f64),
    pub events: BTreeMap<String, EventResponse>,
    pub weather: WeatherResponse,
    pub promo_uplift_per_depth: f64,
    pub elasticity: f64,
    pub return_rate: f64,
    /// Share of the settled rate on day k: (1 − 0.75·e^(−k/ramp)) · e^(hype·0.5^(k/7)).
    pub launch_ramp_days: f64,
    pub launch_hype: f64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ItemEffects {
    pub role: Role,
    pub category: String,
    pub family: usize,
    pub daily_rate: f64,
    pub dispersion: f64,
    pub batch: f64,
    pub promo_uplift_per_depth: f64,
    pub elasticity: f64,
}

impl Effects {
    pub(super) fn of(world: &World) -> Effects {
        let names: Vec<&str> = world.events.iter().map(|event| event.name.as_str()).collect();
        let categories = world.categories().iter().map(|category| {
            let answers = names.iter().map(|name| (name.to_string(), category.response(name)));
            let events = answers.filter(|(_, answer)| *answer != EventResponse::default());
            let effects = CategoryEffects {
                weekend: category.weekend,
                annual: category.annual,
                events: events.collect(),
                weather: category.weather,
                promo_uplift_per_depth: category.promo_uplift,
                elasticity: category.elasticity,
                return_rate: category.return_rate,
                launch_ramp_days: category.launch_ramp_days,
                launch_hype: category.launch_hype,
            };
            (category.name.to_owned(), effects)
        });
        let items = world.items.iter().map(|item| {
            let effects = ItemEffects {
                role: item.role,
                category: item.category().name.to_owned(),
                family: item.family,
                daily_rate: item.log_rate.exp(),
                dispersion: item.dispersion,
                batch: item.batch,
                promo_uplift_per_depth: item.promo_uplift,
                elasticity: item.elasticity,
            };
            (item.item_id.clone(), effects)
        });
        let suppliers = world.suppliers.iter();
        Effects {
            business_date: world.config.business_date,
            seed: world.seed(),
            promo_dip_share: DIP_SHARE,
            promo_dip_days: DIP_DAYS,
            categories: categories.collect(),
            items: items.collect(),
            lead_times: suppliers.map(|s| (s.supplier_id.clone(), s.lead_time)).collect(),
        }
    }
}

impl Truth {
    /// Reads `truth/` of a demo's directory.
    ///
    /// # Errors
    /// When a file is missing or not as [`super::write_demo`] wrote it.
    pub fn read(demo_dir: &Path) -> anyhow::Result<Truth> {
        let effects_path = demo_dir.join("truth/effects.json");
        let text = std::fs::read_to_string(&effects_path)
            .with_context(|| format!("cannot read {}", effects_path.display()))?;
        let effects = serde_json::from_str(&text)
            .with_context(|| format!("{} is not the demo's truth", effects_path.display()))?;
        let path = demo_dir.join("truth/demand.csv");
        let mut reader = csv::Reader::from_path(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let mut series: BTreeMap<(String, String), SeriesTruth> = BTreeMap::new();
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record)? {
            let (key, kind, day) =
                parse(&record).with_context(|| format!("{}: {record:?}", path.display()))?;
            let truth = series.entry(key).or_default();
            match kind {
                "censored" => truth.censored.push(day),
                "future" => truth.future.push(day),
                other => anyhow::bail!("{other:?} in {}", path.display()),
            }
        }
        Ok(Truth { series, effects })
    }

    pub fn of(&self, item_id: &str, location_id: &str) -> Option<&SeriesTruth> {
        self.series.get(&(item_id.to_owned(), location_id.to_owned()))
    }
}

type Row<'a> = ((String, String), &'a str, TrueDay);

fn parse(record: &csv::StringRecord) -> anyhow::Result<Row<'_>> {
    let field = |index| record.get(index).context("a field is missing");
    let key = (field(0)?.to_owned(), field(1)?.to_owned());
    let day =
        TrueDay { date: field(2)?.parse()?, mean: field(4)?.parse()?, demand: field(5)?.parse()? };
    Ok((key, field(3)?, day))
}
