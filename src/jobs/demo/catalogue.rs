//! The demo's items: what they are, where they sell, who supplies them, what part they play.

use super::categories::{CATEGORIES, Category, DEHUMIDIFIERS, HEATING, Origin, SPARE_PARTS};
use super::places::{
    DC_NORTH, DC_SOUTH, FIRST_SHOP, LOCATIONS, MAKER_SUPPLIER, ONLINE, OUTLET, Supplier,
};
use super::random::{Purpose, Random};

/// The part an item plays in the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Regular,
    /// Sold once in a week to once in two months.
    Slow,
    /// Seldom asked for, and then by the dozen.
    Lumpy,
    /// Launched in the eight weeks before the business date.
    New,
    /// Seen and put in carts, on sale within days.
    Launching,
    /// Reserved by shoppers, not yet made.
    Presale,
    PhaseOut,
}

#[derive(Clone, Debug)]
pub struct Item {
    pub index: usize,
    pub item_id: String,
    pub name: String,
    pub category: usize,
    /// Items of one family are looked at by the same shoppers.
    pub family: usize,
    pub role: Role,
    /// First day on sale, counted from the first simulated day; 0: long on sale.
    pub launch_day: i32,
    /// Whether the item has a launch date that the upstream knows.
    pub launch_known: bool,
    /// From this day on nothing more is bought.
    pub phase_out_day: Option<i32>,
    /// ln of the settled daily mean, in smallest units, at a middling store.
    pub log_rate: f64,
    pub dispersion: f64,
    /// Mean units per sale of a lumpy item, grams per sale of a weighed one, otherwise 1.
    pub batch: f64,
    pub cost_minor: i64,
    pub price_minor: i64,
    pub shelf_life_days: Option<i32>,
    pub promo_uplift: f64,
    pub elasticity: f64,
    /// Indices of the selling locations, ascending, with ln of each one's own taste for the item.
    pub shops: Vec<(usize, f64)>,
    /// Indices of the suppliers, the usual one first.
    pub suppliers: Vec<usize>,
    pub moq: i64,
    pub case_pack: i64,
    pub inner_pack: i64,
    pub has_price_breaks: bool,
    pub in_backup: bool,
    /// How well its planner provides for it: standard deviations of safety stock, and bias.
    pub safety: f64,
    pub planner_bias: f64,
}

impl Item {
    pub fn category(&self) -> &'static Category {
        &CATEGORIES[self.category]
    }

    pub fn qty_decimals(&self) -> u32 {
        if self.category().weighed { 3 } else { 0 }
    }

    /// A quantity as files write it: in base units, `20.890` for as many grams.
    pub fn shown(&self, qty: i64) -> Shown {
        Shown { qty, decimals: self.qty_decimals() as usize }
    }

    /// Smallest units in one base_uom.
    pub fn scale(&self) -> f64 {
        f64::from(10u32.pow(self.qty_decimals()))
    }

    pub fn is_direct(&self) -> bool {
        self.category().origin == Origin::Direct
    }

    /// The distribution centres that stock the item.
    pub fn centres(&self) -> Vec<usize> {
        if self.is_direct() {
            return Vec::new();
        }
        let serves = |dc: usize| self.shops.iter().any(|&(shop, _)| LOCATIONS[shop].dc == dc);
        [DC_NORTH, DC_SOUTH].into_iter().filter(|&dc| serves(dc)).collect()
    }

    /// [min_qty, unit cost] from small to large, as in `supply_terms.price_breaks`.
    pub fn price_breaks(&self) -> Vec<(i64, i64)> {
        if !self.has_price_breaks {
            return Vec::new();
        }
        let cost = |share: i64| (self.cost_minor * share / 100).max(1);
        vec![(1, self.cost_minor), (4 * self.moq, cost(96)), (12 * self.moq, cost(91))]
    }

    pub fn unit_cost_minor(&self, qty: i64) -> i64 {
        let breaks = self.price_breaks();
        let tier = breaks.iter().rev().find(|(min_qty, _)| qty >= *min_qty);
        tier.map_or(self.cost_minor, |(_, cost)| *cost)
    }
}

/// `count` items over a history of `days` days.
pub fn items(seed: u64, count: usize, days: usize, suppliers: &[Supplier]) -> Vec<Item> {
    let categories = assign_categories(count);
    let roles = assign_roles(seed, &categories);
    let families = family_rates(seed, count);
    (0..count)
        .map(|index| {
            let mut random = Random::new(seed, Purpose::Catalogue, 1 + index as u64);
            let mut item = base_item(index, categories[index], roles[index], &mut random);
            settle_rate(&mut item, &families, &mut random);
            choose_shops(&mut item, &mut random);
            choose_launch(&mut item, days as i32, &mut random);
            choose_supply(&mut item, suppliers, &mut random);
            item
        })
        .collect()
}

/// One item of every category first, then always the category furthest below its share.
fn assign_categories(count: usize) -> Vec<usize> {
    let total: f64 = CATEGORIES.iter().map(|category| category.share).sum();
    let mut have = vec![0.0; CATEGORIES.len()];
    (0..count)
        .map(|index| {
            let lack = |c: usize| CATEGORIES[c].share / total * (index + 1) as f64 - have[c];
            let chosen = if index < CATEGORIES.len() {
                index
            } else {
                (0..CATEGORIES.len()).max_by(|&a, &b| lack(a).total_cmp(&lack(b))).unwrap_or(0)
            };
            have[chosen] += 1.0;
            chosen
        })
        .collect()
}

/// Special parts go to durable goods outside the weather's reach, and never to the first item of a
/// category, so that every category keeps one with a full history.
fn assign_roles(seed: u64, categories: &[usize]) -> Vec<Role> {
    let mut roles = vec![Role::Regular; categories.len()];
    let mut free: Vec<usize> = (CATEGORIES.len()..categories.len())
        .filter(|&index| {
            let category = &CATEGORIES[categories[index]];
            category.shelf_life_days.is_none()
                && ![DEHUMIDIFIERS, HEATING, SPARE_PARTS].contains(&category.name)
        })
        .collect();
    let mut random = Random::new(seed, Purpose::Catalogue, 0);
    for last in (1..free.len()).rev() {
        free.swap(last, random.integer(0, last as i64) as usize);
    }
    let share = |least: usize, of_thousand: usize| least.max(categories.len() * of_thousand / 1000);
    let parts = [
        (Role::Presale, share(2, 3)),
        (Role::Launching, share(2, 4)),
        (Role::New, share(3, 30)),
        (Role::Lumpy, share(3, 20)),
        (Role::PhaseOut, share(1, 10)),
        (Role::Slow, share(5, 220)),
    ];
    let mut free = free.into_iter();
    for (role, count) in parts {
        free.by_ref().take(count).for_each(|index| roles[index] = role);
    }
    roles
}

/// Items per family, on average.
const FAMILY_SIZE: usize = 8;

/// ln of every family's rate over its category's median, by category.
fn family_rates(seed: u64, count: usize) -> Vec<Vec<f64>> {
    let total: f64 = CATEGORIES.iter().map(|category| category.share).sum();
    let mut random = Random::new(seed, Purpose::Catalogue, u64::MAX);
    CATEGORIES
        .iter()
        .map(|category| {
            let members = category.share / total * count as f64;
            let families = (members / FAMILY_SIZE as f64).ceil().max(1.0) as usize;
            (0..families).map(|_| 0.75 * category.rate_spread * random.normal()).collect()
        })
        .collect()
}

const STYLES: [&str; 8] =
    ["Classic", "Family", "Organic", "Travel", "Premium", "Mini", "家庭装", "轻享"];

fn base_item(index: usize, category: usize, role: Role, random: &mut Random) -> Item {
    let kind = &CATEGORIES[category];
    let (low, high) = kind.price_yuan;
    let yuan = (low.ln() + (high / low).ln() * random.unit()).exp();
    let price_minor = if yuan > 20.0 {
        yuan.round() as i64 * 100 - 10
    } else {
        (yuan * 10.0).round() as i64 * 10
    };
    let cost_share = kind.cost_share * random.between(0.88, 1.1);
    // One upstream numbers some of its goods, zeros in front included, and quotes inches.
    let numbered = index % 1000 == 123 || index == 23;
    let style = STYLES[random.integer(0, STYLES.len() as i64 - 1) as usize];
    let name = if numbered {
        format!("{} 3.5\" {}, {style}", kind.name, index)
    } else {
        format!("{style} {} {index}", kind.name)
    };
    Item {
        index,
        item_id: if numbered { format!("{index:05}") } else { format!("P{index:05}") },
        name,
        category,
        family: 0,
        role,
        launch_day: 0,
        launch_known: false,
        phase_out_day: None,
        log_rate: 0.0,
        dispersion: kind.dispersion * random.log_normal(0.0, 0.3),
        batch: if kind.weighed { random.between(400.0, 1500.0) } else { 1.0 },
        cost_minor: ((price_minor as f64 * cost_share) as i64).max(1),
        price_minor,
        shelf_life_days: kind.shelf_life_days.map(|(from, to)| random.integer(from, to) as i32),
        promo_uplift: kind.promo_uplift * random.log_normal(0.0, 0.2),
        elasticity: kind.elasticity * random.log_normal(0.0, 0.2),
        shops: Vec::new(),
        suppliers: Vec::new(),
        moq: 1,
        case_pack: 1,
        inner_pack: 1,
        has_price_breaks: random.chance(0.3),
        in_backup: false,
        safety: random.between(0.7, 2.0),
        planner_bias: random.log_normal(0.03, 0.1),
    }
}

fn settle_rate(item: &mut Item, families: &[Vec<f64>], random: &mut Random) {
    let category = item.category();
    let families = &families[item.category];
    item.family = random.integer(0, families.len() as i64 - 1) as usize;
    let own = 0.55 * category.rate_spread * random.normal();
    let rate = (category.daily_rate.ln() + families[item.family] + own).exp().min(150.0);
    let rate = match item.role {
        Role::Slow => random.log_normal(0.08f64.ln(), 0.7).clamp(0.02, 0.4),
        Role::Lumpy => {
            item.batch = random.between(4.0, 15.0);
            item.batch * random.log_normal(0.05f64.ln(), 0.4).clamp(0.02, 0.12)
        }
        // What nobody would launch is not launched.
        Role::New | Role::Launching | Role::Presale => rate.max(1.0),
        Role::Regular | Role::PhaseOut => rate.max(0.02),
    };
    item.log_rate = (rate * item.scale()).ln();
}

fn choose_shops(item: &mut Item, random: &mut Random) {
    let category = item.category();
    for (shop, location) in LOCATIONS.iter().enumerate().skip(FIRST_SHOP) {
        let sells = match category.name {
            DEHUMIDIFIERS if location.weather_region != "CN-SOUTH" => false,
            HEATING if location.weather_region != "CN-NORTH" => false,
            // Nothing fresh crosses the sea or the counter of the online shop.
            _ if category.shelf_life_days.is_some() && (shop == ONLINE || shop == OUTLET) => false,
            _ => true,
        };
        let must = match item.role {
            Role::New | Role::Launching => shop == ONLINE,
            Role::Presale => shop == ONLINE,
            // The first item of a category is the demo's exhibit: on sale in the widest sense.
            _ => item.index < CATEGORIES.len() && shop != OUTLET,
        };
        let presale_elsewhere = item.role == Role::Presale && shop != ONLINE;
        let assortment = if category.shelf_life_days.is_some() {
            0.5
        } else if shop == OUTLET && item.index >= 20 && item.index < 26 {
            1.0
        } else {
            location.assortment
        };
        let chosen = random.chance(assortment) || must;
        let taste = 0.35 * random.normal();
        if sells && chosen && !presale_elsewhere {
            item.shops.push((shop, taste));
        }
    }
    if item.shops.is_empty() {
        let shops = LOCATIONS.len() - FIRST_SHOP;
        let shop = match category.name {
            HEATING => FIRST_SHOP,
            DEHUMIDIFIERS => ONLINE,
            _ => FIRST_SHOP + item.index % (shops - 2),
        };
        item.shops.push((shop, 0.0));
    }
}

fn choose_launch(item: &mut Item, days: i32, random: &mut Random) {
    let durable = item.shelf_life_days.is_none();
    let (launch_day, known) = match item.role {
        Role::New => (days - random.integer(3, 56) as i32, true),
        Role::Launching => (days + random.integer(1, 9) as i32, true),
        Role::Presale => (days + random.integer(18, 30) as i32, true),
        Role::PhaseOut => {
            item.phase_out_day = Some(days - random.integer(30, 120) as i32);
            (0, false)
        }
        // Earlier launches, from which launch curves are learned.
        _ if durable && item.index >= CATEGORIES.len() && random.chance(0.15) => {
            (random.integer(i64::from(days) / 10, i64::from(days) - 70) as i32, true)
        }
        _ => (0, false),
    };
    item.launch_day = launch_day;
    item.launch_known = known;
}

fn choose_supply(item: &mut Item, suppliers: &[Supplier], random: &mut Random) {
    let origin = item.category().origin;
    let fitting: Vec<usize> = (0..suppliers.len())
        .filter(|&s| suppliers[s].origin == origin && suppliers[s].supplier_id != MAKER_SUPPLIER)
        .collect();
    let usual = random.pick(&fitting).copied();
    let other = random.pick(&fitting).copied();
    item.suppliers.extend(usual);
    if random.chance(0.12) {
        item.suppliers.extend(other.filter(|_| other != usual));
    }
    if item.role == Role::Presale {
        let maker = suppliers.iter().position(|s| s.supplier_id == MAKER_SUPPLIER);
        item.suppliers = maker.into_iter().collect();
    }
    let weekly: f64 = item.log_rate.exp() * 7.0 * item.shops.len() as f64;
    let packs: &[i64] = match weekly {
        _ if item.category().weighed => &[5000],
        w if w < 2.0 => &[1],
        w if w < 15.0 => &[1, 2, 4, 6],
        _ => &[6, 8, 10, 12, 20, 24],
    };
    item.case_pack = random.pick(packs).copied().unwrap_or(1);
    item.inner_pack = match item.case_pack {
        5000 => 1000,
        pack if pack % 4 == 0 => pack / 4,
        pack if pack % 2 == 0 => pack / 2,
        _ => 1,
    };
    let weeks = random.between(0.3, 1.6);
    let moq = match origin {
        Origin::Direct => 0.0,
        Origin::Chilled => 0.2 * weeks * weekly,
        Origin::Imported | Origin::Domestic => weeks * weekly,
    };
    item.moq = ((moq / item.case_pack as f64).ceil() as i64).max(1) * item.case_pack;
    item.in_backup = item.shelf_life_days.is_none()
        && item.role == Role::Regular
        && (item.index % 20 == 4 || item.index == CATEGORIES.len() + 1);
}

/// A quantity in smallest units that is written in base units.
pub struct Shown {
    qty: i64,
    decimals: usize,
}

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.decimals == 0 {
            return write!(f, "{}", self.qty);
        }
        let per_base = 10i64.pow(self.decimals as u32);
        let (whole, part) = (self.qty / per_base, self.qty % per_base);
        write!(f, "{whole}.{part:0width$}", width = self.decimals)
    }
}
