//! What to think of an effect before its own days speak: the prior of an event is its class.
//!
//! The effect of event `e` on category `c` is `class + category_c + event_e + rest_ce`, each part
//! normal with a variance of its own, seen with a known error. The variances are found by
//! expectation maximisation with the parts' posteriors taken as independent. An event that nobody
//! has seen has the mean of its class and all of the spread between the class's events.

/// An effect as its days tell it; an infinite variance where they say nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    pub value: f64,
    pub variance: f64,
}

impl Estimate {
    pub const UNKNOWN: Estimate = Estimate { value: 0.0, variance: f64::INFINITY };

    /// The estimate after what was thought before.
    pub fn after(self, prior: Estimate) -> Estimate {
        if self.variance.is_infinite() {
            return prior;
        }
        let keep = prior.variance / (prior.variance + self.variance).max(1e-300);
        Estimate {
            value: prior.value + keep * (self.value - prior.value),
            variance: keep * self.variance,
        }
    }
}

const PASSES: usize = 60;
/// Variances are drawn to what is usual as if by so many more rows or columns.
const PRIOR_PARTS: f64 = 2.0;
const REST_PRIOR: f64 = 0.01;

/// The parts of a table of effects, categories by events of one class.
#[derive(Clone, Debug)]
pub struct ClassModel {
    mean: f64,
    category: Vec<Estimate>,
    event: Vec<Estimate>,
    event_spread: f64,
    rest: f64,
}

impl ClassModel {
    /// From `table[category][event]`. `usual` is the mean square of an event's effect in other
    /// classes too, to which a class of few events is drawn.
    pub fn learn(table: &[Vec<Estimate>], usual: f64) -> ClassModel {
        let events = table.first().map_or(0, Vec::len);
        let mut model = ClassModel {
            mean: 0.0,
            category: vec![Estimate { value: 0.0, variance: 0.0 }; table.len()],
            event: vec![Estimate { value: 0.0, variance: 0.0 }; events],
            event_spread: usual.max(1e-4),
            rest: REST_PRIOR,
        };
        let mut category_spread = usual.max(1e-4);
        for _ in 0..PASSES {
            model.mean = model
                .part(
                    table,
                    |_, _| true,
                    |c, e| model.category[c].value + model.event[e].value,
                    f64::INFINITY,
                )
                .value;
            for category in 0..table.len() {
                let rest = |_: usize, e: usize| model.mean + model.event[e].value;
                model.category[category] =
                    model.part(table, |c, _| c == category, rest, category_spread);
            }
            for event in 0..events {
                let rest = |c: usize, _: usize| model.mean + model.category[c].value;
                model.event[event] = model.part(table, |_, e| e == event, rest, model.event_spread);
            }
            let seen_event = |e: usize| table.iter().any(|row| row[e].variance.is_finite());
            let seen_category = |c: usize| table[c].iter().any(|cell| cell.variance.is_finite());
            category_spread = spread(&model.category, seen_category, usual);
            model.event_spread = spread(&model.event, seen_event, usual);
            model.rest = model.rest_spread(table);
        }
        model
    }

    /// The posterior of one part from the cells that it is in.
    fn part(
        &self,
        table: &[Vec<Estimate>],
        is_in: impl Fn(usize, usize) -> bool,
        others: impl Fn(usize, usize) -> f64,
        spread: f64,
    ) -> Estimate {
        let (mut precision, mut sum) = (1.0 / spread, 0.0);
        for (c, row) in table.iter().enumerate() {
            for (e, cell) in row.iter().enumerate().filter(|(e, _)| is_in(c, *e)) {
                if cell.variance.is_finite() {
                    let weight = 1.0 / (cell.variance + self.rest);
                    precision += weight;
                    sum += weight * (cell.value - others(c, e));
                }
            }
        }
        if precision > 0.0 {
            Estimate { value: sum / precision, variance: 1.0 / precision }
        } else {
            Estimate { value: 0.0, variance: 0.0 }
        }
    }

    fn rest_spread(&self, table: &[Vec<Estimate>]) -> f64 {
        let (mut squares, mut cells) = (PRIOR_PARTS * REST_PRIOR, PRIOR_PARTS);
        for (c, row) in table.iter().enumerate() {
            for (e, cell) in row.iter().enumerate().filter(|(_, cell)| cell.variance.is_finite()) {
                let keep = self.rest / (self.rest + cell.variance);
                let left = cell.value - self.mean - self.category[c].value - self.event[e].value;
                squares += keep * keep * left * left + self.rest * (1.0 - keep);
                cells += 1.0;
            }
        }
        squares / cells
    }

    /// What is thought of an event's effect on a category before its own days.
    pub fn prior(&self, category: usize, event: usize) -> Estimate {
        let (c, e) = (self.category[category], self.event[event]);
        Estimate {
            value: self.mean + c.value + e.value,
            variance: self.rest + c.variance + e.variance,
        }
    }

    /// What is thought of the next event of the class that nobody has seen.
    pub fn unseen(&self, category: usize) -> Estimate {
        let c = self.category[category];
        Estimate {
            value: self.mean + c.value,
            variance: self.rest + c.variance + self.event_spread,
        }
    }
}

fn spread(parts: &[Estimate], seen: impl Fn(usize) -> bool, usual: f64) -> f64 {
    let (mut squares, mut count) = (PRIOR_PARTS * usual, PRIOR_PARTS);
    for (_, part) in parts.iter().enumerate().filter(|(k, _)| seen(*k)) {
        squares += part.value * part.value + part.variance;
        count += 1.0;
    }
    (squares / count).max(1e-6)
}

/// Variance of the values beyond their errors around `centers` (DerSimonian & Laird 1986), drawn to
/// `usual` where few speak.
pub fn spread_around(values: &[Estimate], centers: impl Fn(usize) -> f64, usual: f64) -> f64 {
    let known = || values.iter().enumerate().filter(|(_, v)| v.variance.is_finite());
    let mut errors: Vec<f64> = known().map(|(_, v)| v.variance).collect();
    if errors.is_empty() {
        return usual;
    }
    errors.sort_unstable_by(f64::total_cmp);
    let typical = errors[errors.len() / 2].max(1e-9);
    let (mut above, mut below, mut count) = (0.0, 0.0, 0.0);
    for (k, v) in known() {
        let weight = typical / (typical + v.variance);
        above += weight * ((v.value - centers(k)).powi(2) - v.variance);
        below += weight;
        count += weight;
    }
    (count * (above / below).max(0.0) + PRIOR_PARTS * usual) / (count + PRIOR_PARTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(value: f64, sd: f64) -> Estimate {
        Estimate { value, variance: sd * sd }
    }

    #[test]
    fn an_estimate_goes_from_what_was_thought_to_what_was_seen() {
        let prior = cell(1.0, 0.2);
        assert_eq!(Estimate::UNKNOWN.after(prior), prior);
        let half = cell(2.0, 0.2).after(prior);
        assert!((half.value - 1.5).abs() < 1e-12 && (half.variance - 0.02).abs() < 1e-12);
        assert!((cell(2.0, 1e-6).after(prior).value - 2.0).abs() < 1e-9);
    }

    /// Four categories and five events of known parts; the sixth event was not seen.
    #[test]
    fn the_parts_of_a_table_are_found_and_an_unseen_event_is_as_uncertain_as_its_class_is_mixed() {
        let category = [-0.3, -0.1, 0.1, 0.3];
        let event = [-0.5, -0.25, 0.0, 0.25, 0.5];
        let table: Vec<Vec<Estimate>> = category
            .iter()
            .map(|c| {
                let seen = event.iter().map(|e| cell(0.7 + c + e, 0.02));
                seen.chain([Estimate::UNKNOWN]).collect()
            })
            .collect();
        let model = ClassModel::learn(&table, 0.1);
        for (c, own) in category.iter().enumerate() {
            for (e, of) in event.iter().enumerate() {
                let got = table[c][e].after(model.prior(c, e));
                assert!((got.value - (0.7 + own + of)).abs() < 0.03, "{c} {e}: {got:?}");
            }
            let unseen = model.prior(c, 5);
            assert!((unseen.value - (0.7 + own)).abs() < 0.1, "{c}: {unseen:?}");
            // The standard deviation between the events is 0.35.
            let sd = unseen.variance.sqrt();
            assert!((0.28..0.5).contains(&sd), "{sd}");
            assert!((model.unseen(c).variance.sqrt() - sd).abs() < 0.05);
        }
        // A category in which one event was not seen has the others' word for it.
        let mut hole = table.clone();
        hole[3][4] = Estimate::UNKNOWN;
        let got = ClassModel::learn(&hole, 0.1).prior(3, 4);
        assert!((got.value - 1.5).abs() < 0.1 && got.variance.sqrt() < 0.2, "{got:?}");
    }

    #[test]
    fn spread_is_what_errors_do_not_explain() {
        let values: Vec<Estimate> =
            (0..400).map(|k| cell(if k % 2 == 0 { 0.3 } else { -0.3 }, 0.1)).collect();
        let got = spread_around(&values, |_| 0.0, 0.01);
        assert!((got - 0.08).abs() < 0.002, "{got}");
        let noise: Vec<Estimate> =
            (0..400).map(|k| cell(if k % 2 == 0 { 0.1 } else { -0.1 }, 0.1)).collect();
        assert!(spread_around(&noise, |_| 0.0, 0.01) < 1e-4);
        assert_eq!(spread_around(&[Estimate::UNKNOWN], |_| 0.0, 0.04), 0.04);
    }
}
