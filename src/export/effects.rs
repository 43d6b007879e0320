//! Learned effects in the words of a planner: what an event, a discount, a price or five degrees do
//! to demand.

use std::collections::BTreeMap;

use granary_models::backtest::panel::EffectRow;
use granary_models::calendar::Day;
use serde::Serialize;

/// What one thing does to the demand of one category: it is multiplied by `factor`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    pub category: String,
    /// What one asks about: an event's name, `promotion`, `price`, `temperature`, `weekday`.
    pub driver: String,
    /// `event`, `class` of events, `promotion`, `price`, `weather` or `season`.
    pub kind: &'static str,
    /// Which step of it: `during`, `20% off`, `5 degrees colder, below 5 °C`.
    pub what: String,
    pub factor: f64,
    /// Ends of the 90% interval, where it can be had from those of the regressors.
    pub low: Option<f64>,
    pub high: Option<f64>,
    pub note: String,
}

/// Depths that a promotion's effect is told for.
const DEPTHS: [f64; 3] = [0.1, 0.2, 0.3];
const PRICE_STEP: f64 = 0.1;
/// The regressors of weather are in tens of degrees.
const FIVE_DEGREES: f64 = 0.5;
const RAIN_MM: f64 = 10.0;
const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const YEAR_DAYS: i32 = 365;

/// A logarithm with the ends of its interval.
#[derive(Clone, Copy, Default)]
struct Log {
    at: f64,
    low: f64,
    high: f64,
}

impl Log {
    fn of(row: &EffectRow) -> Log {
        Log { at: row.log_effect, low: row.low, high: row.high }
    }

    fn times(self, units: f64) -> Log {
        let (a, b) = (units * self.low, units * self.high);
        Log { at: units * self.at, low: a.min(b), high: a.max(b) }
    }

    /// The interval of a sum is no wider than both together, whatever their correlation.
    fn plus(self, other: Log) -> Log {
        Log { at: self.at + other.at, low: self.low + other.low, high: self.high + other.high }
    }
}

/// Regressors of one category by name.
type Known<'a> = BTreeMap<&'a str, &'a EffectRow>;

/// Effects by category, the strongest driver of each first.
pub fn answers(rows: &[EffectRow]) -> Vec<Answer> {
    let mut categories: BTreeMap<&str, Known> = BTreeMap::new();
    for row in rows {
        categories.entry(&row.category).or_default().insert(&row.regressor, row);
    }
    let mut all = Vec::new();
    for (category, known) in categories {
        let mut book = Book { category, answers: Vec::new() };
        book.events(&known);
        book.promotions(&known);
        book.price(&known);
        book.weather(&known);
        book.weekdays(&known);
        book.year(&known);
        book.others(&known);
        all.extend(book.by_strength());
    }
    all
}

struct Book<'a> {
    category: &'a str,
    answers: Vec<Answer>,
}

impl Book<'_> {
    fn say(&mut self, (driver, kind): (&str, &'static str), what: String, log: Log, note: &str) {
        self.point((driver, kind), what, log.at.exp(), note);
        if let Some(answer) = self.answers.last_mut() {
            (answer.low, answer.high) = (Some(log.low.exp()), Some(log.high.exp()));
        }
    }

    /// Without an interval.
    fn point(&mut self, (driver, kind): (&str, &'static str), what: String, at: f64, note: &str) {
        self.answers.push(Answer {
            category: self.category.to_owned(),
            driver: driver.to_owned(),
            kind,
            what,
            factor: at,
            low: None,
            high: None,
            note: note.to_owned(),
        });
    }

    fn events(&mut self, known: &Known) {
        // Days in their order, not in that of the alphabet.
        let parts = [
            ("before", "the day before", "less on earlier days"),
            ("during", "during", ""),
            ("after", "the day after", "less on later days"),
        ];
        let mut names: Vec<(&str, &'static str)> = Vec::new();
        for regressor in known.keys() {
            let named = regressor
                .strip_prefix("event:")
                .map(|rest| (rest, "event"))
                .or_else(|| regressor.strip_prefix("class:").map(|rest| (rest, "class")));
            let Some((name, kind)) =
                named.and_then(|(rest, kind)| rest.rsplit_once(':').map(|(name, _)| (name, kind)))
            else {
                continue;
            };
            if !names.contains(&(name, kind)) {
                names.push((name, kind));
            }
        }
        for (name, kind) in names {
            for (part, what, note) in parts {
                let Some(row) = known.get(format!("{kind}:{name}:{part}").as_str()) else {
                    continue;
                };
                let (driver, what) = match kind {
                    "class" => (format!("any {name}"), format!("{what}, if it is new")),
                    _ => (name.to_owned(), what.to_owned()),
                };
                let seen = match (kind, row.occurrences) {
                    ("class", _) => String::new(),
                    (_, 0) => "not seen yet: as its class".to_owned(),
                    (_, 1) => "seen once".to_owned(),
                    (_, times) => format!("seen {times} times"),
                };
                let notes: Vec<&str> =
                    [note, &seen].into_iter().filter(|note| !note.is_empty()).collect();
                self.say((&driver, kind), what, Log::of(row), &notes.join("; "));
            }
        }
    }

    fn promotions(&mut self, known: &Known) {
        let subject = ("promotion", "promotion");
        let log = |name: &str| known.get(name).map(|row| Log::of(row));
        let (on, depth) = (log("promo:on"), log("promo:depth"));
        let note = if on.is_some() && depth.is_some() { "a cautious interval" } else { "" };
        if on.is_some() || depth.is_some() {
            for off in DEPTHS {
                let whole = on.unwrap_or_default().plus(depth.unwrap_or_default().times(off));
                self.say(subject, format!("{:.0}% off", 100.0 * off), whole, note);
            }
        }
        for (name, days) in [("promo:days-1-3-after", "1–3"), ("promo:days-4-7-after", "4–7")] {
            if let Some(after) = log(name) {
                let what = format!("{days} days after 20% off");
                self.say(subject, what, after.times(DEPTHS[1]), "");
            }
        }
        for (name, row) in known.iter().filter(|(name, _)| name.starts_with("cannibalisation:")) {
            let what = match *name {
                "cannibalisation:promo-depth-of-others" => "20% off all others of the category",
                other => other,
            };
            let log = Log::of(row).times(DEPTHS[1]);
            self.say(("cannibalisation", "promotion"), what.to_owned(), log, "");
        }
    }

    fn price(&mut self, known: &Known) {
        let Some(row) = known.get("price:log-ratio") else { return };
        let log = Log::of(row);
        let note = format!("elasticity {:.2} ({:.2} to {:.2})", log.at, log.low, log.high);
        for (change, what) in [(PRICE_STEP, "+10%"), (-PRICE_STEP, "−10%")] {
            let step = log.times((1.0 + change).ln());
            self.say(("price", "price"), what.to_owned(), step, &note);
        }
    }

    fn weather(&mut self, known: &Known) {
        let steps = [
            ("weather:cold-5-to-15", "5 degrees colder, between 15 and 5 °C", FIVE_DEGREES),
            ("weather:cold-below-5", "5 degrees colder, below 5 °C", FIVE_DEGREES),
            ("weather:hot-22-to-30", "5 degrees warmer, between 22 and 30 °C", FIVE_DEGREES),
            ("weather:hot-above-30", "5 degrees warmer, above 30 °C", FIVE_DEGREES),
            ("weather:rain", "10 mm of rain against none", (1.0 + RAIN_MM).ln()),
            ("weather:humid", "90% humidity against 70%", 2.0),
        ];
        for (name, what, units) in steps {
            let Some(row) = known.get(name) else { continue };
            let driver = match name {
                "weather:rain" => "rain",
                "weather:humid" => "humidity",
                _ => "temperature",
            };
            self.say((driver, "weather"), what.to_owned(), Log::of(row).times(units), "");
        }
    }

    /// Against the mean day of a week. The six regressors are against Sunday, and their intervals
    /// do not tell how they go together, so there is no interval here.
    fn weekdays(&mut self, known: &Known) {
        if !known.keys().any(|name| name.starts_with("weekday:")) {
            return;
        }
        let factors: Vec<f64> = (0..WEEKDAYS.len())
            .map(|day| known.get(format!("weekday:{day}").as_str()))
            .map(|row| row.map_or(1.0, |row| row.log_effect.exp()))
            .collect();
        let mean = factors.iter().sum::<f64>() / factors.len() as f64;
        for (name, factor) in WEEKDAYS.into_iter().zip(factors) {
            self.point(
                ("weekday", "season"),
                name.to_owned(),
                factor / mean,
                "against the mean day",
            );
        }
    }

    /// The crest and the trough of the year's harmonics, against its mean day.
    fn year(&mut self, known: &Known) {
        let waves: Vec<(bool, f64, f64)> = known
            .iter()
            .filter_map(|(name, row)| {
                let wave = name.strip_prefix("year:")?;
                let (sine, order) = match wave.strip_prefix("sin") {
                    Some(order) => (true, order),
                    None => (false, wave.strip_prefix("cos")?),
                };
                Some((sine, order.parse().ok()?, row.log_effect))
            })
            .collect();
        if waves.is_empty() {
            return;
        }
        let factor = |day: i32| -> f64 {
            let phase = std::f64::consts::TAU * f64::from(day) / 365.25;
            let logs = waves.iter().map(|&(sine, order, log)| {
                log * if sine { (phase * order).sin() } else { (phase * order).cos() }
            });
            logs.sum::<f64>().exp()
        };
        let days: Vec<(i32, f64)> = (1..=YEAR_DAYS).map(|day| (day, factor(day))).collect();
        let mean = days.iter().map(|day| day.1).sum::<f64>() / days.len() as f64;
        let by_factor = |a: &&(i32, f64), b: &&(i32, f64)| a.1.total_cmp(&b.1);
        let ends = [days.iter().max_by(by_factor), days.iter().min_by(by_factor)];
        for (end, name) in ends.into_iter().zip(["crest", "trough"]) {
            let Some(&(day, factor)) = end else { continue };
            // A year that begins on day 0 of the calendar's count has 365 days.
            let date = Day(day - 1).to_date().format("%-d %B");
            let what = format!("{name}, about {date}");
            self.point(("year", "season"), what, factor / mean, "against the mean day");
        }
    }

    /// What has no words of its own is told as it is.
    fn others(&mut self, known: &Known) {
        const TOLD: [&str; 8] = [
            "event:",
            "class:",
            "promo:",
            "cannibalisation:",
            "price:",
            "weekday:",
            "year:",
            "weather:",
        ];
        for (name, row) in known {
            let weather = name.starts_with("weather:")
                && !self.answers.iter().any(|answer| answer.kind == "weather");
            if weather || !TOLD.iter().any(|prefix| name.starts_with(prefix)) {
                let driver = name.split(':').next().unwrap_or(name);
                let kind = if driver == "weather" { "weather" } else { "season" };
                self.say((driver, kind), (*name).to_owned(), Log::of(row), "per unit");
            }
        }
    }

    /// The strongest driver first, each with its steps in their order.
    fn by_strength(self) -> Vec<Answer> {
        let mut strength: BTreeMap<String, f64> = BTreeMap::new();
        for answer in &self.answers {
            let size = answer.factor.ln().abs();
            let known = strength.entry(answer.driver.clone()).or_default();
            *known = known.max(size);
        }
        let mut answers = self.answers;
        answers.sort_by(|a, b| {
            let (x, y) = (strength[&a.driver], strength[&b.driver]);
            y.total_cmp(&x).then_with(|| a.driver.cmp(&b.driver))
        });
        answers
    }
}

/// `×2.31`.
pub fn factor(value: f64) -> String {
    if value >= 99.5 { format!("×{value:.0}") } else { format!("×{value:.2}") }
}

/// `1.90–2.80`, or nothing where there is no interval.
pub fn interval(answer: &Answer) -> String {
    match (answer.low, answer.high) {
        (Some(low), Some(high)) => format!("{low:.2}–{high:.2}"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(regressor: &str, log_effect: f64) -> EffectRow {
        EffectRow {
            category: "tea".to_owned(),
            regressor: regressor.to_owned(),
            log_effect,
            low: log_effect - 0.1,
            high: log_effect + 0.1,
            days: 400,
            items: 20,
            occurrences: 2,
        }
    }

    /// Driver, what, factor, low and high.
    type Want = (&'static str, &'static str, f64, Option<(f64, f64)>);

    /// The answers to some regressors.
    fn check(rows: &[(&str, f64)], want: &[Want]) {
        let rows: Vec<EffectRow> = rows.iter().map(|&(name, log)| row(name, log)).collect();
        let got = answers(&rows);
        assert_eq!(got.len(), want.len(), "{got:?}");
        for (got, &(driver, what, factor, ends)) in got.iter().zip(want) {
            assert_eq!((got.driver.as_str(), got.what.as_str()), (driver, what));
            assert!((got.factor - factor).abs() < 5e-4, "{got:?}");
            let near = |got: Option<f64>, want: Option<f64>| match (got, want) {
                (Some(got), Some(want)) => (got - want).abs() < 5e-4,
                (got, want) => got == want,
            };
            let (low, high) = (ends.map(|ends| ends.0), ends.map(|ends| ends.1));
            assert!(near(got.low, low) && near(got.high, high), "{got:?}");
        }
    }

    #[test]
    fn effects_have_words_and_units() {
        check(
            &[("event:double-11:during", 0.8), ("event:double-11:before", 0.3)],
            &[
                ("double-11", "the day before", 1.3499, Some((1.2214, 1.4918))),
                ("double-11", "during", 2.2255, Some((2.0138, 2.4596))),
            ],
        );
        check(
            &[("class:hot:during", 0.2)],
            &[("any hot", "during, if it is new", 1.2214, Some((1.1052, 1.3499)))],
        );
        // A rise of the price by a tenth at an elasticity of −1.7; the ends change places.
        check(
            &[("price:log-ratio", -1.7)],
            &[
                ("price", "+10%", 0.8504, Some((0.8424, 0.8586))),
                ("price", "−10%", 1.1961, Some((1.1836, 1.2088))),
            ],
        );
        check(
            &[("weather:cold-5-to-15", 0.16), ("weather:rain", -0.05)],
            &[
                ("rain", "10 mm of rain against none", 0.8870, Some((0.6979, 1.1274))),
                (
                    "temperature",
                    "5 degrees colder, between 15 and 5 °C",
                    1.0833,
                    Some((1.0305, 1.1388)),
                ),
            ],
        );
    }

    #[test]
    fn the_parts_of_a_promotion_go_together() {
        let rows = [row("promo:on", 0.1), row("promo:depth", 2.0)];
        let got = answers(&rows);
        let twenty = &got[1];
        assert_eq!(twenty.what, "20% off");
        assert!((twenty.factor - 0.5f64.exp()).abs() < 1e-12);
        assert!((twenty.low.expect("an interval") - 0.38f64.exp()).abs() < 1e-12);
        assert_eq!(twenty.note, "a cautious interval");
        assert_eq!(answers(&rows[1..])[1].note, "");
    }

    #[test]
    fn weekdays_are_against_the_mean_day() {
        let got = answers(&[row("weekday:5", 2f64.ln())]);
        assert_eq!(got.len(), 7);
        let mean = got.iter().map(|answer| answer.factor).sum::<f64>() / 7.0;
        assert!((mean - 1.0).abs() < 1e-12);
        assert!((got[5].factor - 2.0 * 7.0 / 8.0).abs() < 1e-12, "{:?}", got[5]);
        assert!(got.iter().all(|answer| answer.low.is_none()));
    }

    #[test]
    fn the_year_has_its_crest_where_its_waves_have() {
        let got = answers(&[row("year:sin1", 0.3)]);
        assert_eq!(got[0].what, "crest, about 1 April");
        assert_eq!(got[1].what, "trough, about 1 October");
        assert!(got[0].factor > 1.3 && got[1].factor < 0.75, "{got:?}");
    }

    #[test]
    fn nothing_that_was_learned_is_left_out() {
        let got = answers(&[row("lunar:sin", 0.1), row("weather:fog", 0.2)]);
        let told: Vec<&str> = got.iter().map(|answer| answer.what.as_str()).collect();
        assert_eq!(told, ["weather:fog", "lunar:sin"]);
    }
}
