//! Whether a source still has the columns that it had when it was last read.

use std::collections::BTreeSet;

use crate::config::ColumnSeen;
use crate::sources::nearest;

/// What is different.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drift {
    /// Worth telling, and no reason to stop.
    pub notes: Vec<String>,
    /// Of columns that the import reads.
    pub breaks: Vec<String>,
}

/// Compares the columns of the last pull that was kept with those of now. `wanted` are the names, in
/// lower case, that the import reads.
pub fn compare(before: &[ColumnSeen], now: &[ColumnSeen], wanted: &BTreeSet<String>) -> Drift {
    let mut drift = Drift::default();
    if before.is_empty() {
        return drift;
    }
    let find = |columns: &[ColumnSeen], name: &str| {
        columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))
    };
    let new: Vec<&ColumnSeen> =
        now.iter().filter(|column| find(before, &column.name).is_none()).collect();
    for (at, old) in before.iter().enumerate() {
        let used = wanted.contains(&old.name.to_lowercase());
        let Some(found) = find(now, &old.name) else {
            let heir = heir(old, at, now, &new);
            let heir = heir.map(|name| format!("; is it `{name}` now?")).unwrap_or_default();
            if used {
                drift.breaks.push(format!("the column `{}` is missing{heir}", old.name));
            } else {
                drift.notes.push(format!("the column `{}`, unused, is gone{heir}", old.name));
            }
            continue;
        };
        let is = &now[found].kind;
        if !old.kind.is_empty() && !is.is_empty() && old.kind != *is {
            let text = format!("the column `{}` was {} and is {is} now", old.name, old.kind);
            if used { drift.breaks.push(text) } else { drift.notes.push(text) }
        }
    }
    for column in new {
        if !wanted.contains(&column.name.to_lowercase()) {
            drift.notes.push(format!("the new column `{}` feeds nothing", column.name));
        }
    }
    drift
}

/// The new column that a missing one may have become: of a like name, else of its type in its place.
fn heir<'a>(
    old: &ColumnSeen,
    at: usize,
    now: &'a [ColumnSeen],
    new: &[&'a ColumnSeen],
) -> Option<&'a str> {
    nearest(&old.name, new.iter().map(|column| column.name.as_str())).or_else(|| {
        let there = now.get(at).filter(|there| there.kind == old.kind)?;
        new.iter().find(|column| column.name == there.name).map(|column| column.name.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(text: &str) -> Vec<ColumnSeen> {
        text.split_whitespace()
            .map(|one| {
                let (name, kind) = one.split_once(':').unwrap_or((one, ""));
                ColumnSeen { name: name.to_owned(), kind: kind.to_owned() }
            })
            .collect()
    }

    fn check(before: &str, now: &str, breaks: &[&str], notes: &[&str]) {
        let wanted = ["item_id", "qty", "date", "late"].map(str::to_owned).into();
        let drift = compare(&columns(before), &columns(now), &wanted);
        let same = |got: &[String], want: &[&str]| {
            got.len() == want.len() && got.iter().zip(want).all(|(got, want)| got.contains(want))
        };
        assert!(same(&drift.breaks, breaks), "{before} → {now}: {drift:?}");
        assert!(same(&drift.notes, notes), "{before} → {now}: {drift:?}");
    }

    #[test]
    fn what_changed_is_named() {
        check("", "item_id qty", &[], &[]);
        check("item_id qty", "item_id qty", &[], &[]);
        check("item_id qty", "QTY item_id", &[], &[]);
        check("item_id qty", "item_id", &["`qty` is missing"], &[]);
        check(
            "item_id qty",
            "item_id qtty",
            &["`qty` is missing; is it `qtty`"],
            &["`qtty` feeds"],
        );
        let moved = &["`qty` is missing; is it `units`"];
        check("item_id:text qty:int4", "item_id:text units:int4", moved, &["`units` feeds"]);
        check("item_id:text qty:int4", "item_id:text qty:text", &["was int4 and is text"], &[]);
        check("a:int4 qty:int4", "a:text qty:int4", &[], &["`a` was int4 and is text"]);
        check("a qty", "qty", &[], &["`a`, unused, is gone"]);
        check("qty", "qty colour", &[], &["new column `colour`"]);
        check("qty", "qty late", &[], &[]);
        check("qty:", "qty:Int64", &[], &[]);
    }
}
