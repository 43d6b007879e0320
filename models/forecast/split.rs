//! What the mean of a day is made of, as parts in units that add up to it.
//!
//! A mean that is a level times factors is split by the logarithmic mean
//! `L(a, b) = (a - b) / (ln a - ln b)`: the factor `f` brings `L(mean, level) ln f` units. The
//! parts add up exactly and do not depend on the order of the factors (LMDI I; Ang 2005, "The LMDI
//! approach to decomposition analysis: a practical guide", Energy Policy 33). A blend's parts are
//! its members' parts, weighted as their means are.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What moves a day's mean away from the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Weekday, time of the year and of the moon.
    Season,
    Events,
    /// Also its dip afterwards.
    Promo,
    Price,
    Weather,
    /// What learning from all series at once adds to these, and whatever changed the mean after it
    /// was made.
    Remainder,
}

pub const PARTS: usize = 6;

/// Shares of the mean below this are rounding.
const ROUNDING: f64 = 1e-5;
/// Logarithms of factors below this cannot say whose a contribution is.
const LOG_MIN: f64 = 1e-9;

/// The level of a day and what each [`Part`] adds to it, units.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DaySplit {
    pub level: f64,
    /// In the order of [`Part`].
    pub parts: [f64; PARTS],
}

/// `(a - b) / (ln a - ln b)`; `a` where both are equal, 0 where one is.
pub fn logarithmic_mean(a: f64, b: f64) -> f64 {
    if a <= 0.0 || b <= 0.0 {
        return 0.0;
    }
    // The series around equal values, where the quotient would lose its digits.
    let ratio = a / b - 1.0;
    if ratio.abs() < 1e-4 {
        b * (1.0 + ratio / 2.0 - ratio * ratio / 12.0)
    } else {
        (a - b) / (a / b).ln()
    }
}

impl DaySplit {
    /// Of a mean that is a level times `exp` of each of `logs`, which are in the order of [`Part`].
    pub fn of_factors(mean: f64, logs: &[f64; PARTS]) -> DaySplit {
        let level = mean / logs.iter().sum::<f64>().exp();
        let weight = logarithmic_mean(mean, level);
        DaySplit { level, parts: logs.map(|log| weight * log) }
    }

    /// Of a mean that differs from the level by one part alone.
    pub fn of_level(mean: f64, level: f64, part: Part) -> DaySplit {
        let mut split = DaySplit { level, ..DaySplit::default() };
        split.parts[part as usize] = mean - level;
        split
    }

    pub fn mean(&self) -> f64 {
        self.level + self.parts.iter().sum::<f64>()
    }

    pub fn part(&self, part: Part) -> f64 {
        self.parts[part as usize]
    }

    pub fn add(&mut self, other: &DaySplit, weight: f64) {
        self.level += weight * other.level;
        self.parts.iter_mut().zip(other.parts).for_each(|(part, of)| *part += weight * of);
    }

    pub fn scale(&mut self, factor: f64) {
        self.level *= factor;
        self.parts.iter_mut().for_each(|part| *part *= factor);
    }

    /// Multiplies the mean by `exp(log)` on account of one part.
    pub fn multiply(&mut self, part: Part, log: f64) {
        let (before, level) = (self.mean(), self.level);
        if before <= 0.0 || log == 0.0 {
            return;
        }
        let after = before * log.exp();
        let weight = logarithmic_mean(after, level);
        if weight <= 0.0 {
            self.scale(after / before);
            return;
        }
        let grown = weight / logarithmic_mean(before, level);
        self.parts.iter_mut().for_each(|part| *part *= grown);
        self.parts[part as usize] += weight * log;
    }

    /// Makes the parts add up to the mean that is published: the level takes what is rounding, the
    /// remainder takes everything else. A mean that was cut off at zero has no parts.
    pub fn close(&mut self, mean: f64) {
        let open = mean - self.mean();
        if mean == 0.0 && open > 0.0 {
            *self = DaySplit::default();
        } else if open.abs() <= ROUNDING * (mean.abs() + self.level.abs()) {
            self.level += open;
        } else {
            self.parts[Part::Remainder as usize] += open;
        }
    }
}

/// The level of each step of a path whose season repeats every `season` steps: its steps over the
/// mean index of their place in the season (ratio to the mean of each whole season). A path that is
/// shorter than a season, or negative somewhere, is all level.
pub fn season_level(path: &[f64], season: usize) -> Vec<f64> {
    if season < 2 || path.len() < season || path.iter().any(|&mean| mean < 0.0) {
        return path.to_vec();
    }
    let mut index = vec![0.0; season];
    let mut seasons = 0.0;
    for whole in path.chunks_exact(season) {
        let mean = whole.iter().sum::<f64>() / season as f64;
        if mean > 0.0 {
            index.iter_mut().zip(whole).for_each(|(index, step)| *index += step / mean);
            seasons += 1.0;
        }
    }
    if seasons == 0.0 {
        return path.to_vec();
    }
    let mean_of = |step: usize| {
        let from = (step / season * season).min(path.len() - season);
        path[from..from + season].iter().sum::<f64>() / season as f64
    };
    let level = |(step, &mean): (usize, &f64)| {
        let index = index[step % season] / seasons;
        // A weekday on which nothing is ever sold has no level of its own.
        if index > 1e-3 { mean / index } else { mean_of(step) }
    };
    path.iter().enumerate().map(level).collect()
}

/// What one event brings, from day `from` of the horizon on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventUnits {
    #[serde(serialize_with = "write_name", deserialize_with = "read_name")]
    pub name: Arc<str>,
    pub from: usize,
    pub units: Vec<f32>,
}

fn write_name<S: Serializer>(name: &Arc<str>, to: S) -> Result<S::Ok, S::Error> {
    str::serialize(name, to)
}

fn read_name<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<str>, D::Error> {
    String::deserialize(from).map(Arc::from)
}

impl EventUnits {
    pub fn on(&self, day: usize) -> f64 {
        let at = day.checked_sub(self.from).and_then(|at| self.units.get(at));
        at.copied().map_or(0.0, f64::from)
    }
}

/// The split of every day of a horizon. One without days has a level only.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Split {
    level: Vec<f32>,
    /// In the order of [`Part`]; empty where there is none on any day, and for events, which stand
    /// by name.
    parts: [Vec<f32>; PARTS],
    events: Vec<EventUnits>,
}

impl Split {
    /// Of a path whose season is measured in it, see [`season_level`].
    pub fn of_path(path: &[f64], season: usize) -> Split {
        let level = season_level(path, season);
        let days = path.iter().zip(&level);
        let days: Vec<DaySplit> =
            days.map(|(&mean, &level)| DaySplit::of_level(mean, level, Part::Season)).collect();
        Split::new(&days, &[], |_| Arc::from(""))
    }

    /// Of the days of a horizon. `events` are the logarithms of each day's events by their number,
    /// which share what events bring that day; `name_of` gives their names.
    pub fn new(
        days: &[DaySplit],
        events: &[Vec<(u16, f64)>],
        name_of: impl Fn(u16) -> Arc<str>,
    ) -> Split {
        let column = |part: usize| -> Vec<f32> {
            let values = days.iter().map(|day| day.parts[part] as f32);
            let values: Vec<f32> = values.collect();
            if values.iter().all(|&value| value == 0.0) { Vec::new() } else { values }
        };
        let mut parts: [Vec<f32>; PARTS] = std::array::from_fn(column);
        parts[Part::Events as usize] = Vec::new();
        let mut split = Split {
            level: days.iter().map(|day| day.level as f32).collect(),
            parts,
            events: Vec::new(),
        };
        let mut numbers: Vec<u16> = events.iter().flatten().map(|&(number, _)| number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        for number in numbers {
            split.push_event(number, days, events, &name_of);
        }
        split
    }

    fn push_event(
        &mut self,
        number: u16,
        days: &[DaySplit],
        events: &[Vec<(u16, f64)>],
        name_of: &impl Fn(u16) -> Arc<str>,
    ) {
        let units: Vec<f32> = days
            .iter()
            .zip(events)
            .map(|(day, events)| {
                let own: f64 = events.iter().filter(|e| e.0 == number).map(|e| e.1).sum();
                let all: f64 = events.iter().map(|e| e.1).sum();
                // Events that cancel each other bring nothing together, yet each its own.
                let units_per_log =
                    if all.abs() > LOG_MIN { day.part(Part::Events) / all } else { day.mean() };
                (own * units_per_log) as f32
            })
            .collect();
        let Some(from) = units.iter().position(|&units| units != 0.0) else { return };
        let to = units.iter().rposition(|&units| units != 0.0).unwrap_or(from);
        self.events.push(EventUnits {
            name: name_of(number),
            from,
            units: units[from..=to].to_vec(),
        });
    }

    /// The parts of a day, which add up to `mean`, the one that is published.
    pub fn day(&self, day: usize, mean: f64) -> DaySplit {
        let Some(&level) = self.level.get(day) else {
            return DaySplit { level: mean, ..DaySplit::default() };
        };
        let of = |column: &Vec<f32>| column.get(day).copied().map_or(0.0, f64::from);
        let mut parts: [f64; PARTS] = std::array::from_fn(|part| of(&self.parts[part]));
        parts[Part::Events as usize] = self.events.iter().map(|event| event.on(day)).sum();
        let mut split = DaySplit { level: f64::from(level), parts };
        split.close(mean);
        split
    }

    /// Events by name that bring or take something within the horizon.
    pub fn events(&self) -> &[EventUnits] {
        &self.events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_by_hand() {
        for (a, b, want) in [(2.0, 2.0, 2.0), (0.0, 3.0, 0.0), (4.0, 2.0, 2.0 / 2f64.ln())] {
            let got = logarithmic_mean(a, b);
            assert!((got - want).abs() < 1e-12, "L({a}, {b}) = {got}");
        }
        // A level of 10, doubled by events and again by a promotion: both bring as much.
        let ln2 = 2f64.ln();
        let split = DaySplit::of_factors(40.0, &[0.0, ln2, ln2, 0.0, 0.0, 0.0]);
        assert!((split.level - 10.0).abs() < 1e-12);
        assert!((split.part(Part::Events) - 15.0).abs() < 1e-9);
        assert!((split.part(Part::Promo) - 15.0).abs() < 1e-9);
        // In two steps it is the same.
        let mut steps = DaySplit::of_factors(20.0, &[0.0, ln2, 0.0, 0.0, 0.0, 0.0]);
        steps.multiply(Part::Promo, ln2);
        assert!((steps.part(Part::Events) - 15.0).abs() < 1e-9, "{steps:?}");
        assert!((steps.mean() - 40.0).abs() < 1e-9);
    }

    #[test]
    fn the_logarithmic_mean_has_no_seam() {
        for k in 1..200 {
            let a = 1.0 + f64::from(k) * 1e-6;
            let exact = (a - 1.0) / (a - 1.0).ln_1p();
            assert!((logarithmic_mean(a, 1.0) - exact).abs() < 1e-12, "{a}");
        }
    }

    #[test]
    fn a_season_is_told_from_the_level() {
        let week = [1.2, 1.0, 0.8, 0.9, 1.1, 2.0, 0.0];
        let level = |t: usize| 20.0 + t as f64 * 0.0;
        let path: Vec<f64> = (0..17).map(|t| level(t) * week[t % 7]).collect();
        for (t, got) in season_level(&path, 7).into_iter().enumerate() {
            assert!((got - 20.0).abs() < 1e-9, "{t}: {got}");
        }
        for path in [vec![3.0; 5], vec![0.0; 9], vec![-1.0; 14]] {
            assert_eq!(season_level(&path, 7), path);
        }
    }

    #[test]
    fn whatever_changes_a_mean_afterwards_is_remainder() {
        let days = [DaySplit::of_level(12.0, 10.0, Part::Season); 3];
        let split = Split::new(&days, &[], |_| "".into());
        for (mean, season, remainder) in [(12.0, 2.0, 0.0), (15.0, 2.0, 3.0)] {
            let day = split.day(1, mean);
            assert_eq!(day.part(Part::Season), season);
            assert!((day.part(Part::Remainder) - remainder).abs() < 1e-9, "{day:?}");
            assert_eq!(day.mean(), mean);
        }
        // Beyond what was split there is only a level.
        assert_eq!(split.day(9, 4.0), DaySplit { level: 4.0, ..DaySplit::default() });
    }
}
