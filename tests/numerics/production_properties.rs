//! Laws of small batches over random terms.

use granary_models::calendar::Day;
use granary_models::policy::production::demand::DemandPrior;
use granary_models::policy::production::lead_time::MakerLeadTime;
use granary_models::policy::production::{
    BatchTerms, Presale, ProductionSuggestion, Reservation, suggest,
};
use proptest::prelude::*;

const TODAY: Day = Day(20_000);

fn terms() -> impl Strategy<Value = BatchTerms> {
    (
        (0i64..3000, 1i64..1500, 0i64..50_000, 0.0..0.95f64),
        (0.0..0.5f64, 0.0..0.6f64, 0.0..=1.0f64),
        (1i64..80, 1i64..30, prop::option::of(0i64..400)),
    )
        .prop_map(|(money, rates, grid)| BatchTerms {
            price_minor: money.0,
            unit_cost_minor: money.1,
            setup_cost_minor: money.2,
            salvage_minor: ((money.1 as f64 * money.3) as i64).min(money.1 - 1),
            cancellation_rate: rates.0,
            return_rate: rates.1,
            resold_share: rates.2,
            moq: grid.0,
            multiple: grid.1,
            capacity: grid.2,
            ..BatchTerms::default()
        })
}

fn batch(
    terms: BatchTerms,
    reserved: i64,
    covered: i64,
    prior: (f64, f64),
) -> ProductionSuggestion {
    let reservations =
        [Reservation { day: TODAY - 5, qty: reserved, promised_on: Some(TODAY + 12) }];
    let presale = Presale {
        reservations: &reservations,
        opens: TODAY - 5,
        closes: TODAY + 20,
        covered_qty: covered,
    };
    let prior = DemandPrior::new(prior.0, prior.1).expect("a legal prior");
    let checked = terms.check().expect("legal terms");
    let lead_time = MakerLeadTime::fixed(7);
    suggest(&presale, &prior, &checked, &lead_time, TODAY).expect("a legal case").0
}

fn prior() -> impl Strategy<Value = (f64, f64)> {
    (0.3..8.0f64, 0.005..0.5f64)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_quantity_is_on_the_grid_with_its_dates(
        terms in terms(), reserved in 0i64..150, covered in 0i64..100, prior in prior()
    ) {
        let batch = batch(terms, reserved, covered, prior);
        prop_assert!(batch.qty >= 0);
        prop_assert!((0.0..=1.0).contains(&batch.sell_all_probability));
        prop_assert!(batch.reason.iter().all(|step| step.value.is_finite()));
        prop_assert_eq!(batch.qty > 0, batch.start_on.is_some());
        if batch.qty > 0 {
            prop_assert_eq!(batch.qty % terms.multiple, 0);
            prop_assert!(batch.qty >= terms.moq);
            prop_assert!(terms.capacity.is_none_or(|capacity| batch.qty <= capacity));
            prop_assert!(batch.start_on >= Some(TODAY) && batch.ready_on > batch.start_on);
        }
    }

    #[test]
    fn more_reservations_never_make_less(
        terms in terms(), reserved in 0i64..150, more in 1i64..60, prior in prior()
    ) {
        // A price above the cost: below it the promise is a loss that more reservations deepen.
        let price_minor = terms.unit_cost_minor * 3 + terms.price_minor;
        let terms = BatchTerms { price_minor, ..terms };
        let (fewer, many) =
            (batch(terms, reserved, 0, prior).qty, batch(terms, reserved + more, 0, prior).qty);
        prop_assert!(many >= fewer, "{} then {}", fewer, many);
    }

    #[test]
    fn a_higher_price_never_makes_less(
        terms in terms(), reserved in 0i64..150, more in 1i64..2000, prior in prior()
    ) {
        let dearer = BatchTerms { price_minor: terms.price_minor + more, ..terms };
        let (cheap, dear) =
            (batch(terms, reserved, 0, prior).qty, batch(dearer, reserved, 0, prior).qty);
        prop_assert!(dear >= cheap, "{} then {}", cheap, dear);
    }

    #[test]
    fn nothing_is_made_at_a_loss_unless_promised(terms in terms(), prior in prior()) {
        prop_assert!(batch(terms, 0, 0, prior).expected_profit_minor >= 0);
    }
}
