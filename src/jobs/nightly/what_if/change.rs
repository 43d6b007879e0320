//! What is asked: another price, promotion or weather on some days of the horizon.

use granary_models::calendar::Day;

use super::super::facts::Facts;
use super::super::panel::NightPanel;
use crate::config::{Exit, Refused};
use crate::export::format::currency_decimals;

/// Beyond these the models know no difference any more.
pub const PRICE_RATIO: (f64, f64) = (0.2, 5.0);
pub const PROMO_DEPTH_MAX: f64 = 0.95;
pub const TEMPERATURE_STEP_MAX_C: f64 = 40.0;
pub const RAIN_MM_MAX: f64 = 1_000.0;

/// A price instead of the planned one, before any promotion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PriceChange {
    /// Minor units per base unit.
    To(i64),
    /// Share of the planned price: −0.1 is a tenth less.
    By(f64),
}

/// What is changed; what is `None` stays as it is planned or forecast.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Change {
    pub price: Option<PriceChange>,
    /// 0 ends a promotion.
    pub promo_depth: Option<f64>,
    /// Degrees Celsius more.
    pub temperature_step_c: Option<f64>,
    pub rain_mm: Option<f64>,
    /// First and last day of it; the whole horizon otherwise.
    pub from: Option<Day>,
    pub to: Option<Day>,
}

/// `30%`, `-10%` or `0.3`.
///
/// # Errors
/// What is neither.
pub fn share(text: &str) -> Result<f64, String> {
    let trimmed = text.trim();
    let (number, scale) = match trimmed.strip_suffix('%') {
        Some(number) => (number, 0.01),
        None => (trimmed, 1.0),
    };
    match number.trim().replace('−', "-").parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value * scale),
        _ => Err(format!("{text:?} is neither a share such as 0.3 nor a percentage such as 30%")),
    }
}

/// An amount of money in minor units.
///
/// # Errors
/// What is no amount of the currency.
pub fn minor_units(text: &str, currency: &str) -> Result<i64, String> {
    let decimals = currency_decimals(currency) as i32;
    let amount = text.trim().parse::<f64>().ok().filter(|amount| amount.is_finite());
    let minor = amount.map(|amount| amount * 10f64.powi(decimals));
    match minor.filter(|minor| (0.0..1e15).contains(minor)) {
        Some(minor) if (minor - minor.round()).abs() < 1e-6 => Ok(minor.round() as i64),
        _ => Err(format!("{text:?} is not a price in {currency}, such as 12.50")),
    }
}

fn refuse<T>(message: String) -> anyhow::Result<T> {
    Err(Refused::new(Exit::Usage, message).into())
}

impl Change {
    /// First and last day, within a horizon of `days` days from `today` on.
    pub fn days(&self, today: Day, days: usize) -> anyhow::Result<(Day, Day)> {
        let last = today + (days as i32 - 1);
        let (from, to) = (self.from.unwrap_or(today), self.to.unwrap_or(last));
        if from < today || to > last || from > to {
            return refuse(format!(
                "from {from} to {to} is not within the forecast, which goes from {today} to {last}"
            ));
        }
        Ok((from, to))
    }

    /// Whether the values are such that the models can tell what they do.
    pub fn check(&self) -> anyhow::Result<()> {
        let within = |value: f64, low: f64, high: f64| (low..=high).contains(&value);
        if let Some(depth) = self.promo_depth
            && !within(depth, 0.0, PROMO_DEPTH_MAX)
        {
            return refuse(format!("a promotion of {depth} is not within 0 and {PROMO_DEPTH_MAX}"));
        }
        if let Some(step) = self.temperature_step_c
            && !within(step, -TEMPERATURE_STEP_MAX_C, TEMPERATURE_STEP_MAX_C)
        {
            let most = TEMPERATURE_STEP_MAX_C;
            return refuse(format!("{step} degrees more are not within −{most} and {most}"));
        }
        if let Some(mm) = self.rain_mm
            && !within(mm, 0.0, RAIN_MM_MAX)
        {
            return refuse(format!("{mm} mm of rain are not within 0 and {RAIN_MM_MAX}"));
        }
        match self.price {
            Some(PriceChange::To(minor)) if minor <= 0 => {
                refuse(format!("a price of {minor} minor units is not above zero"))
            }
            Some(PriceChange::By(share)) if !share.is_finite() || share <= -1.0 => {
                refuse("a price change has to leave a price above zero".to_owned())
            }
            _ => Ok(()),
        }
    }

    pub fn is_nothing(&self) -> bool {
        let Change { price, promo_depth, temperature_step_c, rain_mm, .. } = *self;
        price.is_none()
            && promo_depth.is_none()
            && temperature_step_c.is_none()
            && rain_mm.is_none()
    }

    /// Changes the drivers of series `i` on the days `from` to `to`; gives what is to be said.
    pub fn apply(
        &self,
        facts: &Facts,
        night: &mut NightPanel,
        i: usize,
        (from, to): (Day, Day),
    ) -> anyhow::Result<Vec<String>> {
        let history = night.panel.series(i).len();
        let horizon = night.panel.driver_days(i).start + history;
        let first = horizon + (from - facts.business_date) as usize;
        let days = first..first + (to - from) as usize + 1;
        if let Some(price) = self.price {
            let ratios = &mut night.panel.price_ratio[days.clone()];
            let change: Box<dyn Fn(f32) -> f64> = match price {
                PriceChange::By(share) => Box::new(move |ratio| f64::from(ratio) * (1.0 + share)),
                PriceChange::To(minor) => {
                    let Some(usual) = night.usual_price[i] else {
                        return refuse(
                            "the item has neither a price nor sales with one: only \
                             --price-change can be told apart"
                                .to_owned(),
                        );
                    };
                    Box::new(move |_| minor as f64 / usual)
                }
            };
            for ratio in ratios {
                let changed = change(*ratio);
                if !(PRICE_RATIO.0..=PRICE_RATIO.1).contains(&changed) {
                    return refuse(format!(
                        "that is {changed:.2} times the usual price; the models know nothing \
                         beyond {} and {} times",
                        PRICE_RATIO.0, PRICE_RATIO.1
                    ));
                }
                *ratio = changed as f32;
            }
        }
        if let Some(depth) = self.promo_depth {
            night.panel.promo_depth[days].fill(depth as f32);
        }
        self.apply_weather(night, i, (from, to))
    }

    fn apply_weather(
        &self,
        night: &mut NightPanel,
        i: usize,
        (from, to): (Day, Day),
    ) -> anyhow::Result<Vec<String>> {
        let mut notes = Vec::new();
        if self.temperature_step_c.is_none() && self.rain_mm.is_none() {
            return Ok(notes);
        }
        let region = night.meta[i].weather_region as usize;
        let Some(weather) = night.regions[region].weather.as_mut() else {
            return refuse("there is no weather of this location's region".to_owned());
        };
        let at = |day: Day| usize::try_from(day - weather.start).ok();
        let (mut unknown, mut last) = (0, None);
        for day in from.until(to + 1) {
            let Some(at) = at(day) else { continue };
            if let Some(step) = self.temperature_step_c
                && let Some(celsius) = weather.temperature_c.get_mut(at)
            {
                // Where no forecast reaches the models take the climatology, and what is added to
                // that is not known here.
                if celsius.is_nan() {
                    unknown += 1;
                } else {
                    *celsius += step as f32;
                    last = Some(day);
                }
            }
            if let Some(mm) = self.rain_mm
                && let Some(rain) = weather.precipitation_mm.get_mut(at)
            {
                *rain = mm as f32;
            }
        }
        if unknown > 0 {
            let until = last.map_or("nowhere".to_owned(), |day| format!("to {day}"));
            notes.push(format!(
                "the weather forecast goes {until}; {unknown} days beyond it keep their climatology"
            ));
        }
        Ok(notes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: Change, days: usize, want: Result<(i32, i32), &str>) {
        let today = Day(20_000);
        let got = change.check().and_then(|()| change.days(today, days));
        match (got, want) {
            (Ok((from, to)), Ok(want)) => assert_eq!((from - today, to - today), want),
            (Err(error), Err(want)) => {
                let refused = error.downcast_ref::<Refused>().expect("a refusal");
                assert_eq!(refused.exit, Exit::Usage);
                assert!(format!("{error:#}").contains(want), "{error:#}");
            }
            (got, want) => panic!("{change:?}: {got:?}, not {want:?}"),
        }
    }

    #[test]
    fn only_what_can_be_forecast_is_taken() {
        let nothing = Change::default();
        let today = Day(20_000);
        check(nothing, 14, Ok((0, 13)));
        check(Change { from: Some(today + 3), to: Some(today + 3), ..nothing }, 14, Ok((3, 3)));
        let outside = "is not within the forecast, which goes from";
        check(Change { to: Some(today + 14), ..nothing }, 14, Err(outside));
        check(Change { from: Some(today + -1), ..nothing }, 14, Err(outside));
        check(Change { from: Some(today + 5), to: Some(today + 4), ..nothing }, 14, Err(outside));
        for depth in [-0.1, 0.96, f64::NAN] {
            let change = Change { promo_depth: Some(depth), ..nothing };
            check(change, 14, Err("is not within 0 and 0.95"));
        }
        check(Change { rain_mm: Some(-1.0), ..nothing }, 14, Err("mm of rain"));
        check(Change { temperature_step_c: Some(50.0), ..nothing }, 14, Err("degrees more"));
        check(Change { price: Some(PriceChange::To(0)), ..nothing }, 14, Err("above zero"));
        check(Change { price: Some(PriceChange::By(-1.0)), ..nothing }, 14, Err("above zero"));
    }

    #[test]
    fn shares_and_prices_are_read_as_people_write_them() {
        for (text, want) in [
            ("30%", Some(0.3)),
            ("-10%", Some(-0.1)),
            ("−5 %", Some(-0.05)),
            ("0.3", Some(0.3)),
            ("ten", None),
            ("nan", None),
            ("", None),
        ] {
            let got = share(text).ok();
            let same = match (got, want) {
                (Some(got), Some(want)) => (got - want).abs() < 1e-12,
                (got, want) => got == want,
            };
            assert!(same, "{text:?}: {got:?}");
        }
        for (text, currency, want) in [
            ("12.50", "CNY", Some(1250)),
            ("12", "JPY", Some(12)),
            ("12.5", "JPY", None),
            ("-1", "CNY", None),
            ("1e99", "CNY", None),
        ] {
            assert_eq!(minor_units(text, currency).ok(), want, "{text:?} {currency}");
        }
    }
}
