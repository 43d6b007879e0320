//! What people and programs read: queries of the output tables, as plain rows.
//!
//! Every function reads through one connection. Give it `Store::snapshot` when an answer is made
//! of several queries: a re-run replaces a plan's rows in one transaction, and within a snapshot a
//! reader sees all of the old plan or all of the new one.

pub mod advice;
pub mod effects;
pub mod health;
pub mod history;
pub mod jobs;
pub mod lines;
pub mod runs;
pub mod series;
pub mod sku;

/// Smallest units in one base unit of the item that is joined as `i`.
pub(super) const UNITS_PER_BASE: &str = "CASE coalesce(i.qty_decimals, 0) WHEN 0 THEN 1 WHEN 1 THEN 10 \
     WHEN 2 THEN 100 WHEN 3 THEN 1000 WHEN 4 THEN 10000 WHEN 5 THEN 100000 ELSE 1000000 END";

/// A pattern for `LIKE … ESCAPE '\'` that finds `text` anywhere, whatever signs it holds.
pub(super) fn contains_pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for sign in text.chars() {
        if matches!(sign, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(sign);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::contains_pattern;

    #[test]
    fn signs_of_the_pattern_language_are_searched_for_as_themselves() {
        for (text, pattern) in
            [("tea", "%tea%"), ("50%", "%50\\%%"), ("a_b", "%a\\_b%"), ("\\", "%\\\\%")]
        {
            assert_eq!(contains_pattern(text), pattern);
        }
    }
}
