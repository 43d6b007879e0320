//! Limits as a job's file gives them.

use granary_models::plan::limits::{Budget, Capacity, Container, PlanLimits, SupplierRule};

fn budget() -> Budget {
    Budget { currency: "EUR".to_owned(), amount_minor: 100, supplier_id: None, category: None }
}

fn supplier() -> SupplierRule {
    SupplierRule { supplier_id: "S".to_owned(), currency: "EUR".to_owned(), ..Default::default() }
}

fn container() -> Container {
    let holds = Capacity { weight_g: Some(1), ..Capacity::default() };
    Container { holds, ..Container::default() }
}

#[test]
fn a_setting_that_cannot_be_meant_is_named_with_its_value_and_range() {
    let budgets = |budgets: Vec<Budget>| PlanLimits { budgets, ..PlanLimits::default() };
    let rule = |rule: SupplierRule| PlanLimits { suppliers: vec![rule], ..PlanLimits::default() };
    let share = |share| PlanLimits {
        hysteresis: granary_models::plan::hysteresis::Hysteresis {
            min_value_share: share,
            ..Default::default()
        },
        ..PlanLimits::default()
    };
    let full = |share| Some(Container { min_fill_share: share, ..container() });
    let empty = Some(Container { holds: Capacity::default(), ..container() });
    let none = Capacity { units: Some(0), ..Capacity::default() };
    for (limits, said) in [
        (
            budgets(vec![Budget { amount_minor: -1, ..budget() }]),
            "budgets[0].amount_minor should be in [0, inf), but is -1",
        ),
        (
            budgets(vec![budget(), Budget { currency: "euro".to_owned(), ..budget() }]),
            "budgets[1].currency should be a currency code of three capitals, but is \"euro\"",
        ),
        (
            budgets(vec![Budget { category: Some(String::new()), ..budget() }]),
            "budgets[0].category should be left out or not empty, but is \"\"",
        ),
        (
            budgets(vec![budget(), budget()]),
            "budgets[1] should be the only one for its currency, supplier and category, but is \
             the second",
        ),
        (
            rule(SupplierRule { supplier_id: String::new(), ..supplier() }),
            "suppliers[0].supplier_id should be not empty, but is \"\"",
        ),
        (
            rule(SupplierRule { min_order_value_minor: 5, currency: String::new(), ..supplier() }),
            "suppliers[0].currency should be a currency code of three capitals, but is \"\"",
        ),
        (
            rule(SupplierRule { capacity: none, ..supplier() }),
            "suppliers[0].capacity.units should be in [1, inf), but is 0",
        ),
        (
            rule(SupplierRule { container: empty, ..supplier() }),
            "suppliers[0].container.holds should be units, packs, weight_g or volume_ml, but is \
             nothing",
        ),
        (
            rule(SupplierRule { container: full(1.5), ..supplier() }),
            "suppliers[0].container.min_fill_share should be in [0, 1], but is 1.5",
        ),
        (
            PlanLimits { suppliers: vec![supplier(), supplier()], ..PlanLimits::default() },
            "suppliers[1].supplier_id should be named once, but is \"S\" again",
        ),
        (share(f64::NAN), "hysteresis.min_value_share should be in [0, 1], but is NaN"),
    ] {
        assert_eq!(limits.check().expect_err(said).to_string(), said);
    }
}

#[test]
fn a_file_says_only_what_it_limits() {
    let text = r#"{
        "budgets": [{"currency": "EUR", "amount_minor": 500000},
                    {"currency": "USD", "amount_minor": 100, "supplier_id": "S", "category": "tea"}],
        "suppliers": [{"supplier_id": "S", "currency": "EUR", "min_order_value_minor": 25000,
                       "capacity": {"units": 400},
                       "container": {"holds": {"weight_g": 20000000}, "fixed_cost_minor": 90000}}],
        "hysteresis": {"min_value_share": 0.02}
    }"#;
    let limits: PlanLimits = serde_json::from_str(text).expect("legal");
    limits.check().expect("legal");
    assert_eq!(limits.suppliers[0].capacity.units, Some(400));
    assert_eq!(limits.suppliers[0].min_order_units, 0);
    assert!(!limits.is_neutral() && PlanLimits::default().is_neutral());
    let odd = serde_json::from_str::<PlanLimits>(r#"{"budgets": [{"amount": 5}]}"#);
    assert!(odd.expect_err("an unknown field").to_string().contains("unknown field `amount`"));
}
