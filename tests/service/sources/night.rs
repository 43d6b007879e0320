//! A night pulls its sources first, and does not go on with half of its inputs.

use std::fmt::Write;

use super::home::Home;

fn home() -> Home {
    let home = Home::new();
    home.job(
        "[defaults]\nlead_time_days = 2\nreview_days = 1\nsupplier_id = \"V\"\nunit_cost_minor = 100\n\
         unit_price_minor = 200\ncurrency = \"CNY\"\n\
         [[sources]]\nname = \"sales\"\nkind = \"sales\"\nfolder = { path = \"../in/sales\", quiet_seconds = 0 }\n\
         [[sources]]\nname = \"stock\"\nkind = \"stock\"\nfolder = { path = \"../in/stock\", quiet_seconds = 0 }\n",
    );
    let mut sales = String::from("item_id,location_id,date,qty\n");
    for day in 1..=60 {
        let date = chrono::NaiveDate::from_yo_opt(2026, day).expect("a day");
        writeln!(sales, "A,S1,{date},{}", 3 + day % 4).expect("text");
    }
    home.write("in/sales/a.csv", sales);
    home.write("in/stock/a.csv", "item_id,location_id,date,on_hand\nA,S1,2026-03-01,2\n");
    home
}

#[test]
fn the_night_pulls_plans_and_remembers() {
    let home = home();
    let night = home.granary(&["--json", "run", "pulls", "--date", "2026-03-02"], &[]).expect(0);
    assert_eq!(night.report["counts"]["series"], 1, "{}", night.stdout);
    assert!(night.report["stage_ms"]["sources"].is_u64(), "{}", night.stdout);
    assert_eq!(home.sales().len(), 60);
    // The same night again: the same plan, and no file is read twice.
    home.granary(&["--json", "run", "pulls", "--date", "2026-03-02"], &[]).expect(0);
    assert_eq!(home.rows("SELECT CAST(COUNT(*) AS TEXT) FROM import_batch"), ["2"]);
    home.granary(&["doctor"], &[]);
}

#[test]
fn a_night_stops_where_a_source_does() {
    let home = home();
    home.write("in/stock/b.csv", "item_id,location_id,date,on_hand\nA,S1,2026-03-01,many\n");
    let night = home.granary(&["--json", "run", "pulls", "--date", "2026-03-02"], &[]);
    night.refused(3, &["source stock", "b.csv", "row 2", "on_hand"]);
    assert_eq!(home.rows("SELECT CAST(COUNT(*) AS TEXT) FROM run"), ["0"], "no plan");
}
