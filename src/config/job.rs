//! One job, one TOML file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Context;
use granary_models::backtest::levels::Reconcile;
use granary_models::backtest::partial::PartialDays;
use granary_models::plan::gates::GateLimits;
use granary_models::plan::limits::PlanLimits;
use granary_models::plan::release::ReleaseRules;
use granary_models::plan_sku::PlanConfig;
use granary_models::policy::order::Target;
use granary_models::policy::projection::Shortage;
use serde::{Deserialize, Deserializer};

use super::{Exit, Refused, Retention, Schedule, Source, time_of_day};

/// What a file in `jobs/` says. Unknown keys are refused, because a misspelt limit is no limit.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Also the file's stem.
    pub name: String,
    pub kind: JobKind,
    #[serde(default)]
    pub schedule: Option<Schedule>,
    #[serde(default)]
    pub freshness: Freshness,
    #[serde(default)]
    pub forecast: ForecastSettings,
    #[serde(default)]
    pub policy: Policy,
    #[serde(default)]
    pub production: Production,
    #[serde(default)]
    pub defaults: Defaults,
    #[serde(default)]
    pub gates: GateLimits,
    /// Budgets and other limits that lines share.
    #[serde(default)]
    pub limits: PlanLimits,
    /// What goes out by itself, and whose word the rest takes.
    #[serde(default)]
    pub release: ReleaseRules,
    /// Of a purge job: days that rows are kept, by table.
    #[serde(default)]
    pub retention: Retention,
    /// What is pulled before the night, in this order.
    #[serde(default)]
    pub sources: Vec<Source>,
    /// Where the file is; paths of sources and maps start there. Empty for a job without a file.
    #[serde(skip)]
    pub folder: PathBuf,
    /// Of the file's text; kept with every run.
    #[serde(skip)]
    pub digest: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// Pull, forecast, plan, gate, publish.
    Nightly,
    /// Remove what is older than `[retention]` says.
    Purge,
}

/// How old the newest day of an input may be, in days before the business date. The day before
/// the business date has age 1.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Freshness {
    pub sales_max_age_days: i32,
    pub stock_max_age_days: i32,
}

impl Default for Freshness {
    fn default() -> Freshness {
        Freshness { sales_max_age_days: 2, stock_max_age_days: 2 }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ForecastSettings {
    /// Days that are forecast and published. Planning looks further where lead times need it.
    pub horizon_days: usize,
    /// Origins of the rolling backtest that chooses the model.
    pub cutoffs: usize,
    pub cutoff_step_days: usize,
    /// Nights from one choice and fit of all models to the next; in between they take the new days
    /// as they come. 1 fits every night.
    pub refit_days: i32,
    /// What a day on which the stock ran out tells: `calibrated`, `expected` or `missing`.
    pub partial_days: PartialDays,
    /// Whether forecasts are brought into line with those of their sums: `true`, `false`, or
    /// `"auto"` where it earns its place at past cutoffs.
    #[serde(deserialize_with = "reconcile")]
    pub reconcile: Reconcile,
    /// Days of history that are read.
    pub history_days: i32,
    /// Equally likely futures per series.
    pub paths: usize,
    pub seed: u64,
}

impl Default for ForecastSettings {
    fn default() -> ForecastSettings {
        ForecastSettings {
            horizon_days: 28,
            cutoffs: 3,
            cutoff_step_days: 7,
            refit_days: 7,
            partial_days: PartialDays::default(),
            reconcile: Reconcile::default(),
            history_days: 1100,
            paths: 256,
            seed: 1,
        }
    }
}

/// `true`, `false` or `"auto"`.
fn reconcile<'de, D: Deserializer<'de>>(from: D) -> Result<Reconcile, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Said {
        Whether(bool),
        Word(String),
    }
    match Said::deserialize(from)? {
        Said::Whether(true) => Ok(Reconcile::On),
        Said::Whether(false) => Ok(Reconcile::Off),
        Said::Word(word) if word == "auto" => Ok(Reconcile::Auto),
        Said::Word(word) => Err(serde::de::Error::custom(format!(
            "reconcile is {word:?}, want true, false or \"auto\""
        ))),
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// `{ fill = 0.98 }`: share of demand served from stock; `{ cycle = 0.95 }`: probability of no
    /// stock-out in a cycle; `"economics"`: every unit that earns more than it costs. Left out: the
    /// default service level, or a fill rate of 98%.
    pub service: Option<Target>,
    /// Unmet demand waits (`true`) or goes elsewhere (`false`, as in most shops).
    pub backorders: bool,
    /// Yearly cost of holding stock as a share of its value.
    pub holding_rate_per_year: f64,
    /// Lost goodwill per unit short, as a share of the margin.
    pub stockout_penalty: f64,
    /// A price break may not buy more than this many days of demand.
    pub price_break_cover_days: f64,
    /// Longest protection interval that is planned for.
    pub max_protection_days: usize,
    /// `HH:MM`, local: when lines are released. What a supplier's cut-off is earlier than counts as
    /// ordered a day later. Left out: before every cut-off.
    pub release_at: Option<String>,
    /// Days to the next run of the job: a line whose order may not leave today is left to the last
    /// run that still catches its day. 0 proposes it at once.
    pub next_run_days: u32,
    /// By how many percent demand changes when a price rises by one, for markdowns of stock.
    pub markdown_elasticity: f64,
    /// Share of its cost that a supplier credits for goods sent back.
    pub supplier_return_share: f64,
    /// Advice on an open order that is worth less than this is not given, minor units.
    pub exception_min_minor: i64,
    /// Open orders due within so many days are left alone.
    pub freeze_days: u32,
    /// Stock of which nothing was sold for so many days is dead.
    pub dead_stock_days: u32,
}

impl Default for Policy {
    fn default() -> Policy {
        let plan = PlanConfig::default();
        Policy {
            service: None,
            backorders: false,
            holding_rate_per_year: plan.holding_rate_per_year,
            stockout_penalty: plan.stockout_penalty,
            price_break_cover_days: plan.price_break_cover_days,
            max_protection_days: 90,
            release_at: None,
            next_run_days: plan.next_run_days,
            markdown_elasticity: plan.markdown_elasticity,
            supplier_return_share: plan.supplier_return_share,
            exception_min_minor: plan.exception_min_minor,
            freeze_days: plan.freeze_days,
            dead_stock_days: plan.dead_stock_days,
        }
    }
}

impl Policy {
    pub fn plan_config(&self, defaults: &Defaults) -> PlanConfig {
        let fallback = Target::Fill(defaults.service_level.unwrap_or(0.98));
        PlanConfig {
            target: self.service.unwrap_or(fallback),
            holding_rate_per_year: self.holding_rate_per_year,
            stockout_penalty: self.stockout_penalty,
            price_break_cover_days: self.price_break_cover_days,
            next_run_days: self.next_run_days,
            markdown_elasticity: self.markdown_elasticity,
            supplier_return_share: self.supplier_return_share,
            exception_min_minor: self.exception_min_minor,
            freeze_days: self.freeze_days,
            dead_stock_days: self.dead_stock_days,
            ..PlanConfig::default()
        }
    }

    pub fn shortage(&self) -> Shortage {
        if self.backorders { Shortage::BackOrdered } else { Shortage::Lost }
    }
}

/// Small batches for items on pre-sale.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Production {
    /// Length of a season, from the first reservation on.
    pub season_days: i32,
    /// Cost of starting one batch, in minor units.
    pub setup_cost_minor: i64,
    /// What an unsold unit still brings, as a share of its cost.
    pub salvage_share: f64,
    /// Share of reservations that are cancelled before they ship.
    pub cancellation_rate: f64,
    /// Share of shipped units that come back.
    pub return_rate: f64,
    /// Days from one decision on a repeat run to the next; 0 makes all at once.
    pub repeat_every_days: i32,
    /// Share of shoppers who find no stock and wait for the next run.
    pub wait_share: f64,
    /// Of each maker, on each of the next seven days; left out: as many as are asked for.
    pub hours_per_day: Option<f64>,
    /// Of one batch, and of one base unit of it.
    pub setup_hours: f64,
    pub hours_per_unit: f64,
    /// Until the material is there, and from the last hour of a batch until it can be sold.
    pub material_days: u32,
    pub transit_days: u32,
}

impl Default for Production {
    fn default() -> Production {
        Production {
            season_days: 60,
            setup_cost_minor: 0,
            salvage_share: 0.3,
            cancellation_rate: 0.05,
            return_rate: 0.05,
            repeat_every_days: 0,
            wait_share: 0.0,
            hours_per_day: None,
            setup_hours: 0.0,
            hours_per_unit: 0.0,
            material_days: 0,
            transit_days: 0,
        }
    }
}

/// Stands in for master data that the upstream does not have. Each use is counted in a finding.
/// What the job leaves out comes from the `[defaults]` of the import map.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Defaults {
    pub lead_time_days: Option<i64>,
    pub review_days: Option<i64>,
    pub moq: Option<i64>,
    pub multiple: Option<i64>,
    pub unit_cost_minor: Option<i64>,
    pub unit_price_minor: Option<i64>,
    pub currency: Option<String>,
    pub supplier_id: Option<String>,
    /// Days of average demand on hand where no stock has ever been counted; 0 plans from nothing.
    pub on_hand_cover_days: Option<f64>,
    /// Fill rate where the job's policy names no service.
    pub service_level: Option<f64>,
}

impl Defaults {
    /// `self` where it speaks, `fallback` elsewhere.
    pub fn or(self, fallback: Defaults) -> Defaults {
        Defaults {
            lead_time_days: self.lead_time_days.or(fallback.lead_time_days),
            review_days: self.review_days.or(fallback.review_days),
            moq: self.moq.or(fallback.moq),
            multiple: self.multiple.or(fallback.multiple),
            unit_cost_minor: self.unit_cost_minor.or(fallback.unit_cost_minor),
            unit_price_minor: self.unit_price_minor.or(fallback.unit_price_minor),
            currency: self.currency.or(fallback.currency),
            supplier_id: self.supplier_id.or(fallback.supplier_id),
            on_hand_cover_days: self.on_hand_cover_days.or(fallback.on_hand_cover_days),
            service_level: self.service_level.or(fallback.service_level),
        }
    }
}

impl Job {
    /// Reads and checks one file.
    pub fn read(path: &Path) -> anyhow::Result<Job> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the job {}", path.display()))?;
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        Job::parse(&text, stem)
            .map(|job| Job { folder: path.parent().map(Path::to_owned).unwrap_or_default(), ..job })
            .map_err(|message| Refused::new(Exit::Usage, format!("{}: {message}", path.display())))
            .map_err(Into::into)
    }

    /// `stem` is what the file is called, without `.toml`.
    pub fn parse(text: &str, stem: &str) -> Result<Job, String> {
        let mut job: Job = toml::from_str(text).map_err(|error| error.to_string())?;
        job.digest = blake3::hash(text.as_bytes()).to_hex().to_string();
        if job.name != stem {
            return Err(format!("name is {:?}, but the file is called {stem:?}", job.name));
        }
        job.check()?;
        Ok(job)
    }

    fn check(&self) -> Result<(), String> {
        if let Some(schedule) = &self.schedule {
            schedule.check().map_err(|error| format!("schedule.{error}"))?;
        }
        let mut names = BTreeSet::new();
        if let Some(twice) = self.sources.iter().find(|source| !names.insert(&source.name)) {
            return Err(format!("two sources are named {:?}", twice.name));
        }
        let range = |name: &str, value: f64, low: f64, high: f64| {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(format!("{name} is {value}, should be in {low}..={high}"))
            }
        };
        range("forecast.horizon_days", self.forecast.horizon_days as f64, 1.0, 366.0)?;
        range("forecast.cutoffs", self.forecast.cutoffs as f64, 1.0, 12.0)?;
        range("forecast.cutoff_step_days", self.forecast.cutoff_step_days as f64, 1.0, 90.0)?;
        range("forecast.refit_days", f64::from(self.forecast.refit_days), 1.0, 90.0)?;
        range("forecast.history_days", f64::from(self.forecast.history_days), 14.0, 4000.0)?;
        range("forecast.paths", self.forecast.paths as f64, 32.0, 4096.0)?;
        range("policy.holding_rate_per_year", self.policy.holding_rate_per_year, 0.0, 10.0)?;
        range("policy.max_protection_days", self.policy.max_protection_days as f64, 1.0, 366.0)?;
        range("policy.stockout_penalty", self.policy.stockout_penalty, 0.0, 100.0)?;
        range("production.season_days", f64::from(self.production.season_days), 1.0, 366.0)?;
        range("production.salvage_share", self.production.salvage_share, 0.0, 0.99)?;
        range("production.cancellation_rate", self.production.cancellation_rate, 0.0, 0.99)?;
        range("production.return_rate", self.production.return_rate, 0.0, 0.99)?;
        let making = &self.production;
        range("production.repeat_every_days", f64::from(making.repeat_every_days), 0.0, 366.0)?;
        range("production.wait_share", making.wait_share, 0.0, 1.0)?;
        range("production.hours_per_day", making.hours_per_day.unwrap_or(0.0), 0.0, 1e6)?;
        range("production.setup_hours", making.setup_hours, 0.0, 1e6)?;
        range("production.hours_per_unit", making.hours_per_unit, 0.0, 1e6)?;
        range("production.material_days", f64::from(making.material_days), 0.0, 366.0)?;
        range("production.transit_days", f64::from(making.transit_days), 0.0, 366.0)?;
        range("policy.next_run_days", f64::from(self.policy.next_run_days), 0.0, 31.0)?;
        range("policy.markdown_elasticity", self.policy.markdown_elasticity, -20.0, -0.1)?;
        range("policy.supplier_return_share", self.policy.supplier_return_share, 0.0, 1.0)?;
        range("policy.exception_min_minor", self.policy.exception_min_minor as f64, 0.0, 1e12)?;
        range("policy.freeze_days", f64::from(self.policy.freeze_days), 0.0, 366.0)?;
        range("policy.dead_stock_days", f64::from(self.policy.dead_stock_days), 1.0, 3660.0)?;
        if let Some(time) = self.policy.release_at.as_deref().filter(|t| time_of_day(t).is_none()) {
            return Err(format!("policy.release_at is {time:?}, should be HH:MM"));
        }
        let release = &self.release;
        let limit = release.approve_above_minor as f64;
        range("release.approve_above_minor", limit, 0.0, 1e15)?;
        let limit = release.second_person_above_minor as f64;
        range("release.second_person_above_minor", limit, 0.0, 1e15)?;
        let days = f64::from(release.override_expires_days);
        range("release.override_expires_days", days, 1.0, 366.0)?;
        let days = f64::from(release.approval_expires_days);
        range("release.approval_expires_days", days, 1.0, 366.0)?;
        range("release.on_order_days", f64::from(release.on_order_days), 0.0, 366.0)?;
        self.retention.check()?;
        if (self.kind == JobKind::Purge) == self.retention.0.is_empty() {
            let message = "[retention] belongs to jobs of the kind purge, and they need one";
            return Err(message.to_owned());
        }
        self.limits.check().map_err(|error| format!("limits.{error}"))?;
        self.gates.check().map_err(|error| format!("gates.{error}"))?;
        match self.policy.service {
            Some(Target::Fill(fill)) => range("policy.service.fill", fill, 0.5, 0.9999)?,
            Some(Target::Cycle(cycle)) => range("policy.service.cycle", cycle, 0.5, 0.9999)?,
            Some(Target::Economics) | None => {}
        }
        self.defaults
            .service_level
            .map_or(Ok(()), |level| range("defaults.service_level", level, 0.5, 0.9999))
    }

    /// Every job of a folder, by name.
    pub fn read_all(folder: &Path) -> anyhow::Result<BTreeMap<String, Job>> {
        let mut jobs = BTreeMap::new();
        for path in job_files(folder)? {
            let job = Job::read(&path)?;
            jobs.insert(job.name.clone(), job);
        }
        Ok(jobs)
    }

    /// The job of that name, or an error that lists the names there are.
    pub fn find(folder: &Path, name: &str) -> anyhow::Result<Job> {
        let path = folder.join(format!("{name}.toml"));
        if path.is_file() {
            return Job::read(&path);
        }
        let names: Vec<String> = job_files(folder)?
            .iter()
            .filter_map(|path| path.file_stem()?.to_str().map(str::to_owned))
            .collect();
        let message =
            format!("no job {name:?} in {}; there are: {}", folder.display(), names.join(", "));
        Err(Refused::new(Exit::Usage, message).into())
    }
}

fn job_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("cannot read the jobs folder {}", folder.display()))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
