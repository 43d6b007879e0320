//! Conditions on a row's cells, compiled against one file's headers.

use super::chunk::{Cell, Chunk, write_cell};
use super::map::Condition;
use super::parse;
use super::rule::Headers;

/// True when every part that the map gives holds.
#[derive(Debug)]
pub struct Test {
    column: usize,
    is: Vec<String>,
    is_whole: Vec<Option<i64>>,
    prefix: Option<String>,
    at_most: Option<f64>,
    blank: bool,
}

impl Test {
    pub fn compile(condition: &Condition, headers: &Headers) -> anyhow::Result<Test> {
        let tests = [
            !condition.is.is_empty(),
            condition.prefix.is_some(),
            condition.at_most.is_some(),
            condition.blank,
        ];
        anyhow::ensure!(
            tests.contains(&true),
            "a condition on `{}` needs `is`, `prefix`, `at_most` or `blank`",
            condition.column
        );
        Ok(Test {
            column: headers.find(&condition.column)?,
            is_whole: condition.is.iter().map(|text| text.parse().ok()).collect(),
            is: condition.is.clone(),
            prefix: condition.prefix.clone(),
            at_most: condition.at_most,
            blank: condition.blank,
        })
    }

    pub fn column(&self) -> usize {
        self.column
    }

    pub fn holds(&self, chunk: &Chunk, row: usize) -> bool {
        let cell = chunk.columns[self.column].get(row);
        if self.blank {
            let blank = match cell {
                Cell::Null => true,
                Cell::Text(text) => text.trim().is_empty(),
                _ => false,
            };
            if !blank {
                return false;
            }
        }
        let listed = self.is.is_empty()
            || match cell {
                Cell::Int(value) => self.is_whole.contains(&Some(value)),
                Cell::Text(text) => self.is.iter().any(|is| is == text.trim()),
                other => {
                    let mut text = String::new();
                    write_cell(other, &mut text);
                    self.is.contains(&text)
                }
            };
        let prefixed = self.prefix.as_ref().is_none_or(|prefix| match cell {
            Cell::Text(text) => text.trim_start().starts_with(prefix.as_str()),
            other => {
                let mut text = String::new();
                write_cell(other, &mut text);
                text.starts_with(prefix.as_str())
            }
        });
        let small = self.at_most.is_none_or(|most| match cell {
            Cell::Int(value) => value as f64 <= most,
            Cell::Real(value) => value <= most,
            Cell::Text(text) => {
                parse::number(text.trim()).is_ok_and(|number| number.as_f64() <= most)
            }
            _ => false,
        });
        listed && prefixed && small
    }
}
