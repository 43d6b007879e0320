//! A night that goes on from the pieces of a killed one ends with the same bits, and makes nothing
//! again that was kept.

#[path = "retail.rs"]
mod retail;

use std::collections::BTreeMap;
use std::sync::Mutex;

use granary_models::backtest::checkpoint::Checkpoints;
use granary_models::backtest::levels::Reconcile;
use granary_models::backtest::memory::Memory;
use granary_models::backtest::panel::{
    ForecastConfig, Night, NightError, forecast_night, forecast_night_in_pieces,
};
use granary_models::calendar::Day;
use granary_models::forecast::drivers::SeriesMeta;
use granary_models::series::Panel;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use retail::{Random, Retail};

const HORIZON: usize = 14;

type Key = (&'static str, u32);
type Kept = BTreeMap<Key, Vec<u8>>;

/// Pieces in memory, and a count of what happens to them.
struct Shelf {
    partition_series: usize,
    kept: Kept,
    loaded: Mutex<Vec<Key>>,
    saved: Mutex<Kept>,
    /// Stops the night at this piece.
    stop_at: usize,
}

struct Stopped;

impl Shelf {
    fn new(partition_series: usize, kept: Kept) -> Shelf {
        let (loaded, saved) = (Mutex::default(), Mutex::default());
        Shelf { partition_series, kept, loaded, saved, stop_at: usize::MAX }
    }

    fn saved(self) -> Kept {
        self.saved.into_inner().expect("no thread panicked")
    }
}

impl Checkpoints for Shelf {
    type Stop = Stopped;

    fn partition_series(&self) -> Option<usize> {
        Some(self.partition_series)
    }

    fn load(&self, stage: &'static str, partition: u32) -> Option<Vec<u8>> {
        self.loaded.lock().expect("no thread panicked").push((stage, partition));
        self.kept.get(&(stage, partition)).cloned()
    }

    fn save(&self, stage: &'static str, partition: u32, bytes: Vec<u8>) -> Result<(), Stopped> {
        let mut saved = self.saved.lock().expect("no thread panicked");
        if saved.len() >= self.stop_at {
            return Err(Stopped);
        }
        let twice = saved.insert((stage, partition), bytes);
        assert!(twice.is_none(), "{stage} {partition} was made twice");
        Ok(())
    }
}

/// A panel, how it is forecast, and what an earlier night remembers.
struct Scene {
    name: &'static str,
    retail: Retail,
    config: ForecastConfig,
    memory: Option<Memory>,
    partition_series: usize,
    /// Stages that must be among the pieces.
    stages: &'static [&'static str],
}

impl Scene {
    fn in_pieces(&self, shelf: &Shelf) -> Result<Night, NightError<Stopped>> {
        let input = self.retail.input();
        forecast_night_in_pieces(&input, &self.config, self.memory.as_ref(), shelf)
    }

    fn undisturbed(&self) -> Night {
        forecast_night(&self.retail.input(), &self.config, self.memory.as_ref())
            .expect("the input fits together")
    }
}

fn config() -> ForecastConfig {
    ForecastConfig { horizon_days: HORIZON, ..ForecastConfig::default() }
}

fn remembered(night: Night) -> Memory {
    let panel = night.panel.expect("a refit remembers the panel");
    Memory { panel, series: night.series.into_iter().map(|s| (s.key, s)).collect() }
}

/// Everything a night gives, bit for bit. Not-a-numbers are alike.
fn bits(night: &Night) -> Vec<u8> {
    let series = &night.forecast.series;
    let mut bytes = postcard::to_stdvec(&(series, &night.panel, &night.series)).expect("bytes");
    let shapes: Vec<_> = series.iter().map(|forecast| &forecast.shape).collect();
    let rest = &night.forecast;
    let text = format!(
        "{shapes:?} {:?} {:?} {:?} {:?}",
        rest.scores, rest.effects, rest.findings, rest.reconciled
    );
    bytes.extend(text.into_bytes());
    bytes
}

/// The retailer as it was `nights` nights before its last day.
fn earlier(retail: &Retail, nights: usize) -> Retail {
    let whole = &retail.panel;
    let mut panel = Panel { offsets: vec![0], horizon_days: HORIZON, ..Panel::default() };
    for i in 0..whole.len() {
        let (series, drivers) = (whole.series(i), whole.drivers(i));
        let days = series.len() - nights;
        panel.start.push(series.start);
        panel.sold.extend(&series.sold[..days]);
        panel.available.extend(&series.available[..days]);
        panel.promo_depth.extend(&drivers.promo_depth[..days + HORIZON]);
        panel.price_ratio.extend(&drivers.price_ratio[..days + HORIZON]);
        panel.offsets.push(panel.sold.len());
    }
    Retail { panel, ..retail.clone() }
}

/// Series that give nights trouble: intermittent, short, new, dead, sold out, of one huge day.
fn odd() -> Retail {
    let mut random = Random(11);
    let mut histories: Vec<(Vec<f64>, f32)> = Vec::new();
    for n in [0, 1, 5, 20, 27, 40] {
        histories.push(((0..n).map(|_| random.count(4.0, 0.2)).collect(), 1.0));
    }
    for rate in [0.02, 0.1, 0.3] {
        let day = |random: &mut Random| if random.uniform() < rate { 3.0 } else { 0.0 };
        histories.push(((0..140).map(|_| day(&mut random)).collect(), 1.0));
    }
    histories.push((vec![0.0; 140], 1.0));
    let dead = |t: usize, random: &mut Random| if t < 60 { random.count(5.0, 0.1) } else { 0.0 };
    histories.push(((0..140).map(|t| dead(t, &mut random)).collect(), 1.0));
    for available in [0.0, 0.4, 0.95] {
        histories.push(((0..90).map(|_| random.count(6.0, 0.3)).collect(), available));
    }
    for huge in [1e12, f64::INFINITY, f64::NAN] {
        let mut history: Vec<f64> = (0..120).map(|_| random.count(8.0, 0.3)).collect();
        history[70] = huge;
        histories.push((history, 1.0));
    }
    let mut retail = Retail::simulate(12, 140, HORIZON, 5);
    for (k, (history, available)) in histories.into_iter().enumerate() {
        let panel = &mut retail.panel;
        panel.start.push(Day::from_ymd(2023, 3, 1).expect("a date") + (140 - history.len() as i32));
        panel.available.extend(vec![available; history.len()]);
        panel.promo_depth.extend(vec![0.0; history.len() + HORIZON]);
        panel.price_ratio.extend(vec![1.0; history.len() + HORIZON]);
        panel.sold.extend(history);
        panel.offsets.push(panel.sold.len());
        let key = 1_000_003 * (k as u64 + 1);
        retail.meta.push(SeriesMeta { key, category: (k % 6) as u32, ..SeriesMeta::default() });
    }
    retail
}

fn check(scene: &Scene, cases: u32) {
    let want = bits(&scene.undisturbed());
    let first = Shelf::new(scene.partition_series, Kept::new());
    let Ok(night) = scene.in_pieces(&first) else { panic!("{} stopped", scene.name) };
    assert!(bits(&night) == want, "{}: pieces change the forecast", scene.name);
    if scene.stages.contains(&"trees") {
        let panel = night.panel.as_ref().expect("a refit remembers the panel");
        assert!(panel.trees.is_some(), "{}: no trees were grown", scene.name);
    }
    let pieces = first.saved();
    for stage in scene.stages {
        let of = pieces.keys().filter(|(of, _)| of == stage).count();
        let partitioned = matches!(*stage, "trials" | "last_fits" | "followed");
        assert!(of > usize::from(partitioned), "{}: {of} pieces of {stage}", scene.name);
    }

    let keys: Vec<Key> = pieces.keys().copied().collect();
    let mut runner = TestRunner::new(Config { cases, ..Config::default() });
    let subsets = prop_oneof![
        4 => vec(any::<bool>(), keys.len()),
        1 => Just(vec![true; keys.len()]),
        // A night is killed at one moment: what came before it is kept.
        2 => (0..keys.len()).prop_map({
            let n = keys.len();
            move |upto| (0..n).map(|at| at < upto).collect()
        }),
    ];
    let result = runner.run(&subsets, |subset| {
        let chosen = keys.iter().zip(&subset).filter(|(_, kept)| **kept);
        let kept: Kept = chosen.map(|(key, _)| (*key, pieces[key].clone())).collect();
        let shelf = Shelf::new(scene.partition_series, kept.clone());
        let Ok(night) = scene.in_pieces(&shelf) else { panic!("{} stopped", scene.name) };
        prop_assert!(bits(&night) == want, "other bits from {:?}", kept.keys());
        let mut loaded = shelf.loaded.lock().expect("no thread panicked").clone();
        let asked = loaded.len();
        loaded.sort_unstable();
        loaded.dedup();
        prop_assert_eq!(asked, loaded.len(), "a piece was asked for twice");
        let saved = shelf.saved();
        for (key, bytes) in &saved {
            prop_assert!(!kept.contains_key(key), "{:?} was kept and made again", key);
            prop_assert!(*bytes == pieces[key], "{:?} was made with other bytes", key);
        }
        for key in keys.iter().filter(|key| matches!(key.0, "trials" | "last_fits" | "followed")) {
            prop_assert!(kept.contains_key(key) || saved.contains_key(key), "{:?} is lost", key);
        }
        if kept.len() == keys.len() {
            prop_assert!(saved.is_empty(), "all was kept, yet {:?} were made", saved.keys());
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{}: {error}", scene.name);
    }
}

const REFIT: &[&str] = &["trial_effects", "trials", "effects", "last_fits"];

#[test]
fn a_refit_of_odd_series_goes_on_from_any_of_its_pieces() {
    check(
        &Scene {
            name: "odd series",
            retail: odd(),
            config: config(),
            memory: None,
            partition_series: 6,
            stages: REFIT,
        },
        24,
    );
}

#[test]
fn a_refit_with_trees_goes_on_from_any_of_its_pieces() {
    check(
        &Scene {
            name: "trees",
            retail: Retail::simulate(90, 200, HORIZON, 3),
            config: config(),
            memory: None,
            partition_series: 25,
            stages: &["trial_trees", "trial_effects", "trials", "effects", "trees", "last_fits"],
        },
        8,
    );
}

#[test]
fn a_refit_with_sums_or_of_weeks_goes_on_from_any_of_its_pieces() {
    let summed = ForecastConfig { reconcile: Reconcile::On, ..config() };
    let weeks = ForecastConfig::for_steps(HORIZON, vec![13], false);
    for (name, config, stages) in
        [("sums", summed, REFIT), ("weeks", weeks, &["trials", "last_fits"] as &[&str])]
    {
        let retail = Retail::simulate(24, 110, HORIZON, 8);
        check(&Scene { name, retail, config, memory: None, partition_series: 7, stages }, 6);
    }
}

#[test]
fn a_night_that_follows_goes_on_from_any_of_its_pieces() {
    let trees = Retail::simulate(90, 200, HORIZON, 3);
    let plain = Retail::simulate(30, 110, HORIZON, 9);
    for (name, mut retail, stages) in [
        ("following", plain, &["followed"] as &[&str]),
        ("following with trees", trees, &["followed_trees", "followed"]),
    ] {
        let night = forecast_night(&earlier(&retail, 2).input(), &config(), None);
        let mut memory = remembered(night.expect("the input fits together"));
        assert_eq!(memory.panel.trees.is_some(), stages.contains(&"followed_trees"), "{name}");
        // One is new, and the past of another was corrected.
        memory.series.remove(&retail.meta[4].key);
        let corrected = retail.panel.offsets[9] - 12;
        retail.panel.sold[corrected] += 40.0;
        let memory = Some(memory);
        check(&Scene { name, retail, config: config(), memory, partition_series: 12, stages }, 10);
    }
}

#[test]
fn a_night_stops_at_once_and_goes_on_from_there() {
    let scene = Scene {
        name: "stopped",
        retail: odd(),
        config: config(),
        memory: None,
        partition_series: 6,
        stages: REFIT,
    };
    let want = bits(&scene.undisturbed());
    let mut kept = Kept::new();
    for step in 1.. {
        let shelf = Shelf { stop_at: 2, ..Shelf::new(scene.partition_series, kept.clone()) };
        let night = scene.in_pieces(&shelf);
        let before = kept.len();
        kept.extend(shelf.saved());
        match night {
            Ok(night) => {
                assert!(bits(&night) == want, "other bits after {step} starts");
                assert!(step > 4, "{step} starts");
                return;
            }
            Err(NightError::Stopped(Stopped)) => assert_eq!(kept.len(), before + 2),
            Err(NightError::Input(error)) => panic!("{error}"),
        }
    }
}

#[test]
fn broken_pieces_and_those_of_other_series_are_made_again() {
    let scene = |retail: Retail| Scene {
        name: "broken",
        retail,
        config: config(),
        memory: None,
        partition_series: 10,
        stages: REFIT,
    };
    let mine = scene(Retail::simulate(24, 110, HORIZON, 8));
    let mut other = Retail::simulate(24, 110, HORIZON, 9);
    other.meta.iter_mut().for_each(|meta| meta.key += 1);
    let other = scene(other);
    let want = bits(&mine.undisturbed());
    let pieces_of = |scene: &Scene| {
        let shelf = Shelf::new(scene.partition_series, Kept::new());
        assert!(scene.in_pieces(&shelf).is_ok());
        shelf.saved()
    };
    let half = |bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec();
    let halves = pieces_of(&mine).into_iter().map(|(key, bytes)| (key, half(bytes))).collect();
    let empty = pieces_of(&mine).into_keys().map(|key| (key, Vec::new())).collect();
    for (what, kept) in [("cut", halves), ("empty", empty), ("other", pieces_of(&other))] {
        let shelf = Shelf::new(mine.partition_series, kept);
        let Ok(night) = mine.in_pieces(&shelf) else { panic!("{what} stopped") };
        assert!(bits(&night) == want, "{what} pieces were used");
        assert!(!shelf.saved().is_empty(), "{what}");
    }
}
