//! `granary backtest`: what becomes of odd tables, that nothing leaks from the future, that scores
//! are the shared scorer's, and that a killed run goes on.

mod drivers;
mod errors;
mod reading;
mod resume;
mod scorer;
mod sums;
mod windows;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use polars::prelude::*;

/// A folder with tables and what is made of them.
pub struct Desk {
    pub folder: tempfile::TempDir,
}

impl Desk {
    pub fn open() -> Desk {
        Desk { folder: tempfile::tempdir().expect("a folder") }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("a file");
        path
    }

    pub fn command(&self, input: &Path, out: &str, args: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_granary"));
        command.arg("backtest").arg("--input").arg(input).arg("--out").arg(self.path(out));
        command.args(args.split_whitespace());
        command
    }

    pub fn run(&self, input: &Path, out: &str, args: &str) -> Output {
        self.command(input, out, args).output().expect("the program starts")
    }

    /// Runs what has to succeed and gives the forecasts.
    pub fn forecasts(&self, input: &Path, out: &str, args: &str) -> DataFrame {
        let output = self.run(input, out, args);
        assert!(output.status.success(), "{args}: {}", stderr(&output));
        parquet(&self.path(out).join("forecasts.parquet"))
    }
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn parquet(path: &Path) -> DataFrame {
    let file = std::fs::File::open(path).expect("a finished file");
    ParquetReader::new(file).finish().expect("Parquet")
}

pub fn texts(frame: &DataFrame, name: &str) -> Vec<String> {
    let column = frame.column(name).and_then(|column| column.cast(&DataType::String));
    let column = column.expect(name);
    column.str().expect(name).iter().map(|text| text.unwrap_or("").to_owned()).collect()
}

pub fn reals(frame: &DataFrame, name: &str) -> Vec<Option<f64>> {
    frame.column(name).and_then(|column| column.f64()).expect(name).iter().collect()
}

pub fn json(path: &Path) -> serde_json::Value {
    let text = std::fs::read(path).expect("a finished file");
    serde_json::from_slice(&text).expect("JSON")
}

/// `days` days from 2024-01-01 of `series` series, as CSV; `y(series, day)` is the cell.
pub fn daily(series: usize, days: i32, y: impl Fn(usize, i32) -> String) -> String {
    let first: granary_models::calendar::Day = "2024-01-01".parse().expect("a date");
    let mut text = "unique_id,ds,y\n".to_owned();
    for one in 0..series {
        for day in 0..days {
            text.push_str(&format!("s{one},{},{}\n", first + day, y(one, day)));
        }
    }
    text
}

/// A weekly pattern with some noise that is the same every time.
pub fn demand(series: usize, day: i32) -> i64 {
    let noise = (day as i64 * 7919 + series as i64 * 104_729) % 11;
    let weekday = i64::from(day % 7);
    (series as i64 % 5) * 4 + weekday * (1 + series as i64 % 3) + noise
}
