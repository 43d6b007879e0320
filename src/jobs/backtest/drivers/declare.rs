//! Which column of which file is what, settled from the headers before a row is read.
//!
//! A driver is never taken without a word on when it is known: a guess would be a leak in silence.

use std::path::{Path, PathBuf};

use granary_models::series::Known;
use serde::Serialize;

use super::super::read::{Columns, rejected};
use crate::config::{Exit, Refused};
use crate::sources::nearest;

/// What an analyst says of when columns are known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Declared {
    /// Also for the steps to come.
    pub known: Vec<String>,
    /// Only for steps that are over.
    pub past: Vec<String>,
}

fn has(names: &[String], header: &str) -> bool {
    names.iter().any(|name| name.eq_ignore_ascii_case(header))
}

impl Declared {
    pub fn of(&self, header: &str) -> Option<Known> {
        if has(&self.known, header) {
            return Some(Known::Ahead);
        }
        has(&self.past, header).then_some(Known::Past)
    }

    fn all(&self) -> impl Iterator<Item = &String> {
        self.known.iter().chain(&self.past)
    }

    /// # Errors
    /// A column that is declared in two ways.
    fn check(&self, columns: &Columns) -> anyhow::Result<()> {
        if let Some(both) = self.known.iter().find(|name| has(&self.past, name)) {
            return Err(usage(format!("column `{both}` is declared by both --known and --past")));
        }
        if let Some(name) = self.all().find(|name| has(&columns.ignore, name)) {
            return Err(usage(format!("column `{name}` is declared as a driver, and --ignore'd")));
        }
        Ok(())
    }
}

pub fn usage(message: String) -> anyhow::Error {
    Refused::new(Exit::Usage, message).into()
}

/// What the rows of a file of drivers belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Join {
    /// The series that the column names.
    Series(usize),
    /// All series that have the labels of these columns: place here, column of the static file.
    Labels(Vec<(usize, String)>),
    /// All series.
    Date,
}

impl Join {
    /// Places of the columns that say what a row belongs to.
    pub fn places(&self) -> impl Iterator<Item = usize> {
        let (id, labels) = match self {
            Join::Series(id) => (Some(*id), [].as_slice()),
            Join::Labels(labels) => (None, labels.as_slice()),
            Join::Date => (None, [].as_slice()),
        };
        id.into_iter().chain(labels.iter().map(|label| label.0))
    }
}

/// Where the columns of a file of drivers are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    pub time: usize,
    pub join: Join,
    pub drivers: Vec<(usize, Known)>,
}

/// The headers of all files of a backtest.
pub struct Headers {
    pub panel: (PathBuf, Vec<String>),
    pub statics: Option<(PathBuf, Vec<String>)>,
    pub drivers: Vec<(PathBuf, Vec<String>)>,
}

/// Where everything is that is not in the panel's own columns.
#[derive(Debug)]
pub struct Found {
    /// One per file of drivers.
    pub layouts: Vec<Layout>,
    pub statics: Option<StaticLayout>,
}

/// Where the columns of a file of properties are.
#[derive(Debug)]
pub struct StaticLayout {
    pub id: usize,
    /// The category of series, when the panel has none.
    pub category: Option<usize>,
    pub columns: Vec<usize>,
    /// Left out, because the panel says it.
    pub unused: Option<usize>,
}

fn place(headers: &[String], name: &str) -> Option<usize> {
    headers.iter().position(|header| header.eq_ignore_ascii_case(name))
}

fn required(path: &Path, headers: &[String], name: &str, flag: &str) -> anyhow::Result<usize> {
    place(headers, name).ok_or_else(|| {
        let near = nearest(name, headers.iter().map(String::as_str))
            .map_or(String::new(), |near| format!("; is it `{near}`?"));
        let have = headers.join(", ");
        let file = path.display();
        rejected(format!(
            "{file}: there is no column `{name}` among {have}{near} ({flag} names another)"
        ))
    })
}

/// Finds every column of every file.
///
/// # Errors
/// A column that is not declared, is declared twice, is in two files or in none, by its name.
pub fn find(headers: &Headers, columns: &Columns, declared: &Declared) -> anyhow::Result<Found> {
    declared.check(columns)?;
    check_roles(&headers.panel, columns, declared)?;
    let statics = headers
        .statics
        .as_ref()
        .map(|(path, names)| find_statics(path, names, &headers.panel.1, columns))
        .transpose()?;
    let keys = keys(headers, columns, declared, statics.as_ref());
    let layouts = headers
        .drivers
        .iter()
        .map(|(path, names)| find_drivers(path, names, columns, declared, &keys))
        .collect::<anyhow::Result<Vec<Layout>>>()?;
    check_once(headers, columns, declared, &layouts)?;
    Ok(Found { layouts, statics })
}

/// What a column of the panel means by its name it cannot mean otherwise.
fn check_roles(
    (path, headers): &(PathBuf, Vec<String>),
    columns: &Columns,
    declared: &Declared,
) -> anyhow::Result<()> {
    let roles = [
        (&columns.id, "the series, --id-col"),
        (&columns.time, "the time, --time-col"),
        (&columns.target, "what is forecast, --target-col"),
        (&columns.available, "the available share, --available-col"),
        (&columns.category, "the category, --category-col"),
        (&columns.promo, "the depth of a discount, --promo-col, known ahead"),
        (&columns.price, "the price, --price-col, known ahead"),
    ];
    let clash = |(role, _): &&(&String, &str)| {
        declared.of(role).is_some() && place(headers, role).is_some()
    };
    match roles.iter().find(clash) {
        None => Ok(()),
        Some((name, meaning)) => Err(usage(format!(
            "column `{name}` of {} is {meaning}; it cannot be declared as a driver under this name",
            path.display()
        ))),
    }
}

fn find_statics(
    path: &Path,
    headers: &[String],
    panel: &[String],
    columns: &Columns,
) -> anyhow::Result<StaticLayout> {
    let id = required(path, headers, &columns.id, "--id-col")?;
    let usable = |&at: &usize| at != id && !has(&columns.ignore, &headers[at]);
    let category = place(headers, &columns.category).filter(usable);
    let in_panel = place(panel, &columns.category).is_some();
    Ok(StaticLayout {
        id,
        category: category.filter(|_| !in_panel),
        columns: (0..headers.len()).filter(usable).filter(|at| Some(*at) != category).collect(),
        unused: category.filter(|_| in_panel),
    })
}

/// Names by which a file of drivers may be joined to series.
fn keys(
    headers: &Headers,
    columns: &Columns,
    declared: &Declared,
    statics: Option<&StaticLayout>,
) -> Vec<String> {
    let mut keys: Vec<String> = match (&headers.statics, statics) {
        (Some((_, names)), Some(found)) => {
            let places = found.columns.iter().chain(&found.category);
            places.map(|&at| names[at].clone()).collect()
        }
        _ => Vec::new(),
    };
    if place(&headers.panel.1, &columns.category).is_some()
        && !has(&columns.ignore, &columns.category)
    {
        keys.push(columns.category.clone());
    }
    keys.retain(|key| declared.of(key).is_none());
    keys
}

fn find_drivers(
    path: &Path,
    headers: &[String],
    columns: &Columns,
    declared: &Declared,
    keys: &[String],
) -> anyhow::Result<Layout> {
    let file = path.display();
    let time = required(path, headers, &columns.time, "--time-col")?;
    let id = place(headers, &columns.id);
    let labels: Vec<(usize, String)> = match id {
        Some(_) => Vec::new(),
        None => {
            let found = |key: &String| place(headers, key).map(|at| (at, key.clone()));
            keys.iter().filter_map(found).collect()
        }
    };
    let is_key = |at: usize| at == time || Some(at) == id || labels.iter().any(|key| key.0 == at);
    let roles = [
        (&columns.target, "--target-col"),
        (&columns.available, "--available-col"),
        (&columns.category, "--category-col"),
        (&columns.promo, "--promo-col"),
        (&columns.price, "--price-col"),
    ];
    let (mut drivers, mut undeclared) = (Vec::new(), Vec::new());
    for (at, header) in headers.iter().enumerate() {
        if is_key(at) || has(&columns.ignore, header) {
            continue;
        }
        if let Some((_, flag)) = roles.iter().find(|(role, _)| role.eq_ignore_ascii_case(header)) {
            return Err(usage(format!(
                "{file}: column `{header}` has a meaning of its own, which is read from the panel \
                 only ({flag}); rename it here to make it a driver, or leave it out by --ignore"
            )));
        }
        match declared.of(header) {
            Some(known) => drivers.push((at, known)),
            None => undeclared.push(header.as_str()),
        }
    }
    if !undeclared.is_empty() {
        return Err(usage(format!(
            "{file}: neither --known nor --past names the columns {}: say which are known for the \
             steps to come and which only for those that are over, or leave them out by --ignore",
            undeclared.join(", ")
        )));
    }
    if drivers.is_empty() {
        return Err(usage(format!("{file} has no column that is a driver")));
    }
    let join = match id {
        Some(id) => Join::Series(id),
        None if labels.is_empty() => Join::Date,
        None => Join::Labels(labels),
    };
    Ok(Layout { time, join, drivers })
}

/// Every declared column is in one place.
fn check_once(
    headers: &Headers,
    columns: &Columns,
    declared: &Declared,
    layouts: &[Layout],
) -> anyhow::Result<()> {
    let (panel, names) = &headers.panel;
    let of_panel = names.iter().filter(|name| declared.of(name).is_some());
    let mut seen: Vec<(&str, &Path)> =
        of_panel.map(|name| (name.as_str(), panel.as_path())).collect();
    for ((path, names), layout) in headers.drivers.iter().zip(layouts) {
        for &(at, _) in &layout.drivers {
            let name = names[at].as_str();
            if let Some((_, other)) = seen.iter().find(|(had, _)| had.eq_ignore_ascii_case(name)) {
                return Err(usage(format!(
                    "column `{name}` is in both {} and {}; --ignore cannot tell them apart, so \
                     rename one",
                    other.display(),
                    path.display()
                )));
            }
            seen.push((name, path));
        }
    }
    for name in declared.all() {
        if seen.iter().any(|(had, _)| had.eq_ignore_ascii_case(name)) {
            continue;
        }
        let used = [&columns.id, &columns.time].into_iter().map(String::as_str);
        let all = headers.drivers.iter().chain([&headers.panel]).flat_map(|(_, names)| names);
        let near =
            nearest(name, all.map(String::as_str).filter(|had| !used.clone().any(|u| u == *had)))
                .map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        return Err(usage(format!("column `{name}` is declared but is in no file{near}")));
    }
    Ok(())
}
