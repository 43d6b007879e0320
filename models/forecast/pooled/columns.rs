//! Which column of the regression is what.

/// Six weekdays against Sunday.
pub const WEEKDAY: usize = 0;
/// Sine and cosine of so many harmonics of the solar year.
pub const ANNUAL: usize = 6;
pub const ANNUAL_COLUMNS: usize = 6;
/// On, depth, and the depth of the promotion that ended 1–3 and 4–7 days ago.
pub const PROMO: usize = ANNUAL + ANNUAL_COLUMNS;
pub const PRICE: usize = PROMO + 4;
/// Mean promotion depth of the category's other items at the same place.
pub const RIVALS: usize = PRICE + 1;
pub const WEATHER: usize = RIVALS + 1;
pub const WEATHER_COLUMNS: usize = 6;
pub const EVENTS: usize = WEATHER + WEATHER_COLUMNS;
/// Before, during and after, then how the days before and after bend away from a straight fade.
pub const COLUMNS_PER_EVENT: usize = 5;
pub const EVENT_PARTS: [&str; COLUMNS_PER_EVENT] =
    ["before", "during", "after", "before-bend", "after-bend"];
/// Parts up to here are effects of a day; the rest are shapes between such days.
pub const EVENT_EFFECTS: usize = 3;
/// Standard deviation of the weak prior that keeps what the days do not tell solvable, in general
/// and of a bend, which is believed to be small.
const WEAK_PRIOR_SD: f64 = 1.0;
const BEND_PRIOR_SD: f64 = 0.3;

const PROMO_NAMES: [&str; 4] =
    ["promo:on", "promo:depth", "promo:days-1-3-after", "promo:days-4-7-after"];
const WEATHER_NAMES: [&str; WEATHER_COLUMNS] = [
    "weather:cold-5-to-15",
    "weather:cold-below-5",
    "weather:hot-22-to-30",
    "weather:hot-above-30",
    "weather:rain",
    "weather:humid",
];

/// What an effect belongs to when a forecast is explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Season,
    Promo,
    Price,
    Weather,
    Events,
}

pub fn group(column: usize) -> Group {
    match column {
        0..PROMO => Group::Season,
        PROMO..PRICE | RIVALS => Group::Promo,
        PRICE => Group::Price,
        WEATHER..EVENTS => Group::Weather,
        _ => Group::Events,
    }
}

/// Which event, counted among the names, and which part of it.
pub fn event_part(column: usize) -> Option<(usize, usize)> {
    let from = column.checked_sub(EVENTS)?;
    Some((from / COLUMNS_PER_EVENT, from % COLUMNS_PER_EVENT))
}

/// Precision of the weak prior of each column, given the residual scale.
pub fn weak_precision(columns: usize, scale: f64) -> Vec<f64> {
    let is_bend = |j| event_part(j).is_some_and(|(_, part)| part >= EVENT_EFFECTS);
    let sd = |j| if is_bend(j) { BEND_PRIOR_SD } else { WEAK_PRIOR_SD };
    (0..columns).map(|j| scale / (sd(j) * sd(j))).collect()
}

/// Whether all series of a place have the same value on a day, so that what else happened to all of
/// them that day is mistaken for the column's effect.
pub fn is_common(column: usize) -> bool {
    !(PROMO..RIVALS).contains(&column)
}

/// A column's name for people: `weekday:0`, `promo:depth`, `event:spring-festival:before`.
pub fn name(column: usize, event_names: &[String]) -> String {
    match column {
        0..ANNUAL => format!("weekday:{column}"),
        ANNUAL..PROMO => {
            let wave = ["sin", "cos"][(column - ANNUAL) % 2];
            format!("year:{wave}{}", (column - ANNUAL) / 2 + 1)
        }
        PROMO..PRICE => PROMO_NAMES[column - PROMO].to_owned(),
        PRICE => "price:log-ratio".to_owned(),
        RIVALS => "cannibalisation:promo-depth-of-others".to_owned(),
        WEATHER..EVENTS => WEATHER_NAMES[column - WEATHER].to_owned(),
        _ => {
            let from = column - EVENTS;
            let (event, part) = (from / COLUMNS_PER_EVENT, from % COLUMNS_PER_EVENT);
            format!("event:{}:{}", event_names[event], EVENT_PARTS[part])
        }
    }
}
