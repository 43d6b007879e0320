//! Simulated weather of the demo's regions: yearly wave, persistent deviations, wet and dry spells.

use granary_models::calendar::Day as Date;

use super::categories::WeatherResponse;
use super::random::{Purpose, Random};

/// One day's weather of one region.
#[derive(Clone, Copy, Debug, Default)]
pub struct Day {
    pub temperature_c: f64,
    pub precipitation_mm: f64,
    pub humidity_pct: f64,
    pub wind_ms: f64,
}

impl Day {
    /// ln of demand's factor: cold·(15−T)⁺/10 + heat·(T−22)⁺/10 + rain·ln(1+P) + humid·(H−70)⁺/10.
    pub fn log_effect(&self, response: &WeatherResponse) -> f64 {
        response.cold * (15.0 - self.temperature_c).max(0.0) / 10.0
            + response.heat * (self.temperature_c - 22.0).max(0.0) / 10.0
            + response.rain * self.precipitation_mm.ln_1p()
            + response.humid * (self.humidity_pct - 70.0).max(0.0) / 10.0
    }

    /// As a forecast `days_ahead` days earlier would have had it: errors grow with the distance.
    fn forecast(&self, days_ahead: usize, random: &mut Random) -> Day {
        let growth = (days_ahead as f64 / 10.0).sqrt();
        let missed_or_invented = random.chance(0.25 * growth);
        let precipitation_mm = match (self.precipitation_mm > 0.0, missed_or_invented) {
            (true, true) => 0.0,
            (false, true) => 3.0 * random.gamma(1.0),
            (true, false) => self.precipitation_mm * random.log_normal(0.0, 0.6 * growth),
            (false, false) => 0.0,
        };
        Day {
            temperature_c: self.temperature_c + 3.0 * growth * random.normal(),
            precipitation_mm,
            humidity_pct: (self.humidity_pct + 8.0 * growth * random.normal()).clamp(10.0, 100.0),
            wind_ms: (self.wind_ms + growth * random.normal()).max(0.0),
        }
    }
}

/// A region's climate. The name is the `weather.region` that locations refer to.
struct Climate {
    region: &'static str,
    mean_c: f64,
    amplitude_c: f64,
    humidity_pct: f64,
    /// Chance of rain on a day that follows a dry one, by month.
    wet_after_dry: [f64; 12],
    /// Mean rain of a wet day in mm, by month.
    wet_day_mm: [f64; 12],
}

const CLIMATES: [Climate; 3] = [
    Climate {
        region: "CN-NORTH",
        mean_c: 12.5,
        amplitude_c: 15.5,
        humidity_pct: 48.0,
        wet_after_dry: [0.04, 0.05, 0.07, 0.12, 0.16, 0.25, 0.35, 0.32, 0.2, 0.12, 0.08, 0.04],
        wet_day_mm: [1.0, 1.5, 3.0, 5.0, 6.0, 9.0, 14.0, 13.0, 8.0, 5.0, 3.0, 1.0],
    },
    // The plum rains: June and the first half of July, grey and wet for weeks.
    Climate {
        region: "CN-SOUTH",
        mean_c: 18.5,
        amplitude_c: 10.5,
        humidity_pct: 68.0,
        wet_after_dry: [0.16, 0.2, 0.27, 0.28, 0.3, 0.55, 0.42, 0.3, 0.24, 0.16, 0.15, 0.13],
        wet_day_mm: [4.0, 5.0, 7.0, 9.0, 11.0, 17.0, 14.0, 12.0, 9.0, 6.0, 5.0, 4.0],
    },
    Climate {
        region: "US-WEST",
        mean_c: 18.0,
        amplitude_c: 5.5,
        humidity_pct: 62.0,
        wet_after_dry: [0.14, 0.15, 0.12, 0.07, 0.03, 0.01, 0.005, 0.005, 0.01, 0.04, 0.08, 0.12],
        wet_day_mm: [12.0, 13.0, 10.0, 6.0, 3.0, 1.0, 1.0, 1.0, 2.0, 5.0, 8.0, 10.0],
    },
];

/// Rain begets rain: chance that a wet day is followed by another, over that of a dry day.
const WET_PERSISTENCE: f64 = 1.6;

pub struct RegionWeather {
    pub region: &'static str,
    /// From the first simulated day on; the days from the business date on are the future's truth.
    pub days: Vec<Day>,
    /// What is forecast on the business date for it and the days after it.
    pub forecast: Vec<Day>,
}

/// All regions over `len` days from `start`, and the forecast made on day `today` (an index).
pub fn simulate(
    seed: u64,
    start: Date,
    len: usize,
    today: usize,
    forecast_days: usize,
) -> Vec<RegionWeather> {
    CLIMATES
        .iter()
        .enumerate()
        .map(|(index, climate)| {
            let mut random = Random::new(seed, Purpose::Weather, index as u64);
            let days = climate.simulate(start, len, &mut random);
            let upcoming = days.iter().skip(today).take(forecast_days).enumerate();
            let forecast =
                upcoming.map(|(ahead, day)| day.forecast(ahead + 1, &mut random)).collect();
            RegionWeather { region: climate.region, days, forecast }
        })
        .collect()
}

impl Climate {
    fn simulate(&self, start: Date, len: usize, random: &mut Random) -> Vec<Day> {
        let mut deviation_c = 0.0;
        let mut wet = false;
        (0..len)
            .map(|t| {
                let date = start + t as i32;
                let month = chrono::Datelike::month0(&date.to_date()) as usize;
                let mut wet_chance = self.wet_after_dry[month];
                if wet {
                    wet_chance = (wet_chance * WET_PERSISTENCE).min(0.9);
                }
                wet = random.chance(wet_chance);
                let precipitation_mm =
                    if wet { self.wet_day_mm[month] * random.gamma(0.8) / 0.8 } else { 0.0 };
                deviation_c = 0.75 * deviation_c + 1.9 * random.normal();
                // Coldest around 20 January everywhere in the northern hemisphere.
                let phase = std::f64::consts::TAU * (f64::from(date.day_of_year()) - 20.0) / 365.25;
                let temperature_c =
                    self.mean_c - self.amplitude_c * phase.cos() + deviation_c - f64::from(wet);
                let damp = if wet { 16.0 } else { 0.0 };
                let summer = 6.0 * -phase.cos();
                let humidity_pct =
                    (self.humidity_pct + damp + summer + 5.0 * random.normal()).clamp(12.0, 100.0);
                let wind_ms = 1.0 + 2.2 * random.gamma(2.0) / 2.0;
                Day { temperature_c, precipitation_mm, humidity_pct, wind_ms }
            })
            .collect()
    }
}
