//! Tables to `Panel`: contiguous days per series, with what is known of each day beside its sales.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use granary_models::calendar::Day;
use granary_models::finding::{Code, Finding};
use granary_models::forecast::drivers::{EventWindow, Region, SeriesMeta, Weather};
use granary_models::series::Panel;

use super::facts::Facts;
use super::findings::Findings;
use super::prices::{PriceBook, PromotionBook};
use super::succession::Succession;
use crate::store::inputs::CalendarEvent;
use crate::store::sales::{SalesDay, SeriesSales};

/// Days of weather from which the models have a climatology of their own.
const CLIMATE_DAYS_MIN: i32 = 365;
/// Last days whose mean weather goes on where neither a forecast nor a climatology speaks.
const CARRIED_WEATHER_DAYS: usize = 7;

/// The series of a night, in key order, and the shared facts of their days.
pub struct NightPanel {
    pub panel: Panel,
    pub keys: Vec<SeriesKey>,
    pub meta: Vec<SeriesMeta>,
    /// Minor units that price ratios are measured by; unknown where no price ever was.
    pub usual_price: Vec<Option<f64>>,
    pub categories: Vec<String>,
    pub regions: Vec<Region>,
}

impl NightPanel {
    /// The series of an item: keys are sorted by it.
    pub fn series_of(&self, item: usize) -> Range<usize> {
        let from = self.keys.partition_point(|key| key.item < item);
        let to = self.keys.partition_point(|key| key.item <= item);
        from..to
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesKey {
    /// Index into `Facts::items`.
    pub item: usize,
    /// Index into `Facts::locations`.
    pub location: usize,
}

/// Where items and locations stand in the facts.
pub struct Index<'a> {
    items: HashMap<&'a str, usize>,
    locations: HashMap<&'a str, usize>,
}

impl<'a> Index<'a> {
    pub fn new(facts: &'a Facts) -> Index<'a> {
        let items = facts.items.iter().enumerate().map(|(i, item)| (item.item_id.as_str(), i));
        let locations = facts.locations.iter().enumerate();
        Index {
            items: items.collect(),
            locations: locations.map(|(i, place)| (place.location_id.as_str(), i)).collect(),
        }
    }

    pub fn item(&self, item_id: &str) -> Option<usize> {
        self.items.get(item_id).copied()
    }

    pub fn location(&self, location_id: &str) -> Option<usize> {
        self.locations.get(location_id).copied()
    }

    pub fn key(&self, item_id: &str, location_id: &str) -> Option<SeriesKey> {
        Some(SeriesKey { item: self.item(item_id)?, location: self.location(location_id)? })
    }
}

/// Builds the panel. `horizon_days` of drivers are known, or assumed, after the business date.
pub fn build(
    facts: &Facts,
    index: &Index,
    succession: &Succession,
    horizon_days: usize,
    findings: &mut Findings,
) -> NightPanel {
    let (categories, category_of) = categories(facts);
    let (regions, region_of) = regions(facts, index, horizon_days);
    let prices = PriceBook::new(facts, index);
    let promotions = PromotionBook::new(facts, index);
    let keys = series_keys(facts, index, succession);
    let sales: HashMap<SeriesKey, &SeriesSales> = facts
        .sales
        .iter()
        .filter_map(|series| Some((index.key(&series.item_id, &series.location_id)?, series)))
        .collect();
    // A feed that stops early says nothing about the days after it: they are missing, not zero.
    let fed_until = facts.last_sales_day().map_or(facts.business_date, |day| day + 1);

    let mut builder = Builder {
        panel: Panel { offsets: vec![0], horizon_days, ..Panel::default() },
        prices,
        promotions,
        fed_until,
        business_date: facts.business_date,
        carried_promotions: 0,
        usual_price: Vec::with_capacity(keys.len()),
    };
    let mut meta = Vec::with_capacity(keys.len());
    for key in &keys {
        let item = &facts.items[key.item];
        let days = history(*key, &sales, succession);
        builder.push(*key, item.launched_on, &days);
        meta.push(SeriesMeta {
            key: stable_hash(&item.item_id, &facts.locations[key.location].location_id),
            category: category_of[key.item],
            item: key.item as u32,
            region: region_of[key.location],
            weather_region: region_of[key.location],
            location: key.location as u32,
        });
    }
    if builder.carried_promotions > 0 {
        let detail = format!(
            "{} series end on a promotion and have none planned; it was assumed to go on",
            builder.carried_promotions
        );
        findings.night(Finding::new(Code::PromotionsCarried, detail));
    }
    let Builder { panel, usual_price, .. } = builder;
    NightPanel { panel, keys, meta, usual_price, categories, regions }
}

/// The days of a series, those of the items that it supersedes included: shoppers who asked for
/// them ask for this one.
fn history<'a>(
    key: SeriesKey,
    sales: &HashMap<SeriesKey, &'a SeriesSales>,
    succession: &Succession,
) -> Cow<'a, [SalesDay]> {
    let days_of = |item: usize| {
        sales.get(&SeriesKey { item, ..key }).map_or(&[][..], |series| series.days.as_slice())
    };
    let before = succession.before(key.item);
    if before.iter().all(|&item| days_of(item).is_empty()) {
        return Cow::Borrowed(days_of(key.item));
    }
    let mut days: BTreeMap<Day, SalesDay> =
        days_of(key.item).iter().map(|day| (day.date, *day)).collect();
    for day in before.iter().flat_map(|&item| days_of(item)) {
        days.entry(day.date)
            .and_modify(|both| {
                both.qty += day.qty;
                both.returned_qty += day.returned_qty;
                both.available = both.available.max(day.available);
            })
            .or_insert(*day);
    }
    Cow::Owned(days.into_values().collect())
}

/// Sold somewhere, or offered somewhere and not sold yet.
///
/// What was superseded has no series where its successor has one: its shoppers are counted there, and
/// that it sells no more says nothing about demand.
fn series_keys(facts: &Facts, index: &Index, succession: &Succession) -> Vec<SeriesKey> {
    let sold = facts.sales.iter().map(|series| (&series.item_id, &series.location_id));
    let offered = facts
        .supply_terms
        .iter()
        .filter(|terms| {
            index.location(&terms.location_id).is_some_and(|location| {
                matches!(facts.locations[location].kind.as_str(), "store" | "online")
            })
        })
        .map(|terms| (&terms.item_id, &terms.location_id));
    let keys: BTreeSet<SeriesKey> = sold
        .chain(offered)
        .filter_map(|(item_id, location_id)| index.key(item_id, location_id))
        .collect();
    let superseded = |key: &SeriesKey| {
        let successor = succession.successor(key.item);
        successor.is_some_and(|item| keys.contains(&SeriesKey { item, ..*key }))
    };
    keys.iter().filter(|key| !superseded(key)).copied().collect()
}

fn categories(facts: &Facts) -> (Vec<String>, Vec<u32>) {
    let names: BTreeSet<&str> = facts.items.iter().map(|item| item.category.as_str()).collect();
    let number: BTreeMap<&str, u32> = names.iter().copied().zip(0..).collect();
    let of_item = facts.items.iter().map(|item| number[item.category.as_str()]).collect();
    (names.into_iter().map(str::to_owned).collect(), of_item)
}

/// One region per distinct pair of calendar region and weather region.
fn regions(facts: &Facts, index: &Index, horizon_days: usize) -> (Vec<Region>, Vec<u32>) {
    let pair = |i: usize| {
        let location = &facts.locations[i];
        (location.region.as_str(), location.weather_region.as_str())
    };
    let pairs: BTreeSet<(&str, &str)> = (0..facts.locations.len()).map(pair).collect();
    let number: BTreeMap<(&str, &str), u32> = pairs.iter().copied().zip(0..).collect();
    let of_location = (0..facts.locations.len()).map(|i| number[&pair(i)]).collect();
    let weather = weather_by_region(facts, horizon_days);
    let regions = pairs
        .iter()
        .map(|(region, weather_region)| Region {
            events: events_of(&facts.events, &|item| index.item(item), region),
            weather: weather.get(weather_region).cloned(),
        })
        .collect();
    (regions, of_location)
}

/// The rows of one event that differ in their item only are one window; an item that nobody knows
/// touches nothing, and must not turn into every item.
fn events_of(
    events: &[CalendarEvent],
    item_of: &dyn Fn(&str) -> Option<usize>,
    region: &str,
) -> Vec<EventWindow> {
    let applies =
        |event: &&CalendarEvent| event.kind != "shutdown" && region.starts_with(&event.region);
    let events: Vec<&CalendarEvent> = events.iter().filter(applies).collect();
    let same = |a: &&CalendarEvent, b: &&CalendarEvent| {
        let days = |e: &CalendarEvent| (e.starts_on, e.ends_on, e.lead_days, e.lag_days);
        let one_event = a.event_id == b.event_id && a.name == b.name && a.kind == b.kind;
        let one_place = a.region == b.region && a.category == b.category;
        let items = !a.item_id.is_empty() && !b.item_id.is_empty();
        items && one_event && one_place && days(a) == days(b)
    };
    let mut windows = Vec::new();
    for rows in events.chunk_by(same) {
        let items: Vec<u32> =
            rows.iter().filter_map(|row| Some(item_of(&row.item_id)? as u32)).collect();
        let event = rows[0];
        if items.is_empty() && !event.item_id.is_empty() {
            continue;
        }
        windows.push(EventWindow {
            name: event.name.clone(),
            class: event.kind.clone(),
            items,
            category: event.category.clone(),
            starts_on: event.starts_on,
            ends_on: event.ends_on,
            lead_days: event.lead_days,
            lag_days: event.lag_days,
        });
    }
    windows
}

fn weather_by_region(facts: &Facts, horizon_days: usize) -> HashMap<&str, Weather> {
    let end = facts.business_date + horizon_days as i32;
    let mut regions = HashMap::new();
    for rows in facts.weather.chunk_by(|a, b| a.region == b.region) {
        let start = rows[0].date;
        let days = (end - start).max(0) as usize;
        let mut weather = Weather {
            start,
            temperature_c: vec![f32::NAN; days],
            precipitation_mm: vec![f32::NAN; days],
            humidity_pct: vec![f32::NAN; days],
        };
        for row in rows {
            let day = (row.date - start) as usize;
            if day < days {
                let known = |value: Option<f64>| value.map_or(f32::NAN, |value| value as f32);
                weather.temperature_c[day] = known(row.temperature_c);
                weather.precipitation_mm[day] = known(row.precipitation_mm);
                weather.humidity_pct[day] = known(row.humidity_pct);
            }
        }
        if facts.business_date - start < CLIMATE_DAYS_MIN {
            carry_mean(&mut weather.temperature_c);
            carry_mean(&mut weather.precipitation_mm);
            carry_mean(&mut weather.humidity_pct);
        }
        regions.insert(rows[0].region.as_str(), weather);
    }
    regions
}

/// Without a year of weather there is no climate to fall back on, and a forecast that ends must not
/// throw demand back to the weather of an average day of the history, which may have been another
/// season: the mean of the last known days goes on.
fn carry_mean(values: &mut [f32]) {
    let known: Vec<f32> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    let recent = &known[known.len().saturating_sub(CARRIED_WEATHER_DAYS)..];
    if recent.is_empty() {
        return;
    }
    let mean = recent.iter().sum::<f32>() / recent.len() as f32;
    let last = values.iter().rposition(|value| !value.is_nan()).unwrap_or(0);
    values[last + 1..].fill(mean);
}

/// The first eight bytes of a digest: equal in every build and on every machine.
pub fn stable_hash(item_id: &str, location_id: &str) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(item_id.as_bytes());
    hasher.update(&[0]);
    hasher.update(location_id.as_bytes());
    let mut head = [0; 8];
    head.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(head)
}

struct Builder<'a> {
    panel: Panel,
    prices: PriceBook<'a>,
    promotions: PromotionBook,
    fed_until: Day,
    business_date: Day,
    carried_promotions: usize,
    usual_price: Vec<Option<f64>>,
}

impl Builder<'_> {
    fn push(&mut self, key: SeriesKey, launched_on: Option<Day>, days: &[SalesDay]) {
        let first_sale = days.first().map(|day| day.date);
        let start = match (first_sale, launched_on) {
            (Some(sale), Some(launch)) => sale.min(launch),
            (Some(day), None) | (None, Some(day)) => day,
            (None, None) => self.business_date,
        }
        .min(self.business_date);
        // A launch long before the history that is read would only add zeros.
        let start = first_sale.map_or(start, |sale| start.max(sale - 90));
        let history = (self.business_date - start) as usize;
        let from = self.panel.sold.len();
        self.panel.start.push(start);
        self.panel.sold.resize(from + history, 0.0);
        self.panel.available.resize(from + history, 1.0);
        for (day, date) in start.until(self.business_date).enumerate() {
            if date >= self.fed_until {
                self.panel.available[from + day] = 0.0;
            }
        }
        for day in days {
            let at = from + (day.date - start) as usize;
            self.panel.sold[at] = day.qty as f64;
            self.panel.available[at] = day.available;
        }
        self.panel.offsets.push(from + history);
        self.push_drivers(key, start, history, days);
    }

    fn push_drivers(&mut self, key: SeriesKey, start: Day, history: usize, days: &[SalesDay]) {
        let length = history + self.panel.horizon_days;
        let from = self.panel.promo_depth.len();
        self.panel.promo_depth.resize(from + length, 0.0);
        let depths = &mut self.panel.promo_depth[from..];
        self.promotions.fill(key, start, depths);
        for day in days {
            let at = (day.date - start) as usize;
            depths[at] = depths[at].max(day.promo_depth);
        }
        let fed_days = ((self.fed_until - start).max(0) as usize).min(history);
        if !self.promotions.plans(key.item) && carry_promotion(depths, fed_days) {
            self.carried_promotions += 1;
        }
        let (ratios, usual) = self.prices.ratios(key, start, length, days, depths);
        self.usual_price.push(usual);
        self.panel.price_ratio.extend_from_slice(&ratios);
    }
}

/// An upstream that reports promotions but plans none leaves the future open. Promotions run for
/// weeks, so what holds on the last day is assumed to go on: over many items the share on promotion
/// stays what it is, which neither a horizon without any nor one with everybody's mean depth would
/// give. Returns whether there was one to carry.
fn carry_promotion(depths: &mut [f32], fed_days: usize) -> bool {
    let last = fed_days.checked_sub(1).map_or(0.0, |day| depths[day]);
    if last > 0.0 {
        depths[fed_days..].fill(last);
    }
    last > 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(event_id: &str, region: &str, category: &str, item_id: &str) -> CalendarEvent {
        let day = |text: &str| text.parse().expect("a date");
        CalendarEvent {
            event_id: event_id.to_owned(),
            name: "cup".to_owned(),
            kind: "hot".to_owned(),
            region: region.to_owned(),
            category: category.to_owned(),
            supplier_id: String::new(),
            item_id: item_id.to_owned(),
            starts_on: day("2026-06-11"),
            ends_on: day("2026-07-19"),
            lead_days: 1,
            lag_days: 2,
        }
    }

    /// Category and items of each window of a region.
    fn check(rows: &[CalendarEvent], region: &str, want: &[(&str, &[u32])]) {
        let item_of = |item: &str| ["A", "B", "C"].iter().position(|known| *known == item);
        let windows = events_of(rows, &item_of, region);
        let got: Vec<(&str, &[u32])> =
            windows.iter().map(|window| (window.category.as_str(), &window.items[..])).collect();
        assert_eq!(got, want, "{rows:?} in {region}");
        assert!(windows.iter().all(|window| (window.lead_days, window.lag_days) == (1, 2)));
    }

    #[test]
    fn rows_of_one_event_become_one_window_of_its_items() {
        let both = [row("e", "CN", "", "A"), row("e", "CN", "", "C")];
        check(&both, "CN-SOUTH", &[("", &[0, 2])]);
        check(&both, "US", &[]);
        // Categories and items stand beside each other, and so do two events.
        let beside = [row("e", "", "", "B"), row("e", "", "tea", ""), row("f", "", "", "B")];
        check(&beside, "US", &[("", &[1]), ("tea", &[]), ("", &[1])]);
        let all = [row("e", "", "", ""), row("f", "", "", "")];
        check(&all, "US", &[("", &[]), ("", &[])]);
    }

    #[test]
    fn an_unknown_item_does_not_turn_into_every_item() {
        check(&[row("e", "", "", "Z")], "CN", &[]);
        check(&[row("e", "", "", "B"), row("e", "", "", "Z")], "CN", &[("", &[1])]);
    }
}
