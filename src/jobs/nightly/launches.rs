//! New items: what their neighbours did, scaled by the interest that shoppers show.

use std::collections::{BTreeSet, HashMap};

use granary_models::finding::{Code, Finding};
use granary_models::forecast::demand_class::DemandClass;
use granary_models::forecast::launch::{
    Analog, DayFactors, Established, Interest, LaunchForecast, LaunchPool, NewItem,
};
use granary_models::forecast::model::SEASON_DAYS;
use granary_models::forecast::neighbours::{
    Behaviour, ItemTraits, NeighbourSettings, Neighbourhood, ShopperEvent, neighbourhoods,
};
use granary_models::forecast::sku_forecast::SkuForecast;
use granary_models::forecast::split::Split;
use granary_models::series::Series;

use super::facts::Facts;
use super::findings::Findings;
use super::panel::{Index, NightPanel};

/// Days of views and carts that count as an item's early interest.
const INTEREST_DAYS: i32 = 28;
/// A neighbour at another location says less about this one's level.
const OTHER_LOCATION_WEIGHT: f64 = 0.3;
/// After a quarter an item speaks for itself.
const LAUNCH_DAYS: i32 = 91;
/// A series that begins this long after the panel was not there before.
const SETTLED_DAYS: i32 = 28;
/// Days at the head of the horizon that stand for ordinary ones in a launch's day factors.
const ORDINARY_DAYS: usize = 7;

/// Why a new item's forecast is what it is, by series.
pub type LaunchReasons = HashMap<usize, LaunchForecast>;

/// Replaces the forecast of every new series by one from its neighbours, where there are any.
pub fn forecast_launches(
    facts: &Facts,
    index: &Index,
    night: &NightPanel,
    forecasts: &mut [SkuForecast],
    findings: &mut Findings,
) -> LaunchReasons {
    let new: Vec<usize> = (0..forecasts.len())
        .filter(|&i| forecasts[i].class == DemandClass::New && is_launch(facts, night, i))
        .collect();
    if new.is_empty() {
        return LaunchReasons::new();
    }
    let interest = interest_by_item(facts, index);
    let established: Vec<usize> = (0..forecasts.len())
        .filter(|&i| !matches!(forecasts[i].class, DemandClass::New | DemandClass::Obsolete))
        .collect();
    let pool: Vec<Established> = established
        .iter()
        .map(|&i| Established {
            launched: facts.items[night.keys[i].item].launched_on,
            history: night.panel.series(i),
            interest: interest[night.keys[i].item],
            factors: DayFactors::ORDINARY,
        })
        .collect();
    let pool = match LaunchPool::fit(&pool) {
        Ok((pool, found)) => {
            found.into_iter().for_each(|finding| findings.night(finding));
            pool
        }
        Err(error) => {
            let detail = format!("new items keep their own thin history: {error}");
            findings.night(Finding::new(Code::NoNeighbours, detail));
            return LaunchReasons::new();
        }
    };
    let neighbours = neighbours_of(facts, index, night, &new, &established, findings);
    let mut members: HashMap<usize, Vec<usize>> = HashMap::new();
    for (member, &i) in established.iter().enumerate() {
        members.entry(night.keys[i].item).or_default().push(member);
    }
    let shapes = day_shapes(night, forecasts, &established);
    let mut reasons = LaunchReasons::new();
    for &i in &new {
        let key = night.keys[i];
        let analogs = neighbours.get(&key.item).map_or_else(Vec::new, |neighbourhood| {
            analogs(neighbourhood, &members, |member| {
                night.keys[established[member]].location == key.location
            })
        });
        let sales = night.panel.series(i);
        let launched = facts.items[key.item].launched_on;
        let factors = shapes.get(&night.meta[i].category).map_or(&[][..], Vec::as_slice);
        let item = NewItem {
            launched,
            sales: if launched.is_some() { sales } else { since_first_sale(sales) },
            interest: interest[key.item],
            factors: DayFactors { start: facts.business_date, values: factors },
        };
        let horizon = forecasts[i].horizon();
        let (launch, found) = pool.forecast(&item, &analogs, facts.business_date, horizon);
        for finding in found {
            let location_id = &facts.locations[key.location].location_id;
            findings.sku(&facts.items[key.item].item_id, location_id, finding);
        }
        let before = &forecasts[i];
        let mean: Vec<f64> = launch.mean.iter().map(|&mean| f64::from(mean)).collect();
        forecasts[i] = SkuForecast {
            history_days: before.history_days,
            censored_days: before.censored_days,
            split: Split::of_path(&mean, SEASON_DAYS),
            shared: before.shared,
            ..SkuForecast::from_mean(
                before.key,
                mean,
                launch.dispersion as f32,
                launch.correlation as f32,
            )
        };
        reasons.insert(i, launch);
    }
    reasons
}

/// A series may have few days that were seen whole because it is new, or because it was mostly out of
/// stock; only the first is a launch. Where no launch date is known, one that begins with the panel
/// itself is older than it looks.
fn is_launch(facts: &Facts, night: &NightPanel, i: usize) -> bool {
    let panel_start = night.panel.start.iter().min().copied().unwrap_or(facts.business_date);
    let unsold = night.panel.series(i).sold.iter().all(|&sold| sold == 0.0);
    match facts.items[night.keys[i].item].launched_on {
        Some(launched) => unsold || facts.business_date - launched <= LAUNCH_DAYS,
        None => unsold || night.panel.start[i] - panel_start >= SETTLED_DAYS,
    }
}

/// Where no launch date is known, the days before the first sale were before the launch. Where one
/// is known, days without a sale after it are evidence.
fn since_first_sale(series: Series) -> Series {
    let first = series.sold.iter().position(|&sold| sold > 0.0).unwrap_or(series.len());
    Series {
        start: series.start + first as i32,
        sold: &series.sold[first..],
        available: &series.available[first..],
    }
}

/// Days count from the first sign of interest within the window: a day without a view is a day.
fn interest_by_item(facts: &Facts, index: &Index) -> Vec<Interest> {
    let from = facts.business_date - INTEREST_DAYS;
    let mut interest = vec![Interest::default(); facts.items.len()];
    for row in facts.behaviour.iter().filter(|row| row.date >= from) {
        let Some(item) = index.item(&row.item_id) else { continue };
        let interest = &mut interest[item];
        interest.views += row.views as f64;
        interest.carts += row.carts as f64;
        interest.favourites += row.favourites as f64;
        interest.days = interest.days.max(f64::from(facts.business_date - row.date));
    }
    interest
}

/// Neighbours of every item that has a new series, among the items that have an established one.
fn neighbours_of(
    facts: &Facts,
    index: &Index,
    night: &NightPanel,
    new: &[usize],
    established: &[usize],
    findings: &mut Findings,
) -> HashMap<usize, Neighbourhood> {
    let names: BTreeSet<&str> = facts.items.iter().map(|item| item.category.as_str()).collect();
    let number: HashMap<&str, u32> = names.into_iter().zip(0..).collect();
    let mut traits: Vec<ItemTraits> = facts
        .items
        .iter()
        .map(|item| ItemTraits {
            category: number[item.category.as_str()],
            price: item.unit_price_minor.map_or(f64::NAN, |price| price as f64),
            established: false,
        })
        .collect();
    for &i in established {
        traits[night.keys[i].item].established = true;
    }
    let mut asked: Vec<u32> = new.iter().map(|&i| night.keys[i].item as u32).collect();
    asked.dedup();
    let events = shopper_events(facts, index);
    let (found, odd) = neighbourhoods(&events, &traits, &asked, &NeighbourSettings::default());
    odd.into_iter().for_each(|finding| findings.night(finding));
    found.into_iter().map(|neighbourhood| (neighbourhood.item as usize, neighbourhood)).collect()
}

fn shopper_events(facts: &Facts, index: &Index) -> Vec<ShopperEvent> {
    let mut shopper = 0;
    let mut last = "";
    let mut events = Vec::with_capacity(facts.event_log.len());
    for row in &facts.event_log {
        if row.shopper_hash != last {
            shopper += 1;
            last = &row.shopper_hash;
        }
        let event = match row.event.as_str() {
            "view" => Behaviour::View,
            "favourite" => Behaviour::Favourite,
            "cart" => Behaviour::Cart,
            _ => Behaviour::Buy,
        };
        if let Some(item) = index.item(&row.item_id) {
            events.push(ShopperEvent { shopper, item: item as u32, event, day: row.date });
        }
    }
    events
}

/// Neighbouring items as members of the pool: their series at the same location where there is
/// one, at the others for less.
fn analogs(
    neighbourhood: &Neighbourhood,
    members: &HashMap<usize, Vec<usize>>,
    same_location: impl Fn(usize) -> bool,
) -> Vec<Analog> {
    let mut analogs = Vec::new();
    for neighbour in &neighbourhood.neighbours {
        let Some(series) = members.get(&(neighbour.item as usize)) else { continue };
        if let Some(&here) = series.iter().find(|&&member| same_location(member)) {
            analogs.push(Analog { established: here, weight: neighbour.weight });
            continue;
        }
        let weight = OTHER_LOCATION_WEIGHT * neighbour.weight / series.len() as f64;
        analogs.extend(series.iter().map(|&established| Analog { established, weight }));
    }
    analogs
}

/// How the established items of each category move over the horizon, against its first days.
fn day_shapes(
    night: &NightPanel,
    forecasts: &[SkuForecast],
    established: &[usize],
) -> HashMap<u32, Vec<f32>> {
    let mut shapes: HashMap<u32, Vec<f32>> = HashMap::new();
    for &i in established {
        let mean = &forecasts[i].mean;
        let shape = shapes.entry(night.meta[i].category).or_insert_with(|| vec![0.0; mean.len()]);
        shape.iter_mut().zip(mean).for_each(|(sum, mean)| *sum += *mean as f32);
    }
    for shape in shapes.values_mut() {
        let head = shape.len().min(ORDINARY_DAYS);
        let ordinary = shape[..head].iter().sum::<f32>() / head.max(1) as f32;
        if ordinary > 0.0 {
            shape.iter_mut().for_each(|factor| *factor /= ordinary);
        } else {
            shape.fill(1.0);
        }
    }
    shapes
}
