//! Segments and figures: worked cases and laws.

use granary_models::calendar::Day;
use granary_models::distribution::DemandPaths;
use granary_models::finding::Code;
use granary_models::plan::kpi::{
    DeliveryRow, Kpi, OtifTerms, RETURNS, ReturnLimits, ReturnRow, STOCK, Scope, StockRow, TRADE,
    TradeRow, expiring, otif, otif_findings, return_alerts, scoped, slow_findings,
};
use granary_models::plan::segment::{
    Abc, BetaPrior, ItemFigures, Movement, MovementFacts, Quadrant, Role, SegmentSettings, Xyz,
    abc, movement, quadrants, roles, weekly_cv, xyz_by_cv,
};
use granary_models::policy::projection::LotLeft;
use proptest::prelude::*;

const SHARES: [f64; 2] = [0.8, 0.95];

#[test]
fn classes_by_money() {
    use Abc::{A, B, C};
    for (values, want) in [
        (vec![], vec![]),
        (vec![0.0, 0.0], vec![C, C]),
        (vec![50.0, 30.0, 12.0, 5.0, 3.0], vec![A, A, B, B, C]),
        (vec![3.0, 50.0, 5.0, 30.0, 12.0], vec![C, A, B, A, B]),
        (vec![100.0], vec![A]),
        (vec![f64::NAN, -4.0, 7.0], vec![C, C, A]),
        // Ten alike are all what the first is.
        (vec![1.0; 10], vec![A; 10]),
    ] {
        assert_eq!(abc(&values, SHARES), want, "{values:?}");
    }
}

#[test]
fn classes_by_steadiness() {
    let week = [1.0, 1.0, 1.0, 1.0, 2.0, 6.0, 2.0];
    let weekday_only: Vec<f64> = (0..70).map(|day| week[day % 7]).collect();
    assert!(weekly_cv(&weekday_only).expect("ten weeks") < 1e-9);
    // Weeks of 7 and 21 in turn: mean 14, deviation 7 √(10/9).
    let turns: Vec<f64> = (0..70).map(|day| if day / 7 % 2 == 0 { 1.0 } else { 3.0 }).collect();
    let cv = weekly_cv(&turns).expect("ten weeks");
    assert!((cv - 0.5 * (10.0f64 / 9.0).sqrt()).abs() < 1e-9, "{cv}");
    assert_eq!(weekly_cv(&turns[..27]), None);
    assert_eq!(weekly_cv(&[0.0; 70]), None);
    let mut holes = weekday_only;
    holes[3] = f64::NAN;
    holes[30..44].fill(f64::NAN);
    assert!(weekly_cv(&holes).expect("eight weeks").is_finite());
    for (cv, want) in [
        (Some(0.2), Xyz::X),
        (Some(0.5), Xyz::X),
        (Some(0.9), Xyz::Y),
        (Some(3.0), Xyz::Z),
        (None, Xyz::Z),
    ] {
        assert_eq!(xyz_by_cv(cv, [0.5, 1.0]), want);
    }
}

fn item(views: f64, orders: f64, price: f64, cost: f64) -> ItemFigures<'static> {
    ItemFigures {
        category: "shoes",
        views: Some(views),
        orders,
        margin_minor: orders * (price - cost),
        revenue_minor: orders * price,
        price_minor: Some(price),
        made_to_order: false,
    }
}

#[test]
fn roles_follow_their_rules() {
    let items = [
        item(9_000.0, 300.0, 20.0, 18.0), // seen most, earns a tenth
        item(1_000.0, 200.0, 60.0, 30.0), // a third of what is sold, half of it margin
        item(3_600.0, 4.0, 400.0, 200.0), // the dearest, looked at, hardly bought
        item(500.0, 20.0, 40.0, 25.0),    // nothing of note
        ItemFigures { made_to_order: true, ..item(800.0, 90.0, 90.0, 40.0) },
        ItemFigures { category: "socks", ..item(5.0, 1.0, 5.0, 4.0) },
    ];
    let reasons = roles(&items, &SegmentSettings::default());
    let given: Vec<Role> = reasons.iter().map(|reason| reason.role).collect();
    let want =
        [Role::Traffic, Role::Profit, Role::Image, Role::Ordinary, Role::Custom, Role::Profit];
    assert_eq!(given, want, "{reasons:#?}");
    assert_eq!(reasons[2].price_rank, Some(1.0));
    assert_eq!(reasons[5].price_rank, None);
    // Views of 14,900 over five items.
    let times = reasons[0].attention_times.expect("views are known");
    assert!((times - 9_000.0 * 5.0 / 14_900.0).abs() < 1e-12);
    assert!((reasons[1].margin_rate.expect("sold") - 0.5).abs() < 1e-12);
    // Nothing known: nothing claimed.
    let unknown = roles(&[ItemFigures::default()], &SegmentSettings::default());
    assert_eq!(unknown[0].role, Role::Ordinary);
    assert_eq!((unknown[0].margin_rate, unknown[0].attention_times), (None, None));
}

#[test]
fn quadrants_shrink_small_counts() {
    let items = [
        item(10_000.0, 600.0, 1.0, 0.0),
        item(9_000.0, 150.0, 1.0, 0.0),
        item(900.0, 70.0, 1.0, 0.0),
        item(800.0, 12.0, 1.0, 0.0),
        // One order of one view is no conversion of 100%.
        item(1.0, 1.0, 1.0, 0.0),
    ];
    let reasons = quadrants(&items);
    let of = |i: usize| reasons[i].expect("five items have views");
    use Quadrant::{Hidden, Leaky, Star, Weak};
    assert_eq!([0, 1, 2, 3].map(|i| of(i).quadrant), [Star, Leaky, Star, Weak]);
    assert!(of(4).conversion < 0.2, "{:?}", of(4));
    assert_eq!(of(4).quadrant, Hidden);
    assert_eq!(quadrants(&items[..2]), [None, None]);
    let prior = BetaPrior::pooled(&[(5.0, 100.0), (5.0, 100.0), (5.0, 100.0)]);
    assert!((prior.mean - 0.05).abs() < 0.003 && prior.trials == 1e4, "{prior:?}");
    let apart = BetaPrior::pooled(&[(1.0, 100.0), (30.0, 100.0), (60.0, 100.0)]);
    assert!(apart.trials < 10.0, "{apart:?}");
    assert_eq!(BetaPrior::pooled(&[]), BetaPrior { mean: 0.5, trials: 2.0 });
}

#[test]
fn movement_is_the_first_that_holds() {
    let active = MovementFacts {
        days_on_sale: 400,
        days_since_sale: Some(2),
        stock_qty: 100.0,
        daily_qty: 2.0,
    };
    for (facts, want) in [
        (active, Movement::Active),
        (MovementFacts { days_on_sale: 10, ..active }, Movement::New),
        (MovementFacts { days_since_sale: Some(200), ..active }, Movement::Dead),
        (MovementFacts { days_since_sale: None, ..active }, Movement::Dead),
        (MovementFacts { days_since_sale: None, stock_qty: 0.0, ..active }, Movement::Active),
        (MovementFacts { daily_qty: 0.5, ..active }, Movement::Slow),
        (MovementFacts { daily_qty: 0.0, ..active }, Movement::Slow),
    ] {
        assert_eq!(movement(&facts, &SegmentSettings::default()), want, "{facts:?}");
    }
}

fn value(kpis: &[Kpi], name: &str) -> Option<f64> {
    kpis.iter().find(|kpi| kpi.name == name && kpi.scope == Scope::All).map(|kpi| kpi.value)
}

/// 73 days: a fifth of a year. Cost of 2,000 on a stock of 1,000 turns it 10 times a year.
#[test]
fn figures_of_trade_worked_by_hand() {
    let row = TradeRow {
        days: 73.0,
        revenue_minor: 3_000.0,
        cogs_minor: 2_000.0,
        mean_stock_minor: 1_000.0,
        served_qty: 90.0,
        demand_qty: 100.0,
        forecast_qty: Some(110.0),
        observed_days: 70.0,
        available_days: 63.0,
        empty_days: 5.0,
        mean_daily_demand: 1.0,
    };
    let empty = TradeRow {
        available_days: 0.0,
        observed_days: 10.0,
        mean_daily_demand: 3.0,
        days: 73.0,
        ..TradeRow::default()
    };
    let kpis = scoped(&[row, empty], TRADE, |_| Vec::new());
    for (name, want) in [
        ("stock_turns", 10.0),
        ("gmroi", 5.0),
        ("fill_rate", 0.9),
        ("in_stock_rate", 63.0 / 80.0),
        ("in_stock_rate_weighted", 63.0 / 100.0),
        ("stock_out_rate", 5.0 / 80.0),
        ("forecast_bias", 0.1),
    ] {
        let given = value(&kpis, name).expect(name);
        assert!((given - want).abs() < 1e-12, "{name}: {given} for {want}");
    }
    assert!(scoped(&[], TRADE, |_| Vec::new()).is_empty());
    assert!(scoped(&[TradeRow::default()], TRADE, |_| Vec::new()).is_empty());
}

#[test]
fn figures_of_stock_worked_by_hand() {
    let row = StockRow {
        on_hand_qty: 60.0,
        on_order_qty: 20.0,
        unit_cost_minor: 10.0,
        daily_qty: 2.0,
        allowed_cover_days: 25.0,
        movement: Movement::Active,
        expected_waste_qty: 6.0,
    };
    let slow = StockRow { daily_qty: 0.0, movement: Movement::Dead, on_order_qty: 0.0, ..row };
    let place = |row: &StockRow| {
        vec![Scope::Location(if row.movement == Movement::Dead { "B" } else { "A" }.to_owned())]
    };
    let kpis = scoped(&[row, slow], STOCK, |at| place(&[row, slow][at]));
    for (name, want) in [
        ("days_of_cover", 60.0),
        ("slow_stock_share", 0.5),
        ("excess_share", (300.0 + 600.0) / (800.0 + 600.0)),
        ("expiring_share", 0.1),
    ] {
        assert!((value(&kpis, name).expect(name) - want).abs() < 1e-12, "{name}");
    }
    let found = slow_findings(&kpis, 0.6);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (&found[0].0, found[0].1.code),
        (&Scope::Location("B".to_owned()), Code::SlowStockHigh)
    );
    // Nothing sells at B, so its cover is not known.
    assert!(!kpis.iter().any(|kpi| kpi.name == "days_of_cover" && kpi.scope.parts().1 == "B"));
}

/// Two a day, or none: lots of 5 until day 1 and 4 until day 3. Of 4 sold by day 1 and 8 by day 3
/// the first loses 1, the second none; without demand all 9 go.
#[test]
fn lots_outlive_their_demand() {
    let lots = [LotLeft { qty: 4, last_day: 3 }, LotLeft { qty: 5, last_day: 1 }];
    let paths = |values: Vec<f32>| DemandPaths { paths: 2, horizon: 2, values };
    let found = expiring(&lots, &paths(vec![2.0, 2.0, 0.0, 0.0])).expect("paths");
    assert_eq!((found.expected_qty, found.probability), (5.0, 1.0));
    let found = expiring(&lots, &paths(vec![9.0, 0.0, 1.0, 4.0])).expect("paths");
    assert_eq!((found.expected_qty, found.probability), (0.0, 0.0));
    assert_eq!(expiring(&[], &paths(vec![1.0; 4])), None);
}

#[test]
fn deliveries_on_time_and_in_full() {
    let today = Day(20_000);
    let line = |supplier: &str, qty: f64, promised: i32, receipts: &[(i32, f64)]| DeliveryRow {
        supplier_id: supplier.to_owned(),
        ordered_qty: qty,
        promised_on: today + promised,
        receipts: receipts.iter().map(|&(day, qty)| (today + day, qty)).collect(),
    };
    let rows = [
        line("S", 100.0, -10, &[(-12, 60.0), (-10, 40.0)]), // in full and in time
        line("S", 100.0, -9, &[(-9, 50.0), (-7, 50.0)]),    // half of it two days late
        line("S", 100.0, -3, &[]),                          // open and late
        line("S", 100.0, 5, &[]),                           // not due
        line("T", 10.0, 4, &[(-1, 30.0)]),                  // early, too much: 10 count
        line("T", 0.0, -4, &[]),                            // ordered nothing
    ];
    let kpis = otif(&rows, &OtifTerms::new(today));
    let of = |name: &str, id: &str| {
        kpis.iter().find(|kpi| kpi.name == name && kpi.scope.parts().1 == id).expect(name).value
    };
    assert!((of("otif", "S") - 0.5).abs() < 1e-12 && (of("otif", "T") - 1.0).abs() < 1e-12);
    assert!((of("otif_lines", "S") - 1.0 / 3.0).abs() < 1e-12);
    assert!((of("otif_lines", "") - 0.5).abs() < 1e-12);
    let patient = OtifTerms { tolerance_days: 2, ..OtifTerms::new(today) };
    let kpis = otif(&rows, &patient);
    assert!((value(&kpis, "otif_lines").expect("due") - 0.75).abs() < 1e-12);
    let found = otif_findings(&otif(&rows, &OtifTerms::new(today)), 0.9, 3.0);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].0.as_str(), found[0].1.code), ("S", Code::SupplierOtifLow));
    // A line due today may still come today.
    assert!(otif(&[line("S", 5.0, 0, &[])], &OtifTerms::new(today)).is_empty());
}

#[test]
fn returns_alarm_on_evidence() {
    let row = |sold_qty: f64, returned_qty: f64| ReturnRow { sold_qty, returned_qty };
    let mut rows: Vec<ReturnRow> = (0..40).map(|i| row(200.0, f64::from(6 + i % 9))).collect();
    rows.extend([
        row(1.0, 1.0),
        row(400.0, 100.0),
        row(400.0, 62.0),
        row(0.0, 3.0),
        row(30.0, 15.0),
    ]);
    let alarmed: Vec<usize> =
        return_alerts(&rows, &ReturnLimits::default()).iter().map(|&(i, _)| i).collect();
    // Not the single parcel, nor 15.5% of 400, of which one cannot be sure.
    assert_eq!(alarmed, [41, 44]);
    let rate = value(&scoped(&rows, RETURNS, |_| Vec::new()), "return_rate").expect("sold");
    assert!((0.05..0.08).contains(&rate), "{rate}");
    assert!(return_alerts(&[], &ReturnLimits::default()).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn classes_are_cumulative_and_know_no_order(
        values in prop::collection::vec(0.0..1e6f64, 1..40), turn in 0usize..40
    ) {
        let classes = abc(&values, SHARES);
        let total: f64 = values.iter().sum();
        let least = |class: Abc| {
            values.iter().zip(&classes).filter(|&(_, &c)| c == class).map(|(&v, _)| v)
                .fold(f64::INFINITY, f64::min)
        };
        for (i, &class) in classes.iter().enumerate() {
            // Nothing of a lower class is worth more.
            for better in [Abc::A, Abc::B].into_iter().filter(|&better| better < class) {
                prop_assert!(values[i] <= least(better));
            }
        }
        let in_a = values.iter().zip(&classes).filter(|&(_, &class)| class == Abc::A);
        let a: f64 = in_a.map(|(value, _)| value).sum();
        prop_assert!(a >= SHARES[0] * total * (1.0 - 1e-9));
        let mut turned = values.clone();
        turned.rotate_left(turn % values.len());
        let mut back = abc(&turned, SHARES);
        back.rotate_right(turn % values.len());
        prop_assert_eq!(classes, back);
    }

    #[test]
    fn figures_know_no_order_and_shares_stay_shares(
        rows in prop::collection::vec(
            (0.0..900.0f64, 0.0..900.0f64, 1.0..99.0f64, 0.0..30.0f64, 0u8..4), 1..30
        ),
        turn in 0usize..30
    ) {
        let rows: Vec<StockRow> = rows
            .into_iter()
            .map(|(on_hand_qty, on_order_qty, unit_cost_minor, daily_qty, kind)| StockRow {
                on_hand_qty,
                on_order_qty,
                unit_cost_minor,
                daily_qty,
                allowed_cover_days: 20.0,
                movement: [Movement::New, Movement::Dead, Movement::Slow, Movement::Active]
                    [usize::from(kind)],
                expected_waste_qty: on_hand_qty * 0.3,
            })
            .collect();
        let place = |row: &StockRow| vec![Scope::Category(row.movement.as_str().to_owned())];
        let kpis = scoped(&rows, STOCK, |at| place(&rows[at]));
        let mut turned = rows.clone();
        turned.rotate_left(turn % rows.len());
        prop_assert_eq!(&kpis, &scoped(&turned, STOCK, |at| place(&turned[at])));
        for kpi in &kpis {
            prop_assert!(kpi.value.is_finite() && kpi.denominator > 0.0);
            prop_assert!(kpi.unit != "share" || (0.0..=1.0 + 1e-9).contains(&kpi.value));
        }
        // The parts make the whole.
        for name in ["slow_stock_share", "excess_share"] {
            let of = |all: bool| -> f64 {
                kpis.iter().filter(|k| k.name == name && (k.scope == Scope::All) == all)
                    .map(|k| k.numerator).sum()
            };
            prop_assert!((of(true) - of(false)).abs() < 1e-6);
        }
    }

    #[test]
    fn roles_and_quadrants_know_no_order(
        rows in prop::collection::vec((0.0..900.0f64, 0.0..90.0f64, 1.0..99.0f64, 0u8..3), 1..30),
        turn in 0usize..30
    ) {
        let items: Vec<ItemFigures> = rows
            .iter()
            .map(|&(views, orders, price, category)| ItemFigures {
                category: ["a", "b", "c"][usize::from(category)],
                ..item(views, orders, price, price * 0.6)
            })
            .collect();
        let mut turned = items.clone();
        turned.rotate_left(turn % items.len());
        let settings = SegmentSettings::default();
        let (mut there, mut seen) = (roles(&turned, &settings), quadrants(&turned));
        there.rotate_right(turn % items.len());
        seen.rotate_right(turn % items.len());
        prop_assert_eq!(roles(&items, &settings), there);
        prop_assert_eq!(quadrants(&items), seen);
    }
}
