//! Small batches against figures worked by hand and against a pmf summed term by term.

use granary_models::calendar::Day;
use granary_models::finding::Code;
use granary_models::policy::production::demand::{DemandPrior, NetDemand, PastSeason};
use granary_models::policy::production::lead_time::MakerLeadTime;
use granary_models::policy::production::{
    BatchTerms, Presale, ProductionError, ProductionSuggestion, Reservation, suggest,
};

const TODAY: Day = Day(20_000);

fn terms() -> BatchTerms {
    BatchTerms {
        price_minor: 1000,
        unit_cost_minor: 400,
        setup_cost_minor: 5000,
        salvage_minor: 100,
        ..BatchTerms::default()
    }
}

/// A season of 40 days, ten of them over, and `qty` reserved on its first for a day to come.
struct Case {
    reserved: i64,
    covered: i64,
    promised_in_days: Option<i32>,
    terms: BatchTerms,
    prior: (f64, f64),
    lead_time: MakerLeadTime,
}

impl Default for Case {
    fn default() -> Self {
        Case {
            reserved: 0,
            covered: 0,
            promised_in_days: None,
            terms: terms(),
            prior: (2.0, 0.05),
            lead_time: MakerLeadTime::fixed(6),
        }
    }
}

impl Case {
    fn run(&self) -> (ProductionSuggestion, Vec<Code>) {
        let reservations = [Reservation {
            day: TODAY - 10,
            qty: self.reserved,
            promised_on: self.promised_in_days.map(|days| TODAY + days),
        }];
        let presale = Presale {
            reservations: &reservations,
            opens: TODAY - 10,
            closes: TODAY + 30,
            covered_qty: self.covered,
        };
        let prior = DemandPrior::new(self.prior.0, self.prior.1).expect("a legal prior");
        let checked = self.terms.check().expect("legal terms");
        let (suggestion, findings) =
            suggest(&presale, &prior, &checked, &self.lead_time, TODAY).expect("a legal case");
        (suggestion, findings.into_iter().map(|finding| finding.code).collect())
    }
}

/// P(X = k) of the negative binomial by its recursion, for sizes small enough not to underflow.
fn brute_pmf(size: f64, mean: f64) -> Vec<f64> {
    let (p, mut here) = (size / (size + mean), (size / (size + mean)).powf(size));
    (0..4_000)
        .map(|k| {
            let now = here;
            here *= (size + f64::from(k)) / (f64::from(k) + 1.0) * (1.0 - p);
            now
        })
        .collect()
}

/// Expected profit of `qty` summed over every outcome: reserved units and `pmf` more.
fn brute_profit(terms: &BatchTerms, reserved: i64, pmf: &[f64], covered: i64, qty: i64) -> f64 {
    if qty == 0 {
        return 0.0;
    }
    pmf.iter()
        .enumerate()
        .map(|(more, probability)| {
            let demand = reserved + more as i64;
            let sold = demand.min(covered + qty) - demand.min(covered);
            probability
                * ((terms.price_minor * sold + terms.salvage_minor * (qty - sold)
                    - terms.unit_cost_minor * qty
                    - terms.setup_cost_minor) as f64)
        })
        .sum()
}

/// By hand: with a = 1 and a season just opened, b = 1/9, the demand of the whole season is
/// geometric with P(D ≥ k) = 0.9^k. A unit is made while 1000 · P + 100 · (1 − P) > 400, so while
/// 0.9^q > 1/3, which is up to q = 10 (0.9^10 = 0.3487, 0.9^11 = 0.3138).
#[test]
fn a_newsvendor_worked_by_hand() {
    let prior = DemandPrior::new(1.0, 1.0 / 9.0).expect("a legal prior");
    let presale = Presale { reservations: &[], opens: TODAY, closes: TODAY + 30, covered_qty: 0 };
    let free_setup = BatchTerms { setup_cost_minor: 0, ..terms() };
    let lead_time = MakerLeadTime::fixed(5);
    let at = |terms: BatchTerms| {
        let checked = terms.check().expect("legal terms");
        suggest(&presale, &prior, &checked, &lead_time, TODAY).expect("a legal case").0
    };
    let batch = at(free_setup);
    assert_eq!(batch.qty, 10);
    assert!((batch.demand_mean_qty - 9.0).abs() < 1e-6);
    assert!((batch.sell_all_probability - 0.9f64.powi(10)).abs() < 1e-9);
    // E min(D, 10) = 9 (1 − 0.9^10) = 5.861941; 900 · that − 300 · 10.
    assert_eq!(batch.expected_profit_minor, 2276);
    assert_eq!((batch.start_on, batch.ready_on), (Some(TODAY), Some(TODAY + 5)));
    assert_eq!(at(BatchTerms { setup_cost_minor: 2275, ..free_setup }).qty, 10);
    let too_dear = at(BatchTerms { setup_cost_minor: 2276, ..free_setup });
    assert_eq!((too_dear.qty, too_dear.start_on, too_dear.ready_on), (0, None, None));
    assert!(too_dear.reason.iter().any(|step| step.step == "unprofitable"));
}

#[test]
fn the_lot_is_the_best_of_the_grid_term_by_term() {
    for (reserved, covered, moq, multiple, capacity, prior, setup) in [
        (0, 0, 1, 1, None, (2.0, 0.05), 5000),
        (12, 0, 10, 10, None, (2.0, 0.05), 5000),
        (12, 5, 24, 12, Some(100), (0.5, 0.02), 0),
        (3, 0, 50, 25, None, (4.0, 0.1), 2000),
        (40, 10, 1, 7, Some(60), (1.0, 0.01), 9000),
        (5, 200, 1, 1, None, (2.0, 0.05), 0),
    ] {
        let terms = BatchTerms { moq, multiple, capacity, setup_cost_minor: setup, ..terms() };
        let case = Case { reserved, covered, terms, prior, ..Case::default() };
        let (batch, _) = case.run();
        let size = prior.0 + reserved as f64;
        // A quarter of the season is over.
        let pmf = brute_pmf(size, size * 0.75 / (prior.1 + 0.25));
        let profit = |qty| brute_profit(&terms, reserved, &pmf, covered, qty);
        let first = (moq + multiple - 1) / multiple * multiple;
        let most = capacity.unwrap_or(600);
        let best = (0..)
            .map(|lot| if lot == 0 { 0 } else { first + (lot - 1) * multiple })
            .take_while(|&qty| qty <= most)
            .map(profit)
            .fold(f64::NEG_INFINITY, f64::max);
        let given = profit(batch.qty);
        assert!((given - best).abs() < 1e-3 * best.abs().max(1.0), "{given} of {best}: {batch:?}");
        assert!((batch.expected_profit_minor as f64 - given).abs() <= 1.0, "{given}: {batch:?}");
        let reach = (covered + batch.qty - reserved).max(0) as usize;
        let sell_all: f64 = 1.0 - pmf[..reach].iter().sum::<f64>();
        assert!((batch.sell_all_probability - sell_all).abs() < 1e-6, "{sell_all}: {batch:?}");
    }
}

/// 20 reservations, each kept with probability 0.8: mean 16, and no more than 19 nine times in ten
/// and 95 in a hundred (binomial tables: P(X ≤ 18) = 0.9308, P(X ≤ 19) = 0.9885).
#[test]
fn cancelled_reservations_need_no_stock() {
    let terms = BatchTerms {
        cancellation_rate: 0.2,
        // No more is to come than what is reserved, and making it loses a little.
        price_minor: 410,
        setup_cost_minor: 900,
        ..terms()
    };
    let case = Case { reserved: 20, terms, prior: (1e-6, 1e6), ..Case::default() };
    let (batch, codes) = case.run();
    assert_eq!(batch.qty, 19);
    assert!((batch.demand_mean_qty - 16.0).abs() < 1e-3);
    assert!(batch.expected_profit_minor < 0);
    assert_eq!(codes, [Code::BatchAtLoss]);
}

/// A quarter comes back and all of it is sold again: each four units shipped serve as three made.
#[test]
fn resold_returns_serve_the_next_customer() {
    let demand = |resold_share: f64| {
        let terms = BatchTerms { return_rate: 0.25, resold_share, ..terms() };
        Case { reserved: 80, terms, ..Case::default() }.run().0.demand_mean_qty
    };
    assert!((demand(1.0) / demand(0.0) - 0.75).abs() < 1e-6);
}

#[test]
fn a_promise_is_kept_up_to_the_stated_loss() {
    let losing = |price_minor| BatchTerms { price_minor, setup_cost_minor: 0, ..terms() };
    let no_more = (1e-6, 1e6);
    let run = |terms| Case { reserved: 30, terms, prior: no_more, ..Case::default() }.run();
    // 30 · (400 − 350) = 1500 lost of a limit of 0.25 · 350 · 30 = 2625.
    let (kept, codes) = run(losing(350));
    assert_eq!((kept.qty, kept.expected_profit_minor), (30, -1500));
    assert_eq!(codes, [Code::BatchAtLoss]);
    // 30 · (400 − 300) = 3000 lost of 2250.
    let (refused, codes) = run(losing(300));
    assert_eq!((refused.qty, refused.expected_profit_minor), (0, 0));
    assert_eq!(codes, [Code::PromiseNotCovered]);
    // What is on hand keeps it as well.
    let covered = Case { reserved: 30, covered: 30, terms: losing(300), ..Case::default() }.run();
    assert_eq!((covered.0.qty, covered.1.len()), (0, 0));
}

#[test]
fn a_short_capacity_is_told() {
    let terms = BatchTerms { capacity: Some(25), multiple: 10, ..terms() };
    let (batch, codes) = Case { reserved: 50, terms, ..Case::default() }.run();
    assert_eq!(batch.qty, 20);
    assert_eq!(codes, [Code::BatchCapacityShort]);
    let terms = BatchTerms { moq: 100, ..terms };
    let (batch, codes) = Case { reserved: 50, terms, ..Case::default() }.run();
    assert_eq!(batch.qty, 0);
    assert_eq!(codes, [Code::BatchCapacityShort]);
}

#[test]
fn a_batch_starts_as_late_as_the_first_promise_allows() {
    let spread = MakerLeadTime::from_weights(&[(9, 1.0), (4, 6.0), (6, 3.0)]).expect("weights");
    assert_eq!((spread.quantile_days(0.5), spread.quantile_days(0.9)), (4, 6));
    assert!((spread.ready_within(8) - 0.9).abs() < 1e-12 && spread.ready_within(3) == 0.0);
    for (promised_in_days, starts, late) in
        [(None, 0, false), (Some(20), 14, false), (Some(6), 0, false), (Some(3), 0, true)]
    {
        let lead_time = spread.clone();
        let case = Case { reserved: 30, promised_in_days, lead_time, ..Case::default() };
        let (batch, codes) = case.run();
        assert_eq!(batch.start_on, Some(TODAY + starts), "{promised_in_days:?}");
        assert_eq!(batch.ready_on, Some(TODAY + starts + 6), "{promised_in_days:?}");
        assert_eq!(codes.contains(&Code::PromiseLate), late, "{promised_in_days:?}");
    }
}

#[test]
fn a_prior_pools_its_category() {
    let season = |qty| PastSeason { qty, exposure: 1.0 };
    let alike = DemandPrior::pooled(&[season(90.0), season(100.0), season(110.0)]).expect("past");
    let apart = DemandPrior::pooled(&[season(5.0), season(45.0), season(250.0)]).expect("past");
    for prior in [alike, apart] {
        assert!((prior.mean_qty() - 100.0).abs() < 15.0, "{prior:?}");
    }
    // After 60 in a quarter of the season, the one that was sure moves less.
    let (sure, unsure) = (alike.updated_mean_qty(60.0, 0.25), apart.updated_mean_qty(60.0, 0.25));
    assert!(100.0 < sure && sure < unsure && unsure < 240.0, "{sure} {unsure}");
    assert_eq!(DemandPrior::pooled(&[]), Err(ProductionError::NoPastSeason));
    let broken = PastSeason { qty: f64::NAN, exposure: 0.0 };
    assert_eq!(DemandPrior::pooled(&[broken]), Err(ProductionError::NoPastSeason));
}

#[test]
fn a_large_demand_keeps_its_mass() {
    let prior = DemandPrior::new(3.0, 3.0 / 40_000.0).expect("a legal prior");
    let demand = NetDemand::new(&prior, 5_000, 0.2, 0.9).expect("a legal demand");
    let expected = 5_000.0 * 0.9 + 5_003.0 * 0.8 / (3.0 / 40_000.0 + 0.2) * 0.9;
    assert!((demand.mean_qty() / expected - 1.0).abs() < 1e-6, "{}", demand.mean_qty());
    let median = demand.quantile(0.5) as f64;
    assert!((median / expected - 1.0).abs() < 0.01);
    let too_large = NetDemand::new(&prior, 1_500_000, 0.5, 1.0);
    assert!(matches!(too_large, Err(ProductionError::DemandTooLarge { .. })), "{too_large:?}");
}

#[test]
fn illegal_terms_are_refused_with_their_range() {
    for (terms, message) in [
        (BatchTerms { return_rate: 1.0, ..terms() }, "return rate should be 0..1, but is 1"),
        (
            BatchTerms { cancellation_rate: f64::NAN, ..terms() },
            "cancellation rate should be 0..=1, but is NaN",
        ),
        (BatchTerms { moq: 0, ..terms() }, "MOQ should be 1..=1e12, but is 0"),
        (BatchTerms { multiple: -3, ..terms() }, "multiple should be 1..=1e12, but is -3"),
        (
            BatchTerms { salvage_minor: 400, ..terms() },
            "salvage 400 should be below the unit cost 400",
        ),
    ] {
        let error = terms.check().expect_err(message);
        assert_eq!(error.to_string(), message);
    }
}
