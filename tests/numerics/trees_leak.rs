//! Features of a day to come hold nothing that was not known at their origin.

use std::sync::Arc;

use granary_models::forecast::drivers::ForecastInput;
use granary_models::forecast::pooled::features::Features;
use granary_models::forecast::pooled::learn::Learner;
use granary_models::forecast::trees::board::Board;
use granary_models::forecast::trees::learner::{TreesConfig, TreesLearner};
use granary_models::series::{DriverColumn, Known, StaticColumn};

use super::Random;
use super::retail::Retail;

const SERIES: usize = 240;
const DAYS: usize = 130;
const HORIZON: usize = 7;
const ORIGIN: usize = 95;

/// A retailer with a column of each kind and a property.
fn retail() -> Retail {
    let mut retail = Retail::simulate(SERIES, DAYS, HORIZON, 11);
    let mut random = Random(12);
    let mut column = |name: &str, known: Known| {
        let values: Vec<f32> =
            (0..SERIES * (DAYS + HORIZON)).map(|_| random.unit() as f32).collect();
        DriverColumn { name: name.to_owned(), known, values: values.into() }
    };
    retail.panel.columns = vec![column("plan", Known::Ahead), column("footfall", Known::Past)];
    retail.panel.statics = vec![StaticColumn {
        name: "brand".to_owned(),
        codes: (0..SERIES as u32).map(|series| series % 9).collect::<Vec<u32>>().into(),
        labels: (0..9).map(|brand| brand.to_string()).collect::<Vec<String>>().into(),
    }];
    retail
}

/// Shuffles between series and days whatever nobody knew at the origin: sales and stock of the days
/// from it on, what is measured on them, weather, and plans beyond the day after the horizon.
fn shuffle_the_future(retail: &mut Retail) {
    let mut random = Random(13);
    let mut luck = |scale: f64| scale * random.unit();
    let (days, first_unplanned) = (DAYS + HORIZON, ORIGIN + HORIZON + 1);
    for i in 0..SERIES {
        for day in ORIGIN..DAYS {
            let at = retail.panel.offsets[i] + day;
            retail.panel.sold[at] = luck(500.0).floor();
            retail.panel.available[at] = if luck(1.0) < 0.5 { 1.0 } else { luck(1.0) as f32 };
        }
        for day in first_unplanned..days {
            retail.panel.promo_depth[i * days + day] = luck(0.6) as f32;
            retail.panel.price_ratio[i * days + day] = 0.5 + luck(1.0) as f32;
        }
    }
    for column in &mut retail.panel.columns {
        let from = if column.known == Known::Past { ORIGIN } else { first_unplanned };
        let mut values = column.values.to_vec();
        for series in values.chunks_mut(days) {
            series[from..].iter_mut().for_each(|value| *value = luck(9.0) as f32);
        }
        column.values = Arc::from(values);
    }
    for region in &mut retail.regions {
        let weather = region.weather.as_mut().expect("the simulated retailer has weather");
        weather.temperature_c[ORIGIN..].iter_mut().for_each(|t| *t = luck(40.0) as f32);
    }
}

/// Rows of all series and steps at the origin, and what trees say that learned from the days before.
fn at_the_origin(retail: &Retail) -> (Vec<u32>, Vec<Vec<u32>>) {
    let input: ForecastInput = retail.input();
    let cutoff = retail.panel.start[0] + ORIGIN as i32;
    let features = Features::new(&input).known_at(cutoff);
    let ends = vec![ORIGIN; SERIES];
    let mut members = vec![Vec::new(); retail.categories.len()];
    retail.meta.iter().enumerate().for_each(|(i, meta)| members[meta.category as usize].push(i));
    let learner =
        Learner { panel: &retail.panel, features: &features, ends: &ends, members: &members };
    let effects = learner.learn();
    let betas: Vec<Vec<f64>> = (0..SERIES)
        .map(|i| learner.series_beta(i, retail.meta[i].category as usize, &effects))
        .collect();
    let board = Board::new(&input, &learner, &effects, &betas);
    let (mut rows, mut row) = (Vec::new(), Vec::new());
    for i in 0..SERIES {
        let of = board.series(i);
        for day in ORIGIN..ORIGIN + HORIZON {
            of.row(ORIGIN, day, &mut row);
            assert_eq!(row.len(), board.names().len(), "a name a feature");
            rows.extend(row.iter().map(|value| value.to_bits()));
        }
    }
    let keys: Vec<u64> = retail.meta.iter().map(|meta| meta.key).collect();
    let mut config = TreesConfig::default();
    config.boost.rounds = 20;
    let trees = TreesLearner::learn(&board, &ends, &keys, HORIZON, &config, None)
        .expect("days enough to learn from");
    let told = trees.forecast(&board, &vec![vec![ORIGIN]; SERIES], HORIZON);
    (rows, told.iter().map(|means| means.iter().map(|mean| mean.to_bits()).collect()).collect())
}

#[test]
fn shuffling_the_future_changes_no_bit() {
    let mut retail = retail();
    let (rows, told) = at_the_origin(&retail);
    shuffle_the_future(&mut retail);
    let (rows_after, told_after) = at_the_origin(&retail);
    assert!(rows == rows_after, "a feature saw what was not known at its origin");
    assert!(told == told_after, "what trees say depends on days after those they learned from");
    // The test can fail: the day before the origin is known and counts.
    retail.panel.sold[retail.panel.offsets[0] + ORIGIN - 1] += 100.0;
    let (rows_known, _) = at_the_origin(&retail);
    assert!(rows != rows_known);
}
