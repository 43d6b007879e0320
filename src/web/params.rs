//! What the address of the plan's page asks for.

use serde::Deserialize;

use super::render::url_part;
use crate::store::read::lines::{LineQuery, Sort};
use crate::store::read::runs::RunChoice;

pub const PAGE_SIZES: [i64; 4] = [25, 50, 100, 200];
const DEFAULT_PAGE_SIZE: i64 = 50;

/// Every field is text: a value that makes no sense is ignored, not an error page.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct PlanParams {
    pub run: String,
    pub job: String,
    pub date: String,
    pub q: String,
    pub kind: String,
    pub state: String,
    pub held: String,
    pub supplier: String,
    pub location: String,
    pub sort: String,
    pub order: String,
    pub page: String,
    pub per_page: String,
}

fn given(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

impl PlanParams {
    pub fn choice(&self) -> RunChoice {
        RunChoice {
            run_id: given(&self.run),
            job: given(&self.job),
            date: self.date.trim().parse().ok(),
        }
    }

    pub fn sort(&self) -> Sort {
        Sort::parse(&self.sort).unwrap_or_default()
    }

    pub fn descending(&self) -> bool {
        self.order == "desc"
    }

    pub fn page_size(&self) -> i64 {
        self.per_page
            .parse()
            .ok()
            .filter(|size| PAGE_SIZES.contains(size))
            .unwrap_or(DEFAULT_PAGE_SIZE)
    }

    /// From 1.
    pub fn page(&self) -> i64 {
        self.page.parse().ok().filter(|&page| (1..=1_000_000).contains(&page)).unwrap_or(1)
    }

    pub fn query(&self, run_id: &str) -> LineQuery {
        LineQuery {
            text: given(&self.q),
            kind: given(&self.kind),
            state: given(&self.state),
            held_because: given(&self.held),
            supplier_id: given(&self.supplier),
            location_id: given(&self.location),
            sort: self.sort(),
            descending: self.descending(),
            limit: Some(self.page_size()),
            offset: (self.page() - 1) * self.page_size(),
            ..LineQuery::of_run(run_id)
        }
    }

    /// The same address with some fields changed; empty fields are left out.
    pub fn link(&self, changes: &[(&str, &str)]) -> String {
        let fields = [
            ("run", &self.run),
            ("job", &self.job),
            ("date", &self.date),
            ("q", &self.q),
            ("kind", &self.kind),
            ("state", &self.state),
            ("held", &self.held),
            ("supplier", &self.supplier),
            ("location", &self.location),
            ("sort", &self.sort),
            ("order", &self.order),
            ("page", &self.page),
            ("per_page", &self.per_page),
        ];
        let pairs: Vec<String> = fields
            .into_iter()
            .filter_map(|(name, value)| {
                let change = changes.iter().find(|(changed, _)| *changed == name);
                let value = change.map_or(value.as_str(), |&(_, value)| value);
                (!value.is_empty()).then(|| format!("{name}={}", url_part(value)))
            })
            .collect();
        if pairs.is_empty() { "/".to_owned() } else { format!("/?{}", pairs.join("&")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senseless_values_are_ignored() {
        for (page, per_page, offset, limit) in
            [("", "", 0, 50), ("3", "25", 50, 25), ("-1", "7", 0, 50), ("x", "1e9", 0, 50)]
        {
            let params =
                PlanParams { page: page.into(), per_page: per_page.into(), ..Default::default() };
            let query = params.query("r");
            assert_eq!((query.offset, query.limit), (offset, Some(limit)), "{page} {per_page}");
        }
    }

    #[test]
    fn links_keep_what_they_do_not_change() {
        let params = PlanParams { q: "a&b".into(), page: "4".into(), ..Default::default() };
        assert_eq!(params.link(&[("page", "")]), "/?q=a%26b");
        assert_eq!(params.link(&[("sort", "value"), ("page", "1")]), "/?q=a%26b&sort=value&page=1");
        assert_eq!(PlanParams::default().link(&[]), "/");
    }
}
