//! What was odd tonight, gathered for the plan's readers.

use std::collections::{BTreeMap, BTreeSet};

use granary_models::finding::{Code, Finding, Severity};

/// One row of the `finding` table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FindingRow {
    pub severity: Severity,
    pub code: Code,
    pub item_id: String,
    pub location_id: String,
    pub detail: String,
    pub occurrences: u64,
}

#[derive(Default)]
pub struct Findings {
    rows: Vec<FindingRow>,
    counted: BTreeMap<(Code, String), u64>,
}

impl Findings {
    /// About one SKU. What is merely informative is counted by code, so that fifty thousand short
    /// histories read as one line; each SKU's own are still said by `explain`.
    pub fn sku(&mut self, item_id: &str, location_id: &str, finding: Finding) {
        if finding.code.severity() == Severity::Info {
            self.count(finding.code, finding.code.explain());
            return;
        }
        self.rows.push(FindingRow {
            severity: finding.code.severity(),
            code: finding.code,
            item_id: item_id.to_owned(),
            location_id: location_id.to_owned(),
            detail: finding.detail,
            occurrences: 1,
        });
    }

    /// How many SKUs have a finding of one of these codes, none of them merely informative.
    pub fn skus_with(&self, codes: &[Code]) -> usize {
        let rows = self.rows.iter().filter(|row| codes.contains(&row.code));
        let skus = rows.filter(|row| !row.item_id.is_empty());
        skus.map(|row| (&row.item_id, &row.location_id)).collect::<BTreeSet<_>>().len()
    }

    /// About the night as a whole.
    pub fn night(&mut self, finding: Finding) {
        self.sku_less(finding.code, finding.detail, 1);
    }

    /// The same words about many SKUs: one finding with a count.
    pub fn count(&mut self, code: Code, detail: impl Into<String>) {
        self.count_many(code, detail.into(), 1);
    }

    pub fn count_many(&mut self, code: Code, detail: String, times: u64) {
        *self.counted.entry((code, detail)).or_default() += times;
    }

    fn sku_less(&mut self, code: Code, detail: String, occurrences: u64) {
        self.rows.push(FindingRow {
            severity: code.severity(),
            code,
            item_id: String::new(),
            location_id: String::new(),
            detail,
            occurrences,
        });
    }

    /// The worst first; the order does not depend on how they were found.
    pub fn into_rows(mut self) -> Vec<FindingRow> {
        for ((code, detail), occurrences) in std::mem::take(&mut self.counted) {
            self.sku_less(code, detail, occurrences);
        }
        self.rows.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.cmp(b)));
        self.rows
    }
}
