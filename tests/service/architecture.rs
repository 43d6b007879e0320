//! The arrows of DESIGN.md §1, read from the `use` lines. Also that jobs and folders agree.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A module may use those of later ranks, and itself. Modules of one rank may not use each other.
const MODELS: &[&[&str]] = &[
    &["simulate"],
    &["plan_sku"],
    &["backtest", "plan"],
    &["forecast", "policy"],
    &["distribution"],
    &["series"],
    &["calendar", "finding"],
];

const SERVICE: &[&[&str]] =
    &[&["main"], &["cli", "web", "schedule"], &["jobs"], &["sources", "store", "export", "config"]];

/// `cli` is also the place where a command starts `web` and `schedule`; and what one cannot do
/// without words for files and exit codes is in `config`, which every module of its rank reads.
const ALSO: &[(&str, &str)] = &[
    ("cli", "web"),
    ("cli", "schedule"),
    ("sources", "config"),
    ("store", "config"),
    ("export", "config"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).expect("the folder is part of the repository");
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The first module of a file's path below `folder`: `forecast` of `forecast/ses.rs`.
fn module_of(folder: &Path, file: &Path) -> String {
    let inside = file.strip_prefix(folder).expect("found below the folder");
    let first = inside.iter().next().expect("not empty").to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// Modules that a line names after `crate::`, with `use crate::{a, b}` taken apart.
fn used_modules(text: &str, prefix: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (at, _) in text.match_indices(prefix) {
        let rest = &text[at + prefix.len()..];
        let names: Vec<&str> = match rest.strip_prefix('{') {
            Some(group) => top_level_names(group),
            None => vec![rest],
        };
        for name in names {
            let end = name.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(name.len());
            used.insert(name[..end].to_owned());
        }
    }
    used
}

fn top_level_names(group: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                names.push(group[start..at].trim());
                return names;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(group[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    names
}

fn forbidden(folder: &Path, ranks: &[&[&str]], prefixes: &[&str]) -> Vec<String> {
    let rank = |module: &str| ranks.iter().position(|rank| rank.contains(&module));
    let mut files = Vec::new();
    rust_files(folder, &mut files);
    assert!(files.len() > 5, "{} holds the code", folder.display());
    let mut broken = Vec::new();
    for file in files {
        let from = module_of(folder, &file);
        let Some(from_rank) = rank(&from) else { continue };
        let text = std::fs::read_to_string(&file).expect("source is text");
        let used = prefixes.iter().flat_map(|prefix| used_modules(&text, prefix));
        for to in used.collect::<BTreeSet<String>>() {
            let Some(to_rank) = rank(&to) else { continue };
            let allowed =
                to == from || to_rank > from_rank || ALSO.contains(&(from.as_str(), to.as_str()));
            if !allowed {
                broken.push(format!("{}: {from} → {to}", file.display()));
            }
        }
    }
    broken
}

#[test]
fn no_module_uses_one_to_its_left() {
    let models = forbidden(&root().join("models"), MODELS, &["crate::"]);
    assert_eq!(models, Vec::<String>::new(), "in models, see DESIGN.md §1");
    let service = forbidden(&root().join("src"), SERVICE, &["crate::", "granary::"]);
    assert_eq!(service, Vec::<String>::new(), "in src, see DESIGN.md §1");
}

#[test]
fn the_reader_of_arrows_sees_them() {
    let names = |text: &str| used_modules(text, "crate::").into_iter().collect::<Vec<_>>();
    assert_eq!(names("use crate::store::Store;"), ["store"]);
    assert_eq!(names("use crate::{config::{Exit, Job}, store};"), ["config", "store"]);
    assert_eq!(names("fn f() -> crate::web::Page {}"), ["web"]);
}

#[test]
fn the_core_has_no_clock_no_files_and_no_async() {
    let mut files = Vec::new();
    rust_files(&root().join("models"), &mut files);
    for file in files {
        let text = std::fs::read_to_string(&file).expect("source is text");
        for word in ["std::fs", "std::net", "std::time", "Utc::now", "async fn", "thread_rng"] {
            assert!(!text.contains(word), "{} uses {word}", file.display());
        }
    }
}

#[test]
fn every_job_file_can_be_read() {
    let jobs = granary::config::Job::read_all(&root().join("jobs")).expect("jobs are legal");
    assert!(jobs.contains_key("nightly"), "{:?}", jobs.keys());
}
