//! Laws of neighbourhoods and launch forecasts over random, and randomly broken, input.

use granary_models::calendar::Day;
use granary_models::finding::Code;
use granary_models::forecast::launch::{
    Analog, DayFactors, Established, Interest, LaunchError, LaunchPool, NewItem,
};
use granary_models::forecast::neighbours::{
    Behaviour, Evidence, ItemTraits, NeighbourSettings, Neighbourhood, ShopperEvent, neighbourhoods,
};
use granary_models::series::Series;
use proptest::prelude::*;

const ITEMS: u32 = 30;
const START: Day = Day(20_000);

fn events() -> impl Strategy<Value = Vec<ShopperEvent>> {
    let event =
        (0u32..12, 0u32..ITEMS + 2, 0usize..4, 0i32..60).prop_map(|(shopper, item, event, day)| {
            ShopperEvent {
                shopper,
                item,
                event: [Behaviour::View, Behaviour::Favourite, Behaviour::Cart, Behaviour::Buy]
                    [event],
                day: START + day,
            }
        });
    prop::collection::vec(event, 0..200)
}

fn traits() -> impl Strategy<Value = Vec<ItemTraits>> {
    let price = prop_oneof![4 => 1.0..500.0f64, 1 => Just(f64::NAN), 1 => Just(0.0)];
    let item = (0u32..4, price, any::<bool>())
        .prop_map(|(category, price, established)| ItemTraits { category, price, established });
    prop::collection::vec(item, ITEMS as usize)
}

fn found(events: &[ShopperEvent], traits: &[ItemTraits], wanted: usize) -> Vec<Neighbourhood> {
    let asked: Vec<u32> = (0..ITEMS + 1).collect();
    let settings =
        NeighbourSettings { neighbours: wanted, items_per_shopper: 8, ..Default::default() };
    neighbourhoods(events, traits, &asked, &settings).0
}

/// A random but repeatable past: units per day about `level`, with gaps in the stock.
#[derive(Clone, Debug)]
struct Past {
    sold: Vec<f64>,
    available: Vec<f32>,
    is_launch: bool,
    interest: Interest,
}

fn past() -> impl Strategy<Value = Past> {
    let sold =
        prop_oneof![20 => (0u32..40).prop_map(f64::from), 1 => Just(f64::NAN), 1 => Just(-3.0)];
    let available = prop_oneof![5 => Just(1.0f32), 1 => 0.0f32..1.0, 1 => Just(f32::NAN)];
    let interest =
        (0u32..400, 0u32..40, 0u32..40, 0u32..30).prop_map(|(views, favourites, carts, days)| {
            Interest {
                views: f64::from(views),
                favourites: f64::from(favourites),
                carts: f64::from(carts),
                days: f64::from(days),
            }
        });
    (prop::collection::vec((sold, available), 0..120), any::<bool>(), interest).prop_map(
        |(days, is_launch, interest)| {
            let (sold, available) = days.into_iter().unzip();
            Past { sold, available, is_launch, interest }
        },
    )
}

fn series(past: &Past) -> Series<'_> {
    Series { start: START, sold: &past.sold, available: &past.available }
}

fn established(past: &Past) -> Established<'_> {
    Established {
        launched: past.is_launch.then_some(START),
        history: series(past),
        interest: past.interest,
        factors: DayFactors::ORDINARY,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_neighbourhood_is_whole_and_says_where_it_comes_from(
        events in events(), traits in traits(), wanted in 1usize..12
    ) {
        for (asked, near) in (0u32..).zip(found(&events, &traits, wanted)) {
            prop_assert_eq!(near.item, asked);
            prop_assert!(near.neighbours.len() <= wanted);
            let items: std::collections::BTreeSet<u32> =
                near.neighbours.iter().map(|neighbour| neighbour.item).collect();
            prop_assert_eq!(items.len(), near.neighbours.len());
            prop_assert!(!items.contains(&asked));
            prop_assert!(items.iter().all(|&item| traits[item as usize].established));
            let weight: f64 = near.neighbours.iter().map(|neighbour| neighbour.weight).sum();
            let is_empty = near.neighbours.is_empty();
            prop_assert!(is_empty || (weight - 1.0).abs() < 1e-9, "{}", weight);
            prop_assert!(near.neighbours.is_sorted_by(|a, b| a.weight >= b.weight));
            prop_assert_eq!(near.evidence == Evidence::Nothing, is_empty);
            let shared = near.neighbours.iter().any(|neighbour| neighbour.shared_shoppers > 0);
            let by_shoppers = matches!(
                near.evidence, Evidence::CoVisitation | Evidence::CoVisitationAndCategory
            );
            prop_assert_eq!(by_shoppers, shared);
        }
    }

    #[test]
    fn the_order_of_the_log_changes_nothing(
        events in events(), traits in traits(), turn in 0usize..200
    ) {
        let mut turned = events.clone();
        turned.reverse();
        turned.rotate_left(turn.min(events.len()));
        prop_assert_eq!(found(&events, &traits, 5), found(&turned, &traits, 5));
    }

    #[test]
    fn any_past_gives_a_finite_forecast_or_says_why_not(
        pasts in prop::collection::vec(past(), 0..20),
        own in past(),
        age_days in -20i32..120,
        weights in prop::collection::vec((0usize..25, -0.5..2.0f64), 0..20),
    ) {
        let pool: Vec<Established> = pasts.iter().map(established).collect();
        let sales = series(&own).before(START + age_days);
        let item = NewItem {
            launched: own.is_launch.then_some(START),
            sales,
            interest: own.interest,
            factors: DayFactors::ORDINARY,
        };
        let analogs: Vec<Analog> =
            weights.iter().map(|&(established, weight)| Analog { established, weight }).collect();
        match LaunchPool::fit(&pool) {
            Err(LaunchError::NothingSold { items }) => prop_assert_eq!(items, pool.len()),
            Ok((fitted, _)) => {
                let (forecast, _) = fitted.forecast(&item, &analogs, START + age_days, 30);
                prop_assert_eq!(forecast.mean.len(), 30);
                prop_assert!(forecast.mean.iter().all(|mean| mean.is_finite() && *mean >= 0.0));
                prop_assert!((0.0..100.0).contains(&forecast.dispersion), "{:?}", forecast);
                prop_assert!((0.0..=1.0).contains(&forecast.correlation));
                prop_assert!((0.0..=1.0).contains(&forecast.own_sales_weight));
                prop_assert!(forecast.reason.iter().all(|step| step.value.is_finite()));
                let before_launch = if own.is_launch { (-age_days).max(0) } else { 0 };
                for (day, &mean) in forecast.mean.iter().enumerate() {
                    prop_assert_eq!(mean == 0.0, (day as i32) < before_launch, "{:?}", forecast);
                }
            }
        }
    }

    /// Sold twice as much, expected to sell more: own sales never speak against themselves.
    #[test]
    fn more_own_sales_never_lower_the_forecast(
        pasts in prop::collection::vec(past(), 5..20), days in 1usize..90, level in 1u32..20
    ) {
        let pool: Vec<Established> = pasts.iter().map(established).collect();
        let Ok((fitted, _)) = LaunchPool::fit(&pool) else { return Ok(()) };
        let analogs: Vec<Analog> =
            (0..pool.len()).map(|established| Analog { established, weight: 1.0 }).collect();
        let available = vec![1.0; days];
        let first_day = |level: f64| {
            let sold = vec![level; days];
            let item = NewItem {
                launched: Some(START),
                sales: Series { start: START, sold: &sold, available: &available },
                interest: Interest::default(),
                factors: DayFactors::ORDINARY,
            };
            fitted.forecast(&item, &analogs, START + days as i32, 1).0.mean[0]
        };
        prop_assert!(first_day(f64::from(level) * 2.0) >= first_day(f64::from(level)));
    }
}

#[test]
fn shared_shoppers_beat_price_and_none_fall_back_to_it() {
    let traits: Vec<ItemTraits> =
        [(1, 10.0, false), (1, 11.0, true), (1, 90.0, true), (2, 10.0, true), (3, 50.0, false)]
            .map(|(category, price, established)| ItemTraits { category, price, established })
            .to_vec();
    let events: Vec<ShopperEvent> = (0..20)
        .flat_map(|shopper| {
            [0, 2].map(|item| ShopperEvent { shopper, item, event: Behaviour::Cart, day: START })
        })
        .collect();
    let (found, findings) =
        neighbourhoods(&events, &traits, &[0, 4, 9], &NeighbourSettings::default());
    let order = |k: usize| -> Vec<u32> {
        found[k].neighbours.iter().map(|neighbour| neighbour.item).collect()
    };
    assert_eq!((order(0), found[0].evidence), (vec![2, 1], Evidence::CoVisitationAndCategory));
    assert_eq!((found[0].shoppers, found[0].neighbours[0].shared_shoppers), (20, 20));
    assert_eq!((order(1), found[1].evidence), (vec![2, 1, 3], Evidence::Price));
    assert_eq!((order(2), found[2].evidence), (vec![], Evidence::Nothing));
    let codes: Vec<Code> = findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [Code::NoNeighbours]);
}

/// One shopper who opened everything must not tie everything together.
#[test]
fn a_crawler_is_capped() {
    let traits = vec![ItemTraits { category: 0, price: f64::NAN, established: true }; 3000];
    let crawl: Vec<ShopperEvent> = (0..3000)
        .map(|item| ShopperEvent { shopper: 1, item, event: Behaviour::View, day: START })
        .collect();
    let asked: Vec<u32> = (0..3000).collect();
    let (found, findings) = neighbourhoods(&crawl, &traits, &asked, &NeighbourSettings::default());
    let tied = found
        .iter()
        .filter(|near| near.neighbours.iter().any(|neighbour| neighbour.shared_shoppers > 0))
        .count();
    assert_eq!(tied, 200);
    assert_eq!(findings[0].code, Code::EventsIgnored);
}
