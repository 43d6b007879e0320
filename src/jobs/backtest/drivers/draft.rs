//! One column of drivers while it is read: numbers, or texts of which each becomes a flag.

use std::sync::Arc;

use granary_models::series::Known;

use super::super::read::{NULL_WORDS, check_text};
use crate::sources::{Cell, parse};

/// A column of more texts than this is no set of flags.
pub const LABELS_MAX: usize = 12;
const VALUE_MAX: f64 = 1e12;
/// Stands for the word `none` until it is known what the column is: nothing among numbers, a label
/// among texts, such as the kind of a promotion that there is not.
const NONE_WORD: &str = "none";
const NONE: f32 = f32::NEG_INFINITY;
const LEGAL: &str = "-1e12 to 1e12, or empty where it is not known";

/// What the cells of a column are; its first one that is not empty decides.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Open,
    /// Row of the first number.
    Numbers(u32),
    /// Row of the first text.
    Texts(u32),
}

/// A column under way. Values are numbers, or places in `labels`.
#[derive(Debug)]
pub struct Draft {
    pub name: String,
    pub known: Known,
    form: Form,
    labels: Vec<String>,
    pub values: Vec<f32>,
}

/// What a driver is made of: a column's numbers, or whether a column has a label.
#[derive(Clone, Debug)]
pub struct Driver {
    /// `weather=rain` for a label.
    pub name: String,
    pub known: Known,
    /// What a value is when the label is meant; `None` for numbers.
    pub label: Option<f32>,
    /// NaN where unknown. Labels of one column share it.
    pub values: Arc<[f32]>,
}

impl Draft {
    pub fn new(name: &str, known: Known) -> Draft {
        let (labels, values) = (Vec::new(), Vec::new());
        Draft { name: name.to_owned(), known, form: Form::Open, labels, values }
    }

    /// The same column with its values in other places.
    pub fn with_values(self, values: Vec<f32>) -> Draft {
        Draft { values, ..self }
    }

    /// The value of a cell, NaN for an empty one. `row` is where the cell is, as a person counts.
    ///
    /// # Errors
    /// Says what the cell should have been.
    pub fn value(&mut self, cell: Cell<'_>, row: u32) -> Result<f32, String> {
        match cell {
            Cell::Null => Ok(f32::NAN),
            Cell::Int(value) => self.number(value as f64, row),
            Cell::Real(value) if value.is_nan() => Ok(f32::NAN),
            Cell::Real(value) => self.number(value, row),
            Cell::Day(_) | Cell::Stamp(_) => Err("it is a date; want a number or a label".into()),
            Cell::Text(text) => self.text(text.trim(), row),
        }
    }

    fn text(&mut self, text: &str, row: u32) -> Result<f32, String> {
        if text.eq_ignore_ascii_case(NONE_WORD) {
            return Ok(NONE);
        }
        if text.is_empty() || NULL_WORDS.iter().any(|word| text.eq_ignore_ascii_case(word)) {
            return Ok(f32::NAN);
        }
        for (word, value) in [("false", 0.0), ("true", 1.0)] {
            if text.eq_ignore_ascii_case(word) {
                return self.number(value, row);
            }
        }
        match (parse::number(text), text.parse::<f64>()) {
            (Ok(checked), exact) => self.number(exact.unwrap_or_else(|_| checked.as_f64()), row),
            (Err(_), Ok(_)) => Err(format!("not a finite number; legal is {LEGAL}")),
            (Err(_), Err(_)) => self.label(text, row),
        }
    }

    fn number(&mut self, value: f64, row: u32) -> Result<f32, String> {
        if let Form::Texts(first) = self.form {
            return Err(format!("it is a number, but row {first} holds a text"));
        }
        if value.abs() > VALUE_MAX || !value.is_finite() {
            let why = if value.is_finite() { "out of range" } else { "not a finite number" };
            return Err(format!("{why}; legal is {LEGAL}"));
        }
        if self.form == Form::Open {
            self.form = Form::Numbers(row);
        }
        Ok(value as f32)
    }

    fn label(&mut self, text: &str, row: u32) -> Result<f32, String> {
        if let Form::Numbers(first) = self.form {
            return Err(format!("it is no number, but row {first} holds one; legal is {LEGAL}"));
        }
        check_text(text)?;
        if self.form == Form::Open {
            self.form = Form::Texts(row);
        }
        let at = match self.labels.iter().position(|label| label == text) {
            Some(at) => at,
            None if self.labels.len() == LABELS_MAX => {
                return Err(format!(
                    "more than {LABELS_MAX} texts; a driver is a number, or one of a few labels"
                ));
            }
            None => {
                self.labels.push(text.to_owned());
                self.labels.len() - 1
            }
        };
        Ok(at as f32)
    }

    /// Decides what the word `none` was.
    pub fn settle(&mut self) {
        let instead = match self.form {
            Form::Texts(_) if self.values.contains(&NONE) => {
                self.labels.push(NONE_WORD.to_owned());
                (self.labels.len() - 1) as f32
            }
            _ => f32::NAN,
        };
        self.values.iter_mut().filter(|v| **v == NONE).for_each(|value| *value = instead);
    }

    /// Labels in the order of their names.
    pub fn labels(&self) -> Vec<String> {
        let mut labels = self.labels.clone();
        labels.sort_unstable();
        labels
    }

    /// The numbers as one driver, or a driver for every label.
    pub fn finish(self) -> Vec<Driver> {
        let Draft { name, known, labels, values, .. } = self;
        let values: Arc<[f32]> = values.into();
        if labels.is_empty() {
            return vec![Driver { name, known, label: None, values }];
        }
        let mut order: Vec<usize> = (0..labels.len()).collect();
        order.sort_unstable_by_key(|&at| &labels[at]);
        let flag = |at: usize| Driver {
            name: format!("{name}={}", labels[at]),
            known,
            label: Some(at as f32),
            values: values.clone(),
        };
        order.into_iter().map(flag).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cells of a CSV column to the drivers' names and values, or the first complaint.
    fn check(cells: &[&str], want: Result<&[(&str, &[f32])], &str>) {
        let mut draft = Draft::new("d", Known::Past);
        let mut complaint = None;
        for (at, text) in cells.iter().enumerate() {
            match draft.value(Cell::Text(text), at as u32 + 2) {
                Ok(value) => draft.values.push(value),
                Err(why) => complaint = complaint.or(Some(why)),
            }
        }
        draft.settle();
        let drivers = draft.finish();
        match (complaint, want) {
            (Some(why), Err(part)) => assert!(why.contains(part), "{cells:?}: {why}"),
            (None, Ok(want)) => {
                let of = |driver: &Driver| -> Vec<f32> {
                    let value = |&v: &f32| match driver.label {
                        Some(label) if !v.is_nan() => f32::from(v == label),
                        _ => v,
                    };
                    driver.values.iter().map(value).collect()
                };
                assert_eq!(drivers.len(), want.len(), "{cells:?}");
                for (driver, (name, values)) in drivers.iter().zip(want) {
                    assert_eq!(driver.name, *name, "{cells:?}");
                    let bits = |of: &[f32]| of.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                    assert_eq!(bits(&of(driver)), bits(values), "{cells:?} {name}");
                }
            }
            (why, want) => panic!("{cells:?}: {why:?}, want {want:?}"),
        }
    }

    #[test]
    fn cells_become_numbers_or_flags() {
        let nan = f32::NAN;
        check(&["1", "-2.5", "", "NaN", "1e3"], Ok(&[("d", &[1.0, -2.5, nan, nan, 1e3])]));
        check(&["true", "False", "null", "1"], Ok(&[("d", &[1.0, 0.0, nan, 1.0])]));
        check(&["", "n/a"], Ok(&[("d", &[nan, nan])]));
        check(
            &["sun", "", "rain", "sun"],
            Ok(&[("d=rain", &[0.0, nan, 1.0, 0.0]), ("d=sun", &[1.0, nan, 0.0, 1.0])]),
        );
        check(&["none", "1", "None"], Ok(&[("d", &[nan, 1.0, nan])]));
        check(&["none", "tv"], Ok(&[("d=none", &[1.0, 0.0]), ("d=tv", &[0.0, 1.0])]));
        check(&["1", "2.O"], Err("it is no number, but row 2 holds one"));
        check(&["", "sun", "1"], Err("it is a number, but row 3 holds a text"));
        check(&["inf"], Err("not a finite number"));
        check(&["1e13"], Err("out of range; legal is -1e12 to 1e12"));
        let many: Vec<String> = (0..13).map(|at| format!("label {at}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        check(&many, Err("more than 12 texts"));
    }
}
