//! What the demo's shop sells, and how each category of goods answers to the calendar, the weather,
//! a promotion and a price. All answers are additive on the log of the daily mean.

use serde::{Deserialize, Serialize};

/// Where a category's goods come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Bought for the distribution centres, closed over the Spring Festival.
    Domestic,
    /// Long lead times, open all year.
    Imported,
    /// Perishable, through the distribution centres every other day.
    Chilled,
    /// Perishable and weighed, straight from a local supplier to the store.
    Direct,
}

/// Log effect per unit of each driver; see [`super::weather::Day::log_effect`].
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct WeatherResponse {
    /// Per 10 °C below 15 °C.
    pub cold: f64,
    /// Per 10 °C above 22 °C.
    pub heat: f64,
    /// Per unit of ln(1 + precipitation in mm).
    pub rain: f64,
    /// Per 10 points of relative humidity above 70.
    pub humid: f64,
}

/// Log effects of one event: on its days, at the end of its build-up, at the start of its dip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EventResponse {
    pub on_day: f64,
    pub build_up: f64,
    pub after: f64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Category {
    pub name: &'static str,
    pub department: &'static str,
    /// Share of the assortment; shares are relative.
    pub share: f64,
    /// Median of the items' daily means at one shop, in base_uom.
    pub daily_rate: f64,
    /// Standard deviation of the log of the items' daily means.
    pub rate_spread: f64,
    /// Variance = mean + dispersion × mean².
    pub dispersion: f64,
    /// Log effect of a Saturday or Sunday; Friday gets 40% of it.
    pub weekend: f64,
    /// Log amplitude of the yearly wave, and the day of the year of its crest.
    pub annual: (f64, f64),
    /// Log effect of a shopping peak such as Double-11, online.
    pub peak: f64,
    /// Log effect of the days before the Spring Festival.
    pub gift: f64,
    /// Log effect of the Labour Day and National Day weeks.
    pub outing: f64,
    /// Log effect of a tournament.
    pub hot: f64,
    /// Events that this category answers in its own way.
    pub special: &'static [(&'static str, EventResponse)],
    /// Log uplift per unit of promotion depth.
    pub promo_uplift: f64,
    /// Demand is proportional to (price / first price)^−elasticity.
    pub elasticity: f64,
    pub return_rate: f64,
    pub price_yuan: (f64, f64),
    pub cost_share: f64,
    /// Shelf life in days, both ends included; `None`: does not perish.
    pub shelf_life_days: Option<(i64, i64)>,
    pub origin: Origin,
    pub weighed: bool,
    pub weather: WeatherResponse,
    /// Days from launch to 63% of the settled rate.
    pub launch_ramp_days: f64,
    /// Extra log demand on the launch day, halving every week.
    pub launch_hype: f64,
}

const NONE: WeatherResponse = WeatherResponse { cold: 0.0, heat: 0.0, rain: 0.0, humid: 0.0 };

const PLAIN: Category = Category {
    name: "",
    department: "",
    share: 1.0,
    daily_rate: 1.5,
    rate_spread: 0.9,
    dispersion: 0.15,
    weekend: 0.3,
    annual: (0.1, 15.0),
    peak: 0.7,
    gift: 0.3,
    outing: 0.15,
    hot: 0.0,
    special: &[],
    promo_uplift: 2.2,
    elasticity: 1.6,
    return_rate: 0.01,
    price_yuan: (10.0, 60.0),
    cost_share: 0.62,
    shelf_life_days: None,
    origin: Origin::Domestic,
    weighed: false,
    weather: NONE,
    launch_ramp_days: 12.0,
    launch_hype: 0.4,
};

const fn event(on_day: f64, build_up: f64, after: f64) -> EventResponse {
    EventResponse { on_day, build_up, after }
}

/// Weather-driven goods are sold only where their weather is: see `catalogue`.
pub const DEHUMIDIFIERS: &str = "dehumidifiers";
pub const HEATING: &str = "humidifiers-heaters";
pub const UMBRELLAS: &str = "umbrellas";
pub const SPARE_PARTS: &str = "spare-parts";

pub const CATEGORIES: &[Category] = &[
    Category {
        name: "dairy",
        department: "fresh",
        share: 5.0,
        daily_rate: 8.0,
        rate_spread: 0.6,
        dispersion: 0.06,
        peak: 0.1,
        gift: 0.35,
        shelf_life_days: Some((12, 24)),
        origin: Origin::Chilled,
        return_rate: 0.002,
        price_yuan: (6.0, 40.0),
        cost_share: 0.74,
        ..PLAIN
    },
    Category {
        name: "bakery",
        department: "fresh",
        share: 3.0,
        daily_rate: 9.0,
        rate_spread: 0.5,
        dispersion: 0.08,
        weekend: 0.4,
        peak: 0.0,
        outing: 0.25,
        shelf_life_days: Some((10, 15)),
        origin: Origin::Chilled,
        return_rate: 0.001,
        price_yuan: (5.0, 30.0),
        cost_share: 0.6,
        ..PLAIN
    },
    Category {
        name: "fruit-vegetables",
        department: "fresh",
        share: 2.0,
        daily_rate: 14.0,
        rate_spread: 0.6,
        dispersion: 0.08,
        weekend: 0.35,
        peak: 0.0,
        gift: 0.45,
        shelf_life_days: Some((3, 7)),
        origin: Origin::Direct,
        weighed: true,
        return_rate: 0.0,
        price_yuan: (4.0, 30.0),
        cost_share: 0.68,
        ..PLAIN
    },
    Category {
        name: "snacks",
        department: "food",
        share: 9.0,
        daily_rate: 3.0,
        hot: 0.75,
        gift: 0.7,
        outing: 0.35,
        promo_uplift: 2.8,
        return_rate: 0.003,
        price_yuan: (5.0, 50.0),
        special: &[
            ("lantern-festival", event(0.2, 0.1, 0.0)),
            ("halloween", event(0.5, 0.4, -0.3)),
        ],
        ..PLAIN
    },
    Category {
        name: "drinks",
        department: "food",
        share: 7.0,
        daily_rate: 4.0,
        hot: 0.6,
        gift: 0.5,
        outing: 0.4,
        annual: (0.25, 205.0),
        weather: WeatherResponse { heat: 0.35, ..NONE },
        promo_uplift: 2.6,
        return_rate: 0.002,
        price_yuan: (3.0, 70.0),
        special: &[("independence-day", event(0.6, 0.5, -0.2))],
        ..PLAIN
    },
    Category {
        name: "rice-noodles",
        department: "food",
        share: 5.0,
        daily_rate: 2.5,
        gift: 0.4,
        dispersion: 0.1,
        elasticity: 1.0,
        return_rate: 0.002,
        price_yuan: (8.0, 120.0),
        cost_share: 0.78,
        ..PLAIN
    },
    Category {
        name: "festival-food",
        department: "food",
        share: 2.0,
        daily_rate: 0.7,
        gift: 0.9,
        special: &[
            ("mid-autumn", event(1.2, 1.9, -0.8)),
            ("dragon-boat", event(1.0, 1.6, -0.6)),
            ("lantern-festival", event(1.0, 1.1, -0.5)),
            ("christmas", event(0.4, 0.8, -0.4)),
        ],
        return_rate: 0.004,
        price_yuan: (25.0, 260.0),
        cost_share: 0.5,
        ..PLAIN
    },
    Category {
        name: "cleaning",
        department: "home",
        share: 7.0,
        daily_rate: 1.4,
        peak: 1.0,
        gift: 0.35,
        dispersion: 0.12,
        return_rate: 0.004,
        price_yuan: (8.0, 90.0),
        ..PLAIN
    },
    Category {
        name: "personal-care",
        department: "home",
        share: 7.0,
        daily_rate: 1.2,
        peak: 1.1,
        weekend: 0.2,
        return_rate: 0.008,
        price_yuan: (9.0, 130.0),
        ..PLAIN
    },
    Category {
        name: "cosmetics",
        department: "beauty",
        share: 7.0,
        daily_rate: 0.9,
        dispersion: 0.25,
        peak: 1.7,
        weekend: 0.15,
        promo_uplift: 3.0,
        elasticity: 2.2,
        return_rate: 0.05,
        origin: Origin::Imported,
        price_yuan: (49.0, 690.0),
        cost_share: 0.45,
        special: &[("qixi", event(0.7, 0.6, -0.3)), ("valentines-day", event(0.5, 0.5, -0.2))],
        launch_hype: 0.9,
        ..PLAIN
    },
    Category {
        name: "apparel",
        department: "fashion",
        share: 11.0,
        daily_rate: 0.6,
        dispersion: 0.3,
        annual: (0.35, 320.0),
        peak: 1.4,
        weekend: 0.4,
        promo_uplift: 2.6,
        elasticity: 2.0,
        return_rate: 0.18,
        price_yuan: (59.0, 590.0),
        cost_share: 0.4,
        weather: WeatherResponse { cold: 0.12, ..NONE },
        special: &[("black-friday", event(1.3, 0.0, -0.3))],
        launch_ramp_days: 8.0,
        launch_hype: 0.7,
        ..PLAIN
    },
    Category {
        name: "footwear",
        department: "fashion",
        share: 4.0,
        daily_rate: 0.4,
        dispersion: 0.25,
        annual: (0.2, 285.0),
        peak: 1.2,
        weekend: 0.45,
        return_rate: 0.14,
        price_yuan: (99.0, 890.0),
        cost_share: 0.45,
        origin: Origin::Imported,
        ..PLAIN
    },
    Category {
        name: "toys",
        department: "leisure",
        share: 5.0,
        daily_rate: 0.6,
        dispersion: 0.22,
        annual: (0.2, 350.0),
        weekend: 0.55,
        peak: 1.0,
        gift: 0.6,
        return_rate: 0.03,
        price_yuan: (19.0, 390.0),
        cost_share: 0.5,
        special: &[("christmas", event(0.3, 1.3, -0.6)), ("black-friday", event(1.1, 0.0, -0.2))],
        ..PLAIN
    },
    Category {
        name: "stationery",
        department: "leisure",
        share: 4.0,
        daily_rate: 0.8,
        annual: (0.55, 240.0),
        weekend: 0.1,
        return_rate: 0.006,
        price_yuan: (2.0, 60.0),
        ..PLAIN
    },
    Category {
        name: "small-appliances",
        department: "electric",
        share: 5.0,
        daily_rate: 0.3,
        dispersion: 0.25,
        peak: 1.5,
        weekend: 0.4,
        elasticity: 2.4,
        return_rate: 0.06,
        price_yuan: (79.0, 1290.0),
        cost_share: 0.7,
        special: &[("cyber-monday", event(0.9, 0.0, -0.2))],
        ..PLAIN
    },
    Category {
        name: UMBRELLAS,
        department: "home",
        share: 2.0,
        daily_rate: 0.7,
        dispersion: 0.2,
        annual: (0.05, 170.0),
        peak: 0.4,
        gift: 0.0,
        weather: WeatherResponse { rain: 0.55, ..NONE },
        return_rate: 0.01,
        price_yuan: (19.0, 159.0),
        ..PLAIN
    },
    Category {
        name: DEHUMIDIFIERS,
        department: "electric",
        share: 2.0,
        daily_rate: 0.25,
        annual: (0.6, 175.0),
        peak: 0.7,
        weather: WeatherResponse { rain: 0.22, humid: 0.3, ..NONE },
        return_rate: 0.05,
        price_yuan: (299.0, 1990.0),
        cost_share: 0.7,
        ..PLAIN
    },
    Category {
        name: HEATING,
        department: "electric",
        share: 2.5,
        daily_rate: 0.3,
        annual: (0.25, 345.0),
        peak: 0.9,
        weather: WeatherResponse { cold: 0.75, ..NONE },
        return_rate: 0.05,
        price_yuan: (89.0, 990.0),
        cost_share: 0.68,
        ..PLAIN
    },
    Category {
        name: "pet-food",
        department: "home",
        share: 3.5,
        daily_rate: 1.2,
        dispersion: 0.1,
        weekend: 0.1,
        annual: (0.03, 15.0),
        peak: 1.2,
        gift: 0.1,
        outing: 0.0,
        return_rate: 0.004,
        price_yuan: (15.0, 320.0),
        origin: Origin::Imported,
        ..PLAIN
    },
    Category {
        name: SPARE_PARTS,
        department: "electric",
        share: 4.0,
        daily_rate: 0.06,
        rate_spread: 0.6,
        dispersion: 0.0,
        weekend: 0.05,
        annual: (0.0, 0.0),
        peak: 0.3,
        gift: 0.0,
        outing: 0.0,
        promo_uplift: 0.8,
        elasticity: 0.4,
        return_rate: 0.02,
        price_yuan: (12.0, 180.0),
        ..PLAIN
    },
];

impl Category {
    /// How the category answers one event, before the channel's share of it.
    pub fn response(&self, event_name: &str) -> EventResponse {
        if let Some((_, special)) = self.special.iter().find(|(name, _)| *name == event_name) {
            return *special;
        }
        let peak = |size: f64| event(size, 0.35 * size, -0.35 * size);
        match event_name {
            "double-11" => peak(self.peak),
            "618" => peak(0.75 * self.peak),
            "double-12" => peak(0.45 * self.peak),
            "black-friday" => event(0.8 * self.peak, 0.0, -0.2 * self.peak),
            "cyber-monday" => event(0.5 * self.peak, 0.0, -0.1 * self.peak),
            // Shops run full before the feast, near empty on its days, and slow after it.
            "spring-festival" => event(0.5 * self.gift - 0.35, self.gift, -0.3 * self.gift - 0.1),
            "thanksgiving" => event(-0.3, 0.6 * self.gift, 0.0),
            "christmas" => event(-0.4, 0.8 * self.gift, -0.3),
            "labour-day" | "national-day" => event(self.outing, 0.2 * self.outing, -0.1),
            "new-year" | "qingming" | "dragon-boat" | "mid-autumn" => {
                event(0.6 * self.outing, 0.1 * self.outing, 0.0)
            }
            "independence-day" | "memorial-day" | "labor-day" => {
                event(self.outing, 0.3 * self.outing, 0.0)
            }
            HOT_EVENT => event(self.hot, 0.3 * self.hot, -0.15 * self.hot),
            _ => EventResponse::default(),
        }
    }

    pub fn weekday_effect(&self, weekday: usize) -> f64 {
        match weekday {
            4 => 0.4 * self.weekend,
            5 | 6 => self.weekend,
            _ => 0.0,
        }
    }

    pub fn annual_effect(&self, day_of_year: u32) -> f64 {
        let (amplitude, crest) = self.annual;
        amplitude * (std::f64::consts::TAU * (f64::from(day_of_year) - crest) / 365.25).cos()
    }
}

/// The tournament's name in `calendar_event`.
pub const HOT_EVENT: &str = "football-cup";

/// Shopping peaks happen online first; a shop sees this share of their log effect.
pub const STORE_SHARE_OF_PEAK: f64 = 0.6;

pub fn is_peak(event_name: &str) -> bool {
    matches!(event_name, "double-11" | "618" | "double-12")
}
