//! The demo's locations and suppliers.

use super::categories::Origin;
use super::random::{Purpose, Random};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocationKind {
    Store,
    Online,
    Dc,
    Backup,
    Maker,
}

impl LocationKind {
    pub fn as_str(self) -> &'static str {
        match self {
            LocationKind::Store => "store",
            LocationKind::Online => "online",
            LocationKind::Dc => "dc",
            LocationKind::Backup => "backup",
            LocationKind::Maker => "maker",
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Location {
    pub location_id: &'static str,
    pub name: &'static str,
    pub kind: LocationKind,
    pub region: &'static str,
    pub weather_region: &'static str,
    pub latitude: f64,
    pub longitude: f64,
    /// Index of the distribution centre that fills it.
    pub dc: usize,
    /// Days of a transfer from that centre, and days between two of them.
    pub transfer_days: i32,
    pub review_days: i32,
    /// Size of its trade relative to a middling store.
    pub trade: f64,
    /// Chance that an item is on its shelves.
    pub assortment: f64,
}

pub const DC_NORTH: usize = 0;
pub const DC_SOUTH: usize = 1;
pub const BACKUP: usize = 2;
pub const MAKER: usize = 3;
/// The first of the selling locations; all later ones sell too.
pub const FIRST_SHOP: usize = 4;
pub const ONLINE: usize = 10;
pub const OUTLET: usize = 11;

const DEPOT: Location = Location {
    location_id: "",
    name: "",
    kind: LocationKind::Dc,
    region: "CN-NORTH",
    weather_region: "CN-NORTH",
    latitude: 0.0,
    longitude: 0.0,
    dc: DC_NORTH,
    transfer_days: 1,
    review_days: 1,
    trade: 0.0,
    assortment: 0.0,
};

const NORTH: Location =
    Location { kind: LocationKind::Store, trade: 1.0, assortment: 0.24, review_days: 3, ..DEPOT };
const SOUTH: Location =
    Location { region: "CN-SOUTH", weather_region: "CN-SOUTH", dc: DC_SOUTH, ..NORTH };

pub const LOCATIONS: [Location; 12] = [
    Location {
        location_id: "DC-NORTH",
        name: "Langfang distribution centre",
        latitude: 39.52,
        longitude: 116.68,
        ..DEPOT
    },
    Location {
        location_id: "DC-SOUTH",
        name: "Foshan distribution centre",
        region: "CN-SOUTH",
        weather_region: "CN-SOUTH",
        latitude: 23.02,
        longitude: 113.12,
        ..DEPOT
    },
    Location {
        location_id: "BACKUP-EAST",
        name: "Wuxi backup warehouse",
        kind: LocationKind::Backup,
        region: "CN-SOUTH",
        weather_region: "CN-SOUTH",
        latitude: 31.49,
        longitude: 120.31,
        ..DEPOT
    },
    Location {
        location_id: "MAKER-DG",
        name: "Dongguan workshop",
        kind: LocationKind::Maker,
        region: "CN-SOUTH",
        weather_region: "CN-SOUTH",
        latitude: 23.02,
        longitude: 113.75,
        ..DEPOT
    },
    Location {
        location_id: "S-BJ-01",
        name: "北京朝阳店",
        latitude: 39.92,
        longitude: 116.44,
        trade: 1.3,
        review_days: 2,
        ..NORTH
    },
    Location {
        location_id: "S-TJ-01",
        name: "天津和平店",
        latitude: 39.12,
        longitude: 117.2,
        trade: 0.9,
        ..NORTH
    },
    Location {
        location_id: "S-XA-01",
        name: "西安雁塔店",
        latitude: 34.22,
        longitude: 108.95,
        transfer_days: 3,
        review_days: 4,
        trade: 0.8,
        ..NORTH
    },
    Location {
        location_id: "S-GZ-01",
        name: "广州天河店",
        latitude: 23.13,
        longitude: 113.33,
        trade: 1.2,
        review_days: 2,
        ..SOUTH
    },
    Location {
        location_id: "S-SH-01",
        name: "上海徐汇店",
        latitude: 31.19,
        longitude: 121.44,
        transfer_days: 2,
        trade: 1.5,
        ..SOUTH
    },
    Location {
        location_id: "S-HZ-01",
        name: "杭州西湖店",
        latitude: 30.26,
        longitude: 120.13,
        transfer_days: 2,
        trade: 0.8,
        ..SOUTH
    },
    // Sells all over the country; most of its shoppers live under southern weather.
    Location {
        location_id: "ONLINE-CN",
        name: "Online shop",
        kind: LocationKind::Online,
        region: "CN",
        weather_region: "CN-SOUTH",
        latitude: 23.02,
        longitude: 113.12,
        trade: 1.8,
        assortment: 0.5,
        review_days: 1,
        ..SOUTH
    },
    Location {
        location_id: "OUT-LA-01",
        name: "Los Angeles outlet",
        region: "US-WEST",
        weather_region: "US-WEST",
        latitude: 34.05,
        longitude: -118.24,
        transfer_days: 12,
        review_days: 7,
        trade: 0.7,
        assortment: 0.1,
        ..SOUTH
    },
];

#[derive(Clone, Debug)]
pub struct Supplier {
    pub supplier_id: String,
    pub name: String,
    pub origin: Origin,
    pub promised_days: i32,
    pub review_days: i32,
    pub lead_time: LeadTime,
    /// Days before the Spring Festival on which it shuts; `None`: open all year.
    pub shuts_days_before: Option<i32>,
    /// Chance that a delivery is short, by up to a tenth.
    pub short_chance: f64,
}

/// Open days from order to receipt: promised × bias × Gamma(shape)/shape, now and then doubled.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub struct LeadTime {
    pub promised_days: i32,
    pub bias: f64,
    pub shape: f64,
    pub late_chance: f64,
}

impl LeadTime {
    pub fn draw(&self, random: &mut Random) -> i32 {
        let doubled = if random.chance(self.late_chance) { 2.0 } else { 1.0 };
        let days =
            f64::from(self.promised_days) * self.bias * random.gamma(self.shape) / self.shape;
        ((days * doubled).round() as i32).max(1)
    }
}

/// One supplier in fifteen makes to order for small batches; this is its id.
pub const MAKER_SUPPLIER: &str = "SUP-MAKER";

/// Suppliers of every origin, their number growing with the assortment.
pub fn suppliers(seed: u64, items: usize) -> Vec<Supplier> {
    let count = (items / 40).clamp(12, 50);
    let mut suppliers: Vec<Supplier> = (0..count).map(|index| supplier(seed, index)).collect();
    let mut random = Random::new(seed, Purpose::Supplier, u64::MAX);
    suppliers.push(Supplier {
        supplier_id: MAKER_SUPPLIER.to_owned(),
        name: "Dongguan small-batch workshop".to_owned(),
        origin: Origin::Domestic,
        promised_days: 7,
        review_days: 7,
        lead_time: LeadTime { promised_days: 7, bias: 1.05, shape: 20.0, late_chance: 0.02 },
        shuts_days_before: Some(random.integer(4, 8) as i32),
        short_chance: 0.0,
    });
    suppliers
}

fn supplier(seed: u64, index: usize) -> Supplier {
    let mut random = Random::new(seed, Purpose::Supplier, index as u64);
    // Twelve slots, so that the smallest demo has suppliers of every origin.
    let (origin, word) = match index % 12 {
        0 | 6 => (Origin::Chilled, "Dairy & Bakery"),
        1 => (Origin::Direct, "Farm"),
        2 | 5 | 9 => (Origin::Imported, "Trading"),
        _ => (Origin::Domestic, "Goods"),
    };
    let (promised_days, review_days, shape, late_chance) = match origin {
        Origin::Direct => (1, 1, 60.0, 0.0),
        Origin::Chilled => (random.integer(2, 3) as i32, 2, 40.0, 0.01),
        Origin::Imported => (random.integer(20, 35) as i32, 14, random.between(12.0, 40.0), 0.05),
        Origin::Domestic => (random.integer(4, 14) as i32, 7, random.between(6.0, 40.0), 0.03),
    };
    // One in five promises more than it keeps.
    let unreliable = index % 5 == 3;
    let bias = if unreliable { random.between(1.2, 1.45) } else { random.between(0.95, 1.1) };
    let shape = if unreliable { shape.min(5.0) } else { shape };
    let late_chance = if unreliable { 0.15 } else { late_chance };
    let shuts = matches!(origin, Origin::Domestic);
    Supplier {
        supplier_id: format!("SUP-{:03}", index + 1),
        name: format!("{word} Company No. {}", index + 1),
        origin,
        promised_days,
        review_days,
        lead_time: LeadTime { promised_days, bias, shape, late_chance },
        shuts_days_before: shuts.then(|| random.integer(3, 10) as i32),
        short_chance: if unreliable { 0.12 } else { 0.02 },
    }
}
