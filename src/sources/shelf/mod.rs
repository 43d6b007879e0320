//! Where files lie: a folder or a bucket. Both list what is there and hand over one file at a time.

mod folder;
mod s3;

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::config::source::{Bucket, FileRules, Folder};

pub use folder::FolderShelf;
pub use s3::S3Shelf;

/// A file as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Path below the folder, or key below the prefix.
    pub name: String,
    pub size_bytes: u64,
    /// Changes when the file does.
    pub version: String,
}

/// What lies there, by name, and what was left alone and why.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    pub files: Vec<Listed>,
    pub left: Vec<(String, String)>,
}

/// A file on this machine's disk; a download is removed with this value.
#[derive(Debug)]
pub struct Taken {
    pub path: PathBuf,
    _download: Option<tempfile::TempDir>,
}

pub enum Shelf {
    Folder(FolderShelf),
    S3(Box<S3Shelf>),
}

impl Shelf {
    /// `home` is the folder of the job's file.
    pub fn folder(of: &Folder, home: &Path) -> anyhow::Result<Shelf> {
        FolderShelf::open(of, home).map(Shelf::Folder)
    }

    pub fn s3(of: &Bucket, home: &Path) -> anyhow::Result<Shelf> {
        Ok(Shelf::S3(Box::new(S3Shelf::open(of, home)?)))
    }

    pub fn list(&self) -> anyhow::Result<Listing> {
        let mut listing = match self {
            Shelf::Folder(shelf) => shelf.list()?,
            Shelf::S3(shelf) => shelf.list()?,
        };
        listing.files.sort_by(|a, b| a.name.cmp(&b.name));
        listing.left.sort();
        Ok(listing)
    }

    /// # Errors
    /// The file is not there any more, is another one by now, or is too large.
    pub fn take(&self, file: &Listed) -> anyhow::Result<Taken> {
        match self {
            Shelf::Folder(shelf) => shelf.take(file),
            Shelf::S3(shelf) => shelf.take(file),
        }
    }

    /// Whether the file is still what was listed, after it was read.
    pub fn unchanged(&self, file: &Listed) -> bool {
        match self {
            Shelf::Folder(shelf) => shelf.unchanged(file),
            // A download is a whole object of one version.
            Shelf::S3(_) => true,
        }
    }
}

/// Whether a name is wanted, or the reason why it is passed over although it fits the pattern.
struct Names {
    pattern: glob::Pattern,
    bytes_max: u64,
}

impl Names {
    fn new(rules: &FileRules) -> anyhow::Result<Names> {
        let pattern = glob::Pattern::new(&rules.pattern)
            .with_context(|| format!("the pattern {:?}", rules.pattern))?;
        Ok(Names { pattern, bytes_max: rules.file_mib_max << 20 })
    }

    fn wants(&self, name: &str) -> bool {
        let options = glob::MatchOptions {
            case_sensitive: true,
            require_literal_separator: true,
            require_literal_leading_dot: false,
        };
        self.pattern.matches_with(name, options)
    }

    /// Names that programs give to files which they still write.
    fn unfinished(name: &str) -> Option<&'static str> {
        let base = name.rsplit('/').next().unwrap_or(name);
        let lower = base.to_ascii_lowercase();
        if base.starts_with('.') {
            return Some("a name that starts with a dot is of a file still being written");
        }
        let endings = [".tmp", ".part", ".partial", ".crdownload", ".filepart"];
        endings
            .iter()
            .any(|ending| lower.ends_with(ending))
            .then_some("its ending says that it is still being written")
    }

    fn check_size(&self, name: &str, size_bytes: u64) -> anyhow::Result<()> {
        anyhow::ensure!(
            size_bytes <= self.bytes_max,
            "{name} has {size_bytes} bytes, over the limit of {} (`file_mib_max`)",
            self.bytes_max
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stay_within_a_folder_unless_told() {
        let rules = |pattern: &str| FileRules {
            pattern: pattern.to_owned(),
            file_mib_max: 1,
            memory_mib_max: 512,
            unpacked_mib_max: 1,
        };
        let cases = [
            ("*.csv", "a.csv", true),
            ("*.csv", "deep/a.csv", false),
            ("*.csv", "a.CSV", false),
            ("sales-????-??-??.csv", "sales-2026-11-30.csv", true),
            ("sales-????-??-??.csv", "sales-2026-11-3.csv", false),
            ("**/*.csv", "deep/er/a.csv", true),
            ("**/*.csv", "a.csv", true),
            ("in/*.csv", "in/a.csv", true),
        ];
        for (pattern, name, want) in cases {
            let names = Names::new(&rules(pattern)).expect(pattern);
            assert_eq!(names.wants(name), want, "{pattern} {name}");
        }
    }

    #[test]
    fn names_of_unfinished_files() {
        for name in ["a.csv.tmp", "a.part", "deep/.a.csv", ".hidden", "A.CSV.PART"] {
            assert!(Names::unfinished(name).is_some(), "{name}");
        }
        for name in ["a.csv", "tmp/a.csv", "part.csv", "a.tmp.csv"] {
            assert!(Names::unfinished(name).is_none(), "{name}");
        }
    }
}
