//! A plan of a few hundred lines in a temporary database.

use granary::store::{Store, db};
use tempfile::TempDir;

use crate::database;

/// What a hostile upstream could call an item.
pub const HOSTILE: &str = "<script>alert(\"x\")</script>";
pub const FORMULA: &str = "=HYPERLINK(\"http://example.invalid\")";
pub const LINES: i64 = 260;

pub struct Fixture {
    pub store: Store,
    pub folder: TempDir,
    /// As `--db` takes it.
    pub address: String,
}

pub async fn empty() -> Fixture {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let address = database::address(folder.path()).await;
    let store = database::open(&address).await;
    Fixture { store, folder, address }
}

pub async fn with_plan() -> Fixture {
    let fixture = empty().await;
    for statement in [
        "INSERT INTO location (location_id, name, region) VALUES ('S1', '上海一店', 'CN-EAST')",
        "INSERT INTO supplier (supplier_id, name) VALUES ('V1', 'Green & Sons')",
        "INSERT INTO run VALUES ('nightly@2025-10-20', 'nightly', '2025-10-20', 'published', '', \
         'c', 'i', 'p', 1, '0', '{}')",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 260) \
         INSERT INTO item (item_id, name, base_uom, qty_decimals, currency) \
         SELECT substr(CAST(100000 + i AS TEXT), 2), 'Item ' || i, 'kg', 3, 'CNY' FROM n",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 260) \
         INSERT INTO reorder_line (run_id, line_key, kind, state, item_id, supplier_id, \
         source_location_id, location_id, qty, order_qty, order_uom, unit_cost_minor, currency, \
         order_on, expected_on, need_on, priority, expected_value_minor, reason, held_because) \
         SELECT 'nightly@2025-10-20', 'k/' || i, 'purchase', \
         CASE WHEN i % 50 = 0 THEN 'held' ELSE 'proposed' END, substr(CAST(100000 + i AS TEXT), 2), 'V1', '', 'S1', \
         i * 1500, i, 'case', 1234, 'CNY', '2025-10-20', '2025-10-27', '2025-10-25', i, \
         5000 - 20 * i, '{\"steps\":[{\"step\":\"final\",\"text\":\"ordered\",\"value\":1500}]}', \
         CASE WHEN i % 50 = 0 THEN 'line_quantity' ELSE '' END FROM n",
        "INSERT INTO finding VALUES ('nightly@2025-10-20', 1, 'warning', 'all_censored', '00001', \
         'S1', 'never in stock', 3)",
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 27) \
         INSERT INTO forecast SELECT 'nightly@2025-10-20', '00001', 'S1', \
         CASE WHEN i < 12 THEN '2025-10-' || (20 + i) \
         ELSE '2025-11-' || substr(CAST(89 + i AS TEXT), 2) END, 10.5, 1, 2, 3, 5, 10, 15, 20, 25, 30 FROM n",
        "INSERT INTO forecast_series (run_id, item_id, location_id, demand_class, model, \
         history_days, censored_days, daily_mean, dispersion, correlation, components) VALUES \
         ('nightly@2025-10-20', '00001', 'S1', 'smooth', 'ets', 100, 4, 10.5, 0.2, 0.1, \
         '{\"split\":{\"season\":[0.5,-1.5],\"events\":[{\"name\":\"<script>alert(1)</script>\",\
         \"from\":1,\"units\":[2.5]}]}}')",
        "INSERT INTO sales (item_id, location_id, date, qty, available_fraction) VALUES \
         ('00001', 'S1', '2025-10-10', 3000, 1), ('00001', 'S1', '2025-10-13', 500, 0.25)",
        "INSERT INTO stock_projection VALUES ('nightly@2025-10-20', '00001', 'S1', \
         '{\"from\":\"2025-10-20\",\"p10\":[1,0],\"p50\":[2,1],\"p90\":[3,2],\
         \"p50_without\":[2,-1],\"receipts\":[[1,5]]}')",
    ] {
        fixture.store.execute(db::query(statement)).await.expect(statement);
    }
    for (item, name) in [("00001", HOSTILE), ("00002", FORMULA)] {
        let update = db::query("UPDATE item SET name = $1 WHERE item_id = $2");
        let update = update.bind(name).bind(item);
        fixture.store.execute(update).await.expect("an item of the fixture");
    }
    fixture
}
