//! What a finished forecast is made of: each part of a blend on its own terms, then together.

use crate::forecast::ensemble::Ensemble;
use crate::forecast::model::Model;
use crate::forecast::pooled::explain::{DayLogs, Ledger};
use crate::forecast::split::{DaySplit, PARTS, Part, Split, season_level};

/// A forecast on its way from the models to what is published.
pub struct Made<'a> {
    pub ensemble: &'a Ensemble,
    /// Mean of each of its parts and steps, as the models gave them.
    pub members: &'a [Vec<f64>],
    /// What they came to together.
    pub combined: &'a [f64],
    /// Steps of the season of models without drivers.
    pub season: usize,
    /// Of each step; empty without a regression.
    pub logs: &'a [DayLogs],
    /// What the trees' factors are applied to.
    pub trees_level: f64,
    /// What every mean is multiplied by, for partly available days.
    pub whole_days: f64,
    pub added: Option<AddedEvents>,
}

/// Events that forecasts without drivers were given.
#[derive(Clone, Copy)]
pub struct AddedEvents {
    /// Share of the models without drivers.
    pub share: f64,
    /// What the recent level already contains of events, as a logarithm.
    pub recent: f64,
}

impl Made<'_> {
    /// The parts of the published `mean`.
    pub fn split(&self, mean: &[f64], ledger: Option<&Ledger>) -> Split {
        let levels: Vec<Vec<f64>> =
            self.members.iter().map(|path| season_level(path, self.season)).collect();
        let days: Vec<DaySplit> =
            mean.iter().enumerate().map(|(day, &mean)| self.day(day, mean, &levels)).collect();
        let events: Vec<Vec<(u16, f64)>> = self.logs.iter().map(|day| day.events.clone()).collect();
        Split::new(&days, &events, |number| match ledger {
            Some(ledger) => ledger.events[usize::from(number)].clone(),
            None => "event".into(),
        })
    }

    fn day(&self, day: usize, mean: f64, levels: &[Vec<f64>]) -> DaySplit {
        let mut split = DaySplit::default();
        let shares = self.ensemble.shares(day);
        for (((fitted, _), share), (path, level)) in
            self.ensemble.parts.iter().zip(shares).zip(self.members.iter().zip(levels))
        {
            let own = self.member(fitted.model(), path[day], level[day], self.logs.get(day));
            split.add(&own, share);
        }
        // A median lies where none of its members' mixtures does.
        let mixed = split.mean();
        if mixed != 0.0 {
            split.scale(self.combined[day] / mixed);
        }
        split.scale(self.whole_days);
        if let Some((added, logs)) = self.added.zip(self.logs.get(day)) {
            split.scale((-added.share * added.recent).exp());
            split.multiply(Part::Events, added.share * logs.of(Part::Events));
        }
        split.close(mean);
        split
    }

    fn member(&self, model: Model, mean: f64, level: f64, logs: Option<&DayLogs>) -> DaySplit {
        let Some(logs) = logs else { return DaySplit::of_level(mean, level, Part::Season) };
        match model {
            Model::Pooled => DaySplit::of_factors(mean, &logs.limited()),
            Model::Trees => {
                let start = self.trees_level / self.whole_days.max(1e-3);
                if mean <= 0.0 || start <= 0.0 {
                    return DaySplit::of_level(mean, start.max(0.0), Part::Remainder);
                }
                let mut factors: [f64; PARTS] = logs.limited();
                factors[Part::Remainder as usize] =
                    (mean / start).ln() - factors.iter().sum::<f64>();
                DaySplit::of_factors(mean, &factors)
            }
            _ => DaySplit::of_level(mean, level, Part::Season),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::paths::{mix, unit};
    use crate::forecast::blend::{Blend, Rule};
    use crate::forecast::model::History;
    use crate::forecast::pooled::level::SeriesEffects;

    const STEPS: usize = 17;

    /// Logarithms of factors that differ from day to day; some days have none, some too many.
    fn logs(seed: u64) -> Vec<DayLogs> {
        let day = |t: u64| {
            let luck = |k: u64| 2.0 * unit(mix(seed ^ mix(100 * t + k))) - 1.0;
            let size = [0.0, 0.3, 1.0, 3.0][(mix(seed ^ t) % 4) as usize];
            let mut parts: [f64; PARTS] = std::array::from_fn(|k| size * luck(k as u64));
            parts[Part::Remainder as usize] = 0.0;
            let events = parts[Part::Events as usize];
            DayLogs { parts, events: vec![(0, 0.25 * events), (3, 0.75 * events)] }
        };
        (0..STEPS as u64).map(day).collect()
    }

    fn check(wanted: Model, rule: Rule, seed: u64) {
        let luck = |k: u64| unit(mix(seed ^ mix(k)));
        let demand: Vec<f64> = (0..80u64)
            .map(|t| (12.0 * luck(t) * f64::from(u8::from(t % 7 != 6))).round())
            .collect();
        let logs = logs(seed);
        let factors: Vec<f32> = std::iter::repeat_n(1.0, demand.len())
            .chain(logs.iter().map(|day| day.limited().iter().sum::<f64>().exp() as f32))
            .collect();
        let pooled = SeriesEffects { factors, alpha: 0.1 };
        let trees: Vec<f32> = (0..STEPS as u64).map(|t| 9.0 * luck(900 + t) as f32).collect();
        let history =
            History { demand: &demand, seasons: &[7], pooled: Some(&pooled), trees: Some(&trees) };
        let models = [Model::SeasonalNaive, Model::Ses, Model::Tsb, Model::Pooled, Model::Trees];
        let weights = (0..2)
            .map(|stage| (0..models.len() as u64).map(|k| luck(50 + 10 * stage + k)).collect())
            .collect();
        let blend = Blend { rule, stage_steps: 9, weights };
        let ensemble = if wanted.is_blend() {
            Ensemble::blend(wanted, &blend, &models, &history).expect("there are members")
        } else {
            Ensemble::single(wanted, &history).0
        };
        let members = ensemble.members(STEPS);
        let combined = ensemble.combine(&members);
        let (whole_days, share, recent) = (0.5 + luck(1), 1.0 - ensemble.pooled_share(), luck(2));
        let mean: Vec<f64> = combined
            .iter()
            .zip(&logs)
            .map(|(mean, day)| whole_days * mean * (share * (day.of(Part::Events) - recent)).exp())
            .collect();
        let made = Made {
            ensemble: &ensemble,
            members: &members,
            combined: &combined,
            season: 7,
            logs: &logs,
            trees_level: 8.0 * luck(3),
            whole_days,
            added: Some(AddedEvents { share, recent }),
        };
        let split = made.split(&mean, None);
        let trees = ensemble.share(Model::Trees);
        for (day, &mean) in mean.iter().enumerate() {
            let parts = split.day(day, mean);
            let told = format!("{wanted:?} {seed} day {day}: {parts:?} of {mean}");
            assert!((parts.mean() - mean).abs() <= 1e-9 * mean.max(1.0), "{told}");
            assert!(
                parts.level >= 0.0 && parts.parts.iter().all(|part| part.is_finite()),
                "{told}"
            );
            // Nothing is left over that no part accounts for, unless trees had a say.
            let left = parts.part(Part::Remainder).abs();
            assert!(trees > 0.0 || left <= 1e-4 * (mean + parts.level), "{told}");
            let quiet = logs[day].parts == [0.0; PARTS];
            let drivers = [Part::Promo, Part::Price, Part::Weather].map(|part| parts.part(part));
            assert!(!quiet || drivers == [0.0; 3], "{told}");
            let events: f64 = split.events().iter().map(|event| event.on(day)).sum();
            assert!((events - parts.part(Part::Events)).abs() < 1e-9 * mean.max(1.0), "{told}");
        }
    }

    #[test]
    fn parts_add_up_whatever_a_series_is_forecast_with() {
        for seed in 0..40 {
            check(Model::BlendWeighted, Rule::Weighted, seed);
            check(Model::BlendMedian, Rule::Median, seed);
            for model in [Model::SeasonalNaive, Model::Ses, Model::Pooled, Model::Trees] {
                check(model, Rule::Weighted, seed);
            }
        }
    }
}
