//! What the regression learned of the demo, against the effects that the demo was made with.

use std::collections::BTreeMap;

use granary::jobs::demo::{CategoryEffects, Truth};
use granary::store::{db, memory};
use granary_models::backtest::panel::EffectRow;

use super::support::Shop;

/// Shopping peaks happen online first; the demo's stores see this share of them, and this share of
/// what a price or a promotion does.
const STORE_SHARE_OF_PEAK: f64 = 0.6;
const STORE_SHARE_OF_PRICE: f64 = 0.9;
/// Half the width of an interval, in log demand, from which an effect is known to a tenth.
const KNOWN: f64 = 0.1;

/// One kind of place where an item is sold.
struct Sold {
    item_id: String,
    category: String,
    kind: String,
    region: String,
}

/// One effect over all categories.
#[derive(Default)]
struct Judged {
    got: f64,
    truth: f64,
    series: f64,
    half_width: f64,
    inside: f64,
    rows: f64,
}

async fn sold(shop: &Shop) -> Vec<Sold> {
    let sql = "SELECT DISTINCT s.item_id, i.category, l.kind, l.region, s.location_id \
               FROM sales s JOIN item i USING (item_id) JOIN location l USING (location_id) \
               ORDER BY s.item_id, s.location_id";
    let rows = db::query(sql)
        .rows(&mut shop.store.snapshot().await.expect("a snapshot"))
        .await
        .expect(sql);
    rows.iter()
        .map(|row| Sold {
            item_id: row.try_get("item_id").expect("a column"),
            category: row.try_get("category").expect("a column"),
            kind: row.try_get("kind").expect("a column"),
            region: row.try_get("region").expect("a column"),
        })
        .collect()
}

/// The true effect of a row at one place; `None` where the item has none.
fn truth_at(truth: &Truth, of: &CategoryEffects, row: &EffectRow, sold: &Sold) -> Option<f64> {
    let item = &truth.effects.items[&sold.item_id];
    let online = sold.kind == "online";
    let priced = if online { 1.0 } else { STORE_SHARE_OF_PRICE };
    let dip = -truth.effects.promo_dip_share * item.promo_uplift_per_depth;
    let parts: Vec<&str> = row.regressor.split(':').collect();
    let effect = match parts[..] {
        ["event", name, part] => {
            let response = of.events.get(name).copied().unwrap_or_default();
            let effect = match part {
                "before" => response.build_up,
                "during" => response.on_day,
                _ => response.after,
            };
            let peak = matches!(name, "double-11" | "618" | "double-12");
            if peak && !sold.region.starts_with("CN") {
                return None;
            }
            if peak && !online { STORE_SHARE_OF_PEAK * effect } else { effect }
        }
        ["promo", "on"] => 0.0,
        ["promo", "depth"] => priced * item.promo_uplift_per_depth,
        // The dip fades over seven days.
        ["promo", "days-1-3-after"] => priced * dip * 6.0 / 7.0,
        ["promo", "days-4-7-after"] => priced * dip * 2.5 / 7.0,
        ["price", _] => -priced * item.elasticity,
        ["weather", "cold-5-to-15" | "cold-below-5"] => of.weather.cold,
        ["weather", "hot-22-to-30" | "hot-above-30"] => of.weather.heat,
        ["weather", "rain"] => of.weather.rain,
        ["weather", "humid"] => of.weather.humid,
        ["cannibalisation", _] => 0.0,
        _ => return None,
    };
    Some(effect)
}

/// Log effect of the step by which people speak of a regressor: a promotion of 20%, a price that is
/// a tenth higher, five degrees.
fn step(regressor: &str) -> f64 {
    match regressor {
        "promo:depth" | "promo:days-1-3-after" | "promo:days-4-7-after" => 0.2,
        "price:log-ratio" => 1.1f64.ln(),
        "cannibalisation:promo-depth-of-others" => 0.05,
        _ if regressor.starts_with("weather:cold") || regressor.starts_with("weather:hot") => 0.5,
        _ => 1.0,
    }
}

/// Every effect by its name, uplifts averaged over the series.
pub async fn check(shop: &Shop, truth: &Truth, job: &str) {
    let mut snapshot = shop.store.snapshot().await.expect("a snapshot");
    let memory = memory::read(&mut snapshot, job, shop.config.business_date + 1, 1).await;
    drop(snapshot);
    let rows = memory.expect("the memory").expect("a refit").panel.effect_rows;
    let sold = sold(shop).await;
    let mut judged: BTreeMap<String, Judged> = BTreeMap::new();
    for row in &rows {
        let of = &truth.effects.categories[&row.category];
        let here = sold.iter().filter(|sold| sold.category == row.category);
        let effects: Vec<f64> = here.filter_map(|sold| truth_at(truth, of, row, sold)).collect();
        if effects.is_empty() || row.regressor.starts_with("class:") {
            continue;
        }
        let series = effects.len() as f64;
        let mean = effects.iter().sum::<f64>() / series;
        let step = step(&row.regressor);
        let effect = judged.entry(row.regressor.clone()).or_default();
        effect.got += series * (step * row.log_effect).exp();
        effect.truth += series * (step * mean).exp();
        effect.half_width += series * step * (row.high - row.low) / 2.0;
        effect.series += series;
        effect.inside += f64::from(u8::from(row.low <= mean && mean <= row.high));
        effect.rows += 1.0;
    }
    let (mut inside, mut all, mut known) = (0.0, 0.0, 0);
    for (name, effect) in &judged {
        let ratio = effect.got / effect.truth;
        let half_width = effect.half_width / effect.series;
        println!(
            "{name:40} x{:.3}, true x{:.3}, ratio {ratio:.3}, +-{half_width:.3}, {} of {} inside",
            effect.got / effect.series,
            effect.truth / effect.series,
            effect.inside,
            effect.rows
        );
        inside += effect.inside;
        all += effect.rows;
        if half_width <= KNOWN {
            known += 1;
            assert!((ratio - 1.0).abs() <= 0.1, "{name}: {ratio:.3}");
        }
    }
    let coverage = inside / all;
    println!("{known} of {} effects known; {coverage:.3} of {all} intervals hold", judged.len());
    assert!((0.80..=0.97).contains(&coverage), "{coverage:.3} of {all} intervals hold the truth");
    assert!(known >= 20, "only {known} effects are known to a tenth");
}
