//! Laws of the textbook's policies: dearer, longer or better service never comes for less.

use granary_models::policy::textbook::demand::CountLaw;
use granary_models::policy::textbook::eoq::Eoq;
use granary_models::policy::textbook::newsvendor::Newsvendor;
use granary_models::policy::textbook::normal;
use granary_models::policy::textbook::r_q::ContinuousReview;
use granary_models::policy::textbook::s_s::PeriodicReview;
use granary_models::policy::textbook::safety_stock::{
    NormalSupply, Review, Service, ServiceLevel, counts_level,
};
use granary_models::policy::textbook::serial::Serial;
use proptest::prelude::*;

const SLACK: f64 = 1e-9;

fn laws() -> impl Strategy<Value = CountLaw> {
    prop_oneof![
        (0.05..40.0f64).prop_map(|mean| CountLaw::poisson(mean).expect("legal")),
        (0.05..40.0f64, 1.05..4.0f64).prop_map(|(mean, over)| {
            CountLaw::negative_binomial(mean, (mean * over).sqrt()).expect("legal")
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None, cases: 200, ..ProptestConfig::default()
    })]

    #[test]
    fn periodic_review_costs_more_where_anything_does(
        law in laws(), holding in 0.1..4.0f64, stockout in 0.2..40.0f64, fixed in 0.0..90.0f64,
        lead_time in 0u8..6, more in 1.0..2.0f64,
    ) {
        let of = |holding: f64, stockout: f64, fixed: f64, lead_time: u8| {
            PeriodicReview::new(holding, stockout, fixed, &law, f64::from(lead_time))
                .expect("legal").best().expect("small")
        };
        let base = of(holding, stockout, fixed, lead_time);
        prop_assert!(base.reorder_point < base.order_up_to_level);
        let least = base.cost_rate - SLACK * base.cost_rate;
        prop_assert!(of(holding * more, stockout, fixed, lead_time).cost_rate >= least);
        prop_assert!(of(holding, stockout * more, fixed, lead_time).cost_rate >= least);
        prop_assert!(of(holding, stockout, fixed * more, lead_time).cost_rate >= least);
        let longer = of(holding, stockout, fixed, lead_time + 1);
        prop_assert!(longer.cost_rate >= least && longer.reorder_point >= base.reorder_point);
        let without = of(holding, stockout, 0.0, lead_time);
        let news = Newsvendor::new(holding, stockout).expect("legal")
            .counts(&law, f64::from(lead_time)).expect("legal");
        prop_assert_eq!(without.order_up_to_level as f64, news.base_stock_level);
        prop_assert_eq!(without.reorder_point, without.order_up_to_level - 1);
        prop_assert!((without.cost_rate - news.cost).abs() <= SLACK * news.cost);
    }

    #[test]
    fn continuous_review_costs_more_where_anything_does(
        mean in 0.05..40.0f64, relative in 0.0..1.5f64, lead_time in 0.0..5.0f64,
        holding in 0.1..4.0f64, stockout in 0.2..40.0f64, fixed in 0.1..90.0f64,
        more in 1.0..2.0f64,
    ) {
        let of = |holding: f64, stockout: f64, fixed: f64, lead_time: f64| {
            let review = ContinuousReview::new(holding, stockout, fixed).expect("legal");
            let normal = review.normal(mean, mean * relative, lead_time).expect("legal");
            (review.poisson(mean, lead_time).expect("legal").cost_rate, normal.cost_rate)
        };
        let base = of(holding, stockout, fixed, lead_time);
        let no_less = |other: (f64, f64)| {
            other.0 >= base.0 * (1.0 - SLACK) && other.1 >= base.1 * (1.0 - 1e-8)
        };
        prop_assert!(no_less(of(holding * more, stockout, fixed, lead_time)));
        prop_assert!(no_less(of(holding, stockout * more, fixed, lead_time)));
        prop_assert!(no_less(of(holding, stockout, fixed * more, lead_time)));
        prop_assert!(no_less(of(holding, stockout, fixed, lead_time * more)), "{base:?}");
        // Without spread it is the EOQ with back-orders, and spread costs.
        let certain = Eoq::new(fixed, holding, mean).expect("legal")
            .with_backorders(stockout).expect("legal").0.cost_rate;
        prop_assert!(base.1 >= certain * (1.0 - SLACK));
    }

    #[test]
    fn better_service_and_longer_waits_take_more_stock(
        law in laws(), mean in 1.0..90.0f64, relative in 0.05..1.0f64, lead_time in 0u8..6,
        review in 1u8..5, service in 0.05..0.99f64, better in 0.0..1.0f64, quantity in 1u16..90,
    ) {
        let higher = service + (0.995 - service) * better;
        let both = |of: &dyn Fn(f64, bool, f64) -> ServiceLevel, lead_time: f64| {
            for fill in [true, false] {
                let base = of(service, fill, lead_time);
                let reached = if fill { base.fill_rate } else { base.cycle_service_level };
                prop_assert!(reached >= service - 1e-9, "{base:?} {service}");
                prop_assert!(of(higher, fill, lead_time).level >= base.level - 1e-6);
                prop_assert!(of(service, fill, lead_time + 1.0).level >= base.level - 1e-6);
                prop_assert!((0.0..=1.0).contains(&base.fill_rate));
            }
            Ok(())
        };
        let target = |level: f64, fill: bool| {
            if fill { Service::fill(level) } else { Service::cycle(level) }.expect("legal")
        };
        let every = Review::each(f64::from(review)).expect("legal");
        let each = Review::quantity(f64::from(quantity)).expect("legal");
        let wait = f64::from(lead_time);
        both(&|level, fill, lead_time| {
            counts_level(&law, lead_time, every, target(level, fill)).expect("legal")
        }, wait)?;
        let units = CountLaw::poisson(mean).expect("legal");
        both(&|level, fill, lead_time| {
            counts_level(&units, lead_time, each, target(level, fill)).expect("legal")
        }, wait)?;
        for review in [every, each] {
            // A fixed quantity may want a lower point over a longer time where it is below mean
            // demand; cycle service and fill above a half rise.
            let service = service.max(0.6);
            let of = |level: f64, fill: bool, lead_time: f64| {
                NormalSupply::new(mean, mean * relative, lead_time, 0.5).expect("legal")
                    .level(review, target(level, fill)).expect("legal")
            };
            for fill in [true, false] {
                let base = of(service, fill, wait);
                let reached = if fill { base.fill_rate } else { base.cycle_service_level };
                prop_assert!((reached - service).abs() < 1e-6, "{base:?}");
                prop_assert!(of(higher.max(service), fill, wait).level >= base.level - 1e-6);
            }
        }
    }

    #[test]
    fn chains_cost_more_where_anything_does(
        stages in prop::collection::vec((0.2..3.0f64, 0u8..4), 1..4), stockout in 1.0..60.0f64,
        mean in 0.2..12.0f64, more in 1.0..2.0f64,
    ) {
        let holding: Vec<f64> = stages.iter().map(|stage| stage.0).collect();
        let mut leads: Vec<f64> = stages.iter().map(|stage| f64::from(stage.1)).collect();
        leads[0] += 1.0;
        let of = |holding: &[f64], leads: &[f64], stockout: f64| {
            Serial::new(holding, leads, stockout).expect("legal").poisson(mean).expect("small")
        };
        let base = of(&holding, &leads, stockout);
        let least = base.cost_rate * (1.0 - SLACK);
        let dearer: Vec<f64> = holding.iter().map(|cost| cost * more).collect();
        prop_assert!(of(&dearer, &leads, stockout).cost_rate >= least);
        prop_assert!(of(&holding, &leads, stockout * more).cost_rate >= least);
        let mut longer = leads.clone();
        longer[0] += 1.0;
        prop_assert!(of(&holding, &longer, stockout).cost_rate >= least);
        // Stages without a wait add nothing but their holding cost on what passes.
        let whole = base.echelon_base_stock_levels.iter().all(|level| level.fract() == 0.0);
        prop_assert!(whole && base.local_base_stock_levels.iter().all(|level| *level >= 0.0));
    }

    #[test]
    fn quantiles_and_tails_are_inverse(z in -8.0..8.0f64) {
        let (below, above) = (normal::cdf(z), normal::above(z));
        prop_assert!((below + above - 1.0).abs() <= 1e-15);
        let level = if z < 0.0 { below } else { 1.0 - above };
        // What a rounding of the level can move.
        let slack = 1e-12 + 4e-16 / normal::density(z);
        prop_assert!((normal::quantile(level) - z).abs() <= slack, "{z} {level}");
    }

    #[test]
    fn losses_fall_and_keep_their_identities(z in -30.0..30.0f64, step in 1e-3..2.0f64) {
        let rounding = 1e-12 * (1.0 + z * z);
        prop_assert!((normal::loss(z) - normal::loss(-z) + z).abs() <= rounding);
        let squares = normal::square_loss(z) + normal::square_loss(-z);
        prop_assert!((squares - 1.0 - z * z).abs() <= 1e-12 * squares);
        prop_assert!(normal::loss(z + step) <= normal::loss(z) && normal::loss(z) >= 0.0);
        prop_assert!(normal::square_loss(z + step) <= normal::square_loss(z));
        // The square loss is twice the integral of the loss (Simpson).
        let inner: f64 = (1..2000)
            .map(|k| f64::from(2 + 2 * (k % 2)) * normal::loss(z + step * f64::from(k) / 2000.0))
            .sum();
        let area = (normal::loss(z) + normal::loss(z + step) + inner) * step / 6000.0;
        let got = (normal::square_loss(z) - normal::square_loss(z + step)) / 2.0;
        prop_assert!((got - area).abs() <= 1e-9 * area + 1e-13 * (1.0 + z * z), "{got} {area}");
    }
}

#[test]
fn tails_are_those_of_the_tables() {
    // By scipy 1.17.
    for (z, above) in [
        (0.0, 0.5),
        (0.5, 0.308_537_538_725_986_9),
        (1.644_853_626_951_472_2, 0.050_000_000_000_000_044),
        (2.4, 0.008_197_535_924_596_131),
        (2.6, 0.004_661_188_023_718_747),
        (5.0, 2.866_515_718_791_933e-7),
        (10.0, 7.619_853_024_160_47e-24),
    ] {
        let got = normal::above(z);
        assert!((got / above - 1.0).abs() < 1e-13, "{z}: {got} {above}");
    }
}
