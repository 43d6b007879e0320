//! The calendars that come with granary, as the models take them.

use granary_models::forecast::drivers::EventWindow;

use super::demo::{Event, shipped_events};

/// The events of a country, all years, which touch every series. `None` when there is no calendar
/// of it. `code` is two letters as in ISO 3166, in any case.
pub fn events_of_country(code: &str) -> Option<Vec<EventWindow>> {
    let shipped = shipped_events().ok()?;
    let of_country = |event: &&Event| event.region.eq_ignore_ascii_case(code.trim());
    let windows: Vec<EventWindow> = shipped.iter().filter(of_country).map(window).collect();
    (!windows.is_empty()).then_some(windows)
}

/// Codes of the countries of which there is a calendar, ascending.
pub fn countries() -> Vec<String> {
    let mut codes: Vec<String> =
        shipped_events().unwrap_or_default().into_iter().map(|event| event.region).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

fn window(event: &Event) -> EventWindow {
    EventWindow {
        name: event.name.clone(),
        class: event.kind.clone(),
        category: event.category.clone(),
        starts_on: event.starts_on,
        ends_on: event.ends_on,
        lead_days: event.lead_days,
        lag_days: event.lag_days,
        ..EventWindow::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_has_its_own_events() {
        assert_eq!(countries(), ["CN", "US"]);
        let names = |code: &str| -> Vec<String> {
            let events = events_of_country(code).expect(code);
            events.into_iter().map(|event| event.name).collect()
        };
        let (cn, us) = (names("cn"), names(" US "));
        assert!(
            cn.contains(&"spring-festival".to_owned())
                && !us.contains(&"spring-festival".to_owned())
        );
        assert!(us.contains(&"thanksgiving".to_owned()));
        assert_eq!(events_of_country("XX"), None);
        assert_eq!(events_of_country(""), None);
    }
}
