//! The registry: a line a model, with the names of its fields.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::case::CaseError;
use super::check::ParameterError;
use super::demand::CountLaw;
use super::eoq::{DiscountEoq, Eoq, OrderQuantity, TierQuantity};
use super::fields::{Fields, Model, Output};
use super::finite_horizon::{FiniteHorizon, HorizonCosts, PeriodDemand};
use super::gsm_tree::{ServiceTree, TreeStage};
use super::joint_replenishment::JointReplenishment;
use super::lot_sizing::LotSizing;
use super::newsvendor::{BaseStock, Newsvendor};
use super::normal::NormalDemand;
use super::r_q::{ContinuousReview, RqPolicy};
use super::s_s::PeriodicReview;
use super::safety_stock::{NormalSupply, Review, Service, ServiceLevel, counts_level};
use super::serial::{EchelonLevels, Serial};

type Answer = Result<Output, CaseError>;

const fn model(
    name: &'static str,
    required: &'static [&'static str],
    optional: &'static [&'static str],
    solve: fn(&Fields) -> Answer,
) -> Model {
    Model { name, required, optional, solve }
}

const EOQ: [&str; 3] = ["fixed_cost", "holding_cost", "demand_rate"];
const DISCOUNT: &[&str] =
    &["fixed_cost", "holding_cost_rate", "demand_rate", "breakpoints", "unit_costs"];
const JOINT: &[&str] =
    &["shared_fixed_cost", "individual_fixed_costs", "holding_costs", "demand_rates"];
const NEWS_MEAN: &[&str] = &["holding_cost", "stockout_cost", "demand_mean"];
const NEWS_SD: &[&str] = &["holding_cost", "stockout_cost", "demand_mean", "demand_sd"];
const NEWS_PMF: &[&str] = &["holding_cost", "stockout_cost", "demand_pmf"];
const NEWS_PATHS: &[&str] = &["holding_cost", "stockout_cost", "demand_paths"];
const BASE_MEAN: &[&str] = &["holding_cost", "stockout_cost", "demand_mean", "lead_time"];
const BASE_SD: &[&str] =
    &["holding_cost", "stockout_cost", "demand_mean", "demand_sd", "lead_time"];
const BASE_PMF: &[&str] = &["holding_cost", "stockout_cost", "demand_pmf", "lead_time"];
const SS_MEAN: &[&str] = &["holding_cost", "stockout_cost", "fixed_cost", "demand_mean"];
const SS_SD: &[&str] = &["holding_cost", "stockout_cost", "fixed_cost", "demand_mean", "demand_sd"];
const SS_PMF: &[&str] = &["holding_cost", "stockout_cost", "fixed_cost", "demand_pmf"];
const RQ_MEAN: &[&str] =
    &["holding_cost", "stockout_cost", "fixed_cost", "demand_mean", "lead_time"];
const RQ_SD: &[&str] =
    &["holding_cost", "stockout_cost", "fixed_cost", "demand_mean", "demand_sd", "lead_time"];
const HORIZON_MEAN: &[&str] =
    &["num_periods", "holding_cost", "stockout_cost", "fixed_cost", "demand_mean"];
const HORIZON_SD: &[&str] =
    &["num_periods", "holding_cost", "stockout_cost", "fixed_cost", "demand_mean", "demand_sd"];
const HORIZON_PMF: &[&str] =
    &["num_periods", "holding_cost", "stockout_cost", "fixed_cost", "demand_pmf"];
const HORIZON_OPTIONAL: &[&str] = &[
    "terminal_holding_cost",
    "terminal_stockout_cost",
    "purchase_cost",
    "discount_factor",
    "initial_inventory_level",
];
const LOTS: &[&str] = &["demand", "holding_cost", "fixed_cost"];
const LOTS_OPTIONAL: &[&str] = &["num_periods", "purchase_cost"];
const RS_MEAN: &[&str] = &["demand_mean", "lead_time", "review_period"];
const RS_SD: &[&str] = &["demand_mean", "demand_sd", "lead_time", "review_period"];
const RS_PMF: &[&str] = &["demand_pmf", "lead_time", "review_period"];
const SERVICE: &[&str] = &["cycle_service_level", "fill_rate"];
const SERVICE_NORMAL: &[&str] = &["cycle_service_level", "fill_rate", "lead_time_sd"];
const STAGE: [&str; 6] = [
    "id",
    "processing_time",
    "holding_cost",
    "demand_sd",
    "external_inbound_service_time",
    "external_outbound_service_time",
];

pub static MODELS: &[Model] = &[
    model("eoq", &EOQ, &[], |f| Ok(quantity(eoq(f)?.plain()))),
    model(
        "eoq_backorders",
        &["fixed_cost", "holding_cost", "stockout_cost", "demand_rate"],
        &[],
        eoq_backorders,
    ),
    model("epq", &["fixed_cost", "holding_cost", "demand_rate", "production_rate"], &[], epq),
    model("eoq_all_units_discount", DISCOUNT, &[], |f| discount(f, |eoq| eoq.all_units())),
    model("eoq_incremental_discount", DISCOUNT, &[], |f| discount(f, |eoq| eoq.incremental())),
    model("joint_replenishment", JOINT, &[], joint_replenishment),
    model("newsvendor_normal", NEWS_SD, &["lead_time"], base_stock_normal),
    model("newsvendor_poisson", NEWS_MEAN, &["lead_time"], |f| base_stock(f, poisson)),
    model("newsvendor_negative_binomial", NEWS_SD, &["lead_time"], |f| {
        base_stock(f, negative_binomial)
    }),
    model("newsvendor_discrete", NEWS_PMF, &["lead_time"], newsvendor_discrete),
    model("newsvendor_paths", NEWS_PATHS, &[], newsvendor_paths),
    model("base_stock_normal", BASE_SD, &[], base_stock_normal),
    model("base_stock_poisson", BASE_MEAN, &[], |f| base_stock(f, poisson)),
    model("base_stock_negative_binomial", BASE_SD, &[], |f| base_stock(f, negative_binomial)),
    model("base_stock_discrete", BASE_PMF, &[], |f| base_stock(f, table)),
    model("s_S_poisson", SS_MEAN, &["lead_time"], |f| s_s(f, poisson)),
    model("s_S_negative_binomial", SS_SD, &["lead_time"], |f| s_s(f, negative_binomial)),
    model("s_S_discrete", SS_PMF, &["lead_time"], |f| s_s(f, table)),
    model("r_Q_normal", RQ_SD, &[], r_q_normal),
    model("r_Q_poisson", RQ_MEAN, &[], r_q_poisson),
    model("finite_horizon_normal", HORIZON_SD, HORIZON_OPTIONAL, |f| {
        finite_horizon(f, normal_periods)
    }),
    model("finite_horizon_poisson", HORIZON_MEAN, HORIZON_OPTIONAL, |f| {
        finite_horizon(f, poisson_periods)
    }),
    model("finite_horizon_discrete", HORIZON_PMF, HORIZON_OPTIONAL, |f| {
        finite_horizon(f, table_periods)
    }),
    model("dynamic_lot_size", LOTS, LOTS_OPTIONAL, |f| lot_sizing(f, true)),
    model("silver_meal", LOTS, LOTS_OPTIONAL, |f| lot_sizing(f, false)),
    model("safety_stock_R_S_normal", RS_SD, SERVICE_NORMAL, |f| service_normal(f, r_s(f)?)),
    model("safety_stock_R_S_poisson", RS_MEAN, SERVICE, |f| service_counts(f, poisson, r_s(f)?)),
    model("safety_stock_R_S_negative_binomial", RS_SD, SERVICE, |f| {
        service_counts(f, negative_binomial, r_s(f)?)
    }),
    model("safety_stock_R_S_discrete", RS_PMF, SERVICE, |f| service_counts(f, table, r_s(f)?)),
    model(
        "safety_stock_s_Q_normal",
        &["demand_mean", "demand_sd", "lead_time", "order_quantity"],
        SERVICE_NORMAL,
        |f| service_normal(f, s_q(f)?),
    ),
    model(
        "safety_stock_s_Q_poisson",
        &["demand_mean", "lead_time", "order_quantity"],
        SERVICE,
        |f| service_counts(f, poisson, s_q(f)?),
    ),
    model(
        "serial_normal",
        &["echelon_holding_costs", "lead_times", "stockout_cost", "demand_mean", "demand_sd"],
        &[],
        serial_normal,
    ),
    model(
        "serial_poisson",
        &["echelon_holding_costs", "lead_times", "stockout_cost", "demand_mean"],
        &[],
        serial_poisson,
    ),
    model(
        "guaranteed_service_tree",
        &["stages", "arcs"],
        &["demand_bound_constant"],
        guaranteed_service_tree,
    ),
];

/// Names the model in a parameter's error.
trait Of<T> {
    fn of(self, fields: &Fields) -> Result<T, CaseError>;
}

impl<T> Of<T> for Result<T, ParameterError> {
    fn of(self, fields: &Fields) -> Result<T, CaseError> {
        self.map_err(|error| fields.illegal(error))
    }
}

fn eoq(f: &Fields) -> Result<Eoq, CaseError> {
    Eoq::new(f.number("fixed_cost")?, f.number("holding_cost")?, f.number("demand_rate")?).of(f)
}

fn quantity(answer: OrderQuantity) -> Output {
    Output::default()
        .number("order_quantity", answer.order_quantity)
        .number("cost_rate", answer.cost_rate)
}

fn eoq_backorders(f: &Fields) -> Answer {
    let (answer, waits) = eoq(f)?.with_backorders(f.number("stockout_cost")?).of(f)?;
    Ok(quantity(answer).number("stockout_fraction", waits))
}

fn epq(f: &Fields) -> Answer {
    Ok(quantity(eoq(f)?.with_production(f.number("production_rate")?).of(f)?))
}

fn discount(f: &Fields, solve: fn(&DiscountEoq) -> TierQuantity) -> Answer {
    let (breakpoints, unit_costs) = (f.numbers("breakpoints")?, f.numbers("unit_costs")?);
    let (fixed_cost, rate) = (f.number("fixed_cost")?, f.number("holding_cost_rate")?);
    let demand_rate = f.number("demand_rate")?;
    let tier =
        solve(&DiscountEoq::new(fixed_cost, rate, demand_rate, &breakpoints, &unit_costs).of(f)?);
    Ok(Output::default()
        .number("order_quantity", tier.order_quantity)
        .value("price_tier", tier.price_tier)
        .number("cost_rate", tier.cost_rate))
}

/// Silver's answer by the names of the reference, and the best one beside it.
fn joint_replenishment(f: &Fields) -> Answer {
    let fixed = f.numbers("individual_fixed_costs")?;
    let (holding, demand) = (f.numbers("holding_costs")?, f.numbers("demand_rates")?);
    let shared = f.number("shared_fixed_cost")?;
    let items = JointReplenishment::new(shared, &fixed, &holding, &demand).of(f)?;
    let (silver, best) = (items.silver(), items.best());
    Ok(Output::default()
        .number("base_cycle_time", silver.base_cycle_time)
        .value("order_multiples", silver.order_multiples)
        .number("cost_rate", silver.cost_rate)
        .number("optimal_base_cycle_time", best.base_cycle_time)
        .value("optimal_order_multiples", best.order_multiples)
        .number("optimal_cost_rate", best.cost_rate))
}

type Law = fn(&Fields) -> Result<CountLaw, CaseError>;

fn poisson(f: &Fields) -> Result<CountLaw, CaseError> {
    CountLaw::poisson(f.number("demand_mean")?).of(f)
}

fn negative_binomial(f: &Fields) -> Result<CountLaw, CaseError> {
    CountLaw::negative_binomial(f.number("demand_mean")?, f.number("demand_sd")?).of(f)
}

fn table(f: &Fields) -> Result<CountLaw, CaseError> {
    CountLaw::table(&f.pmf("demand_pmf")?).of(f)
}

fn newsvendor(f: &Fields) -> Result<Newsvendor, CaseError> {
    Newsvendor::new(f.number("holding_cost")?, f.number("stockout_cost")?).of(f)
}

fn level(answer: BaseStock) -> Output {
    Output::default()
        .number("base_stock_level", answer.base_stock_level)
        .number("cost", answer.cost)
        .number("safety_stock", answer.base_stock_level - answer.window_mean)
        .number("cycle_service_level", answer.cycle_service_level)
}

fn base_stock_normal(f: &Fields) -> Answer {
    let (mean, sd) = (f.number("demand_mean")?, f.number("demand_sd")?);
    Ok(level(newsvendor(f)?.normal(mean, sd, f.number_or("lead_time", 0.0)?).of(f)?))
}

fn base_stock(f: &Fields, law: Law) -> Answer {
    Ok(level(newsvendor(f)?.counts(&law(f)?, f.number_or("lead_time", 0.0)?).of(f)?))
}

/// Demands in a table need to be whole only where several periods are added up.
fn newsvendor_discrete(f: &Fields) -> Answer {
    if f.number_or("lead_time", 0.0)? != 0.0 {
        return base_stock(f, table);
    }
    Ok(level(newsvendor(f)?.discrete(&f.pmf("demand_pmf")?).of(f)?))
}

fn newsvendor_paths(f: &Fields) -> Answer {
    Ok(level(newsvendor(f)?.paths(&f.lists("demand_paths")?).of(f)?))
}

fn s_s(f: &Fields, law: Law) -> Answer {
    let (holding, stockout) = (f.number("holding_cost")?, f.number("stockout_cost")?);
    let (fixed, lead_time) = (f.number("fixed_cost")?, f.number_or("lead_time", 0.0)?);
    let case = PeriodicReview::new(holding, stockout, fixed, &law(f)?, lead_time).of(f)?;
    let best = case.best().of(f)?;
    Ok(Output::default()
        .value("s", best.reorder_point)
        .value("S", best.order_up_to_level)
        .number("cost_rate", best.cost_rate))
}

fn continuous(f: &Fields) -> Result<ContinuousReview, CaseError> {
    let (holding, stockout) = (f.number("holding_cost")?, f.number("stockout_cost")?);
    ContinuousReview::new(holding, stockout, f.number("fixed_cost")?).of(f)
}

fn r_q(answer: RqPolicy) -> Output {
    Output::default()
        .number("r", answer.reorder_point)
        .number("Q", answer.order_quantity)
        .number("cost_rate", answer.cost_rate)
}

fn r_q_normal(f: &Fields) -> Answer {
    let (mean, sd) = (f.number("demand_mean")?, f.number("demand_sd")?);
    Ok(r_q(continuous(f)?.normal(mean, sd, f.number("lead_time")?).of(f)?))
}

fn r_q_poisson(f: &Fields) -> Answer {
    let best = continuous(f)?.poisson(f.number("demand_mean")?, f.number("lead_time")?).of(f)?;
    Ok(Output::default()
        .value("r", best.reorder_point as i64)
        .value("Q", best.order_quantity as i64)
        .number("cost_rate", best.cost_rate))
}

fn normal_periods(f: &Fields, periods: usize) -> Result<Vec<PeriodDemand>, CaseError> {
    let means = f.for_each("demand_mean", periods)?;
    let sds = f.for_each("demand_sd", periods)?;
    let period = |(mean, sd)| PeriodDemand::Normal(NormalDemand { mean, sd });
    Ok(means.into_iter().zip(sds).map(period).collect())
}

fn poisson_periods(f: &Fields, periods: usize) -> Result<Vec<PeriodDemand>, CaseError> {
    let means = f.for_each("demand_mean", periods)?;
    let period = |mean| CountLaw::poisson(mean).of(f).map(PeriodDemand::Counts);
    means.into_iter().map(period).collect()
}

fn table_periods(f: &Fields, periods: usize) -> Result<Vec<PeriodDemand>, CaseError> {
    let tables = f.pmf_for_each("demand_pmf", periods)?;
    let period = |pmf: Vec<(f64, f64)>| CountLaw::table(&pmf).of(f).map(PeriodDemand::Counts);
    tables.into_iter().map(period).collect()
}

fn num_periods(f: &Fields) -> Result<usize, CaseError> {
    let periods = f.count("num_periods")?;
    let most = super::finite_horizon::PERIODS_MAX;
    if (1..=most).contains(&periods) {
        return Ok(periods);
    }
    let legal = format!("a whole number from 1 to {most}");
    Err(f.illegal(ParameterError::new("num_periods", periods, legal)))
}

fn finite_horizon(
    f: &Fields,
    demand: fn(&Fields, usize) -> Result<Vec<PeriodDemand>, CaseError>,
) -> Answer {
    let periods = num_periods(f)?;
    let optional = |field, missing| match f.has(field) {
        true => f.for_each(field, periods),
        false => Ok(vec![missing]),
    };
    let costs = HorizonCosts {
        holding_cost: &f.for_each("holding_cost", periods)?,
        stockout_cost: &f.for_each("stockout_cost", periods)?,
        purchase_cost: &optional("purchase_cost", 0.0)?,
        fixed_cost: &f.for_each("fixed_cost", periods)?,
        discount_factor: &optional("discount_factor", 1.0)?,
        terminal_holding_cost: f.number_or("terminal_holding_cost", 0.0)?,
        terminal_stockout_cost: f.number_or("terminal_stockout_cost", 0.0)?,
    };
    let horizon = FiniteHorizon::new(&costs, &demand(f, periods)?).of(f)?;
    let initial =
        if f.has("initial_inventory_level") { f.whole("initial_inventory_level")? } else { 0 };
    let policy = horizon.solve(initial).of(f)?;
    Ok(Output::default()
        .value("reorder_points", json!(policy.reorder_points))
        .value("order_up_to_levels", json!(policy.order_up_to_levels))
        .number("total_cost", policy.total_cost)
        .value("s_S_is_optimal", policy.is_s_s))
}

fn lot_sizing(f: &Fields, best: bool) -> Answer {
    let demand = if f.has("num_periods") {
        f.for_each("demand", num_periods(f)?)?
    } else {
        f.numbers("demand")?
    };
    let costs = |field| match f.has(field) {
        true => f.for_each(field, demand.len()),
        false => Ok(vec![0.0]),
    };
    let (holding, fixed, purchase) =
        (costs("holding_cost")?, costs("fixed_cost")?, costs("purchase_cost")?);
    let lots = LotSizing::new(&demand, &holding, &fixed, &purchase).of(f)?;
    let plan = if best { lots.best() } else { lots.silver_meal() };
    Ok(Output::default()
        .numbers("order_quantities", &plan.order_quantities)
        .number("cost", plan.cost))
}

fn r_s(f: &Fields) -> Result<Review, CaseError> {
    Review::each(f.number("review_period")?).of(f)
}

fn s_q(f: &Fields) -> Result<Review, CaseError> {
    Review::quantity(f.number("order_quantity")?).of(f)
}

fn service(f: &Fields) -> Result<Service, CaseError> {
    match (f.has("cycle_service_level"), f.has("fill_rate")) {
        (true, false) => Service::cycle(f.number("cycle_service_level")?).of(f),
        (false, true) => Service::fill(f.number("fill_rate")?).of(f),
        (both, _) => {
            let value = if both { "given twice" } else { "missing" };
            let legal = "one of the two, above 0 and below 1";
            let field = "the target (cycle_service_level or fill_rate)";
            Err(f.illegal(ParameterError::new(field, value, legal)))
        }
    }
}

fn service_level(review: Review, answer: ServiceLevel) -> Output {
    let name = match review {
        Review::EachPeriods(_) => "order_up_to_level",
        Review::OrderQuantity(_) => "reorder_point",
    };
    Output::default()
        .number(name, answer.level)
        .number("safety_stock", answer.safety_stock)
        .number("cycle_service_level", answer.cycle_service_level)
        .number("fill_rate", answer.fill_rate)
}

fn service_normal(f: &Fields, review: Review) -> Answer {
    let (mean, sd) = (f.number("demand_mean")?, f.number("demand_sd")?);
    let (lead_time, lead_time_sd) = (f.number("lead_time")?, f.number_or("lead_time_sd", 0.0)?);
    let supply = NormalSupply::new(mean, sd, lead_time, lead_time_sd).of(f)?;
    Ok(service_level(review, supply.level(review, service(f)?).of(f)?))
}

fn service_counts(f: &Fields, law: Law, review: Review) -> Answer {
    let answer = counts_level(&law(f)?, f.number("lead_time")?, review, service(f)?).of(f)?;
    Ok(service_level(review, answer))
}

fn chain(f: &Fields) -> Result<Serial, CaseError> {
    let (holding, lead_times) = (f.numbers("echelon_holding_costs")?, f.numbers("lead_times")?);
    Serial::new(&holding, &lead_times, f.number("stockout_cost")?).of(f)
}

fn echelons(answer: &EchelonLevels) -> Output {
    Output::default()
        .numbers("echelon_base_stock_levels", &answer.echelon_base_stock_levels)
        .numbers("local_base_stock_levels", &answer.local_base_stock_levels)
        .number("cost_rate", answer.cost_rate)
}

fn serial_normal(f: &Fields) -> Answer {
    let (mean, sd) = (f.number("demand_mean")?, f.number("demand_sd")?);
    Ok(echelons(&chain(f)?.normal(mean, sd).of(f)?))
}

fn serial_poisson(f: &Fields) -> Answer {
    Ok(echelons(&chain(f)?.poisson(f.number("demand_mean")?).of(f)?))
}

fn guaranteed_service_tree(f: &Fields) -> Answer {
    let mut places = BTreeMap::new();
    let mut ids = Vec::new();
    let mut stages = Vec::new();
    for (at, stage) in f.objects("stages", &STAGE)?.into_iter().enumerate() {
        let place = format!("stages[{at}]");
        let count = |field| f.count_in(stage, &place, field);
        let id = f.text_in(stage, &place, "id")?;
        if places.insert(id.clone(), at).is_some() {
            let field = format!("{place}.id");
            return Err(f.illegal(ParameterError::new(field, id, "an id that is there once")));
        }
        ids.push(id);
        let processing_time = count("processing_time")?
            .ok_or_else(|| f.missing_in(stage, &place, "processing_time"))?;
        stages.push(TreeStage {
            processing_time,
            holding_cost: f.number_in(stage, &place, "holding_cost", None)?,
            demand_sd: f.number_in(stage, &place, "demand_sd", Some(0.0))?,
            external_inbound_service_time: count("external_inbound_service_time")?.unwrap_or(0),
            external_outbound_service_time: count("external_outbound_service_time")?,
        });
    }
    let mut arcs = Vec::new();
    for (at, (from, to)) in f.pairs("arcs")?.into_iter().enumerate() {
        let find = |id: &String| {
            let unknown = || ParameterError::new(format!("arcs[{at}]"), id, "ids of two stages");
            places.get(id).copied().ok_or_else(unknown).of(f)
        };
        arcs.push((find(&from)?, find(&to)?));
    }
    let bound = f.number_or("demand_bound_constant", 1.0)?;
    let times = ServiceTree::new(&stages, &arcs, bound).of(f)?.solve();
    let by_id = |values: Vec<Value>| -> Value {
        ids.iter().cloned().zip(values).collect::<serde_json::Map<_, _>>().into()
    };
    let whole = |times: &[usize]| by_id(times.iter().map(|&time| json!(time)).collect());
    let stock = times.safety_stocks.iter().map(|&stock| json!(stock)).collect();
    Ok(Output::default()
        .value("service_times", whole(&times.service_times))
        .value("inbound_service_times", whole(&times.inbound_service_times))
        .value("net_replenishment_times", whole(&times.net_replenishment_times))
        .value("safety_stocks", by_id(stock))
        .number("cost_rate", times.cost_rate))
}
