//! Files of a folder. Nothing outside of it is read, whatever links there are inside.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, ensure};

use super::{Listed, Listing, Names, Taken};
use crate::config::source::Folder;

/// Deeper folders than this are a mistake.
const DEPTH_MAX: usize = 16;
const FILES_MAX: usize = 1_000_000;

pub struct FolderShelf {
    /// Without links.
    root: PathBuf,
    names: Names,
    quiet_seconds: u64,
}

impl FolderShelf {
    pub fn open(of: &Folder, home: &Path) -> anyhow::Result<FolderShelf> {
        let path = home.join(&of.path);
        let root = path
            .canonicalize()
            .with_context(|| format!("cannot read the folder {}", path.display()))?;
        ensure!(root.is_dir(), "{} is no folder", path.display());
        let names = Names::new(&of.files)?;
        Ok(FolderShelf { root, names, quiet_seconds: of.quiet_seconds })
    }

    pub fn list(&self) -> anyhow::Result<Listing> {
        let mut listing = Listing::default();
        self.walk(&self.root, "", 0, &mut listing)?;
        Ok(listing)
    }

    fn walk(
        &self,
        folder: &Path,
        prefix: &str,
        depth: usize,
        listing: &mut Listing,
    ) -> anyhow::Result<()> {
        ensure!(depth <= DEPTH_MAX, "{} is more than {DEPTH_MAX} folders deep", folder.display());
        let wrong = || format!("cannot read the folder {}", folder.display());
        for entry in std::fs::read_dir(folder).with_context(wrong)? {
            let entry = entry.with_context(wrong)?;
            let Some(base) = entry.file_name().to_str().map(str::to_owned) else {
                let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
                listing.left.push((name, "its name is not UTF-8".to_owned()));
                continue;
            };
            let name = format!("{prefix}{base}");
            let kind = entry.file_type().with_context(wrong)?;
            if kind.is_dir() {
                self.walk(&entry.path(), &format!("{name}/"), depth + 1, listing)?;
                continue;
            }
            if !self.names.wants(&name) {
                continue;
            }
            ensure!(listing.files.len() < FILES_MAX, "more than {FILES_MAX} files");
            match self.looked_at(&name) {
                Ok(file) => listing.files.push(file),
                Err(why) => listing.left.push((name, why)),
            }
        }
        Ok(())
    }

    /// The file as it is now, or why it is left alone.
    fn looked_at(&self, name: &str) -> Result<Listed, String> {
        if let Some(why) = Names::unfinished(name) {
            return Err(why.to_owned());
        }
        let path = self.resolved(name)?;
        let facts = std::fs::metadata(&path).map_err(|error| error.to_string())?;
        if !facts.is_file() {
            return Err("it is no regular file".to_owned());
        }
        let age = facts
            .modified()
            .ok()
            .and_then(|at| SystemTime::now().duration_since(at).ok())
            .map_or(0, |age| age.as_secs());
        if age < self.quiet_seconds {
            return Err(format!(
                "it changed {age} seconds ago and may still be written; it waits for {} quiet \
                 seconds",
                self.quiet_seconds
            ));
        }
        Ok(Listed { name: name.to_owned(), size_bytes: facts.len(), version: version(&facts) })
    }

    /// The file behind the name, when it is inside the folder.
    fn resolved(&self, name: &str) -> Result<PathBuf, String> {
        let path = self.root.join(name).canonicalize().map_err(|error| error.to_string())?;
        if path.starts_with(&self.root) {
            Ok(path)
        } else {
            Err("it is a link to something outside of the folder".to_owned())
        }
    }

    pub fn take(&self, file: &Listed) -> anyhow::Result<Taken> {
        self.names.check_size(&file.name, file.size_bytes)?;
        // The name ends as the file does, which a link's target need not.
        self.resolved(&file.name).map_err(|why| anyhow::anyhow!("{}: {why}", file.name))?;
        Ok(Taken { path: self.root.join(&file.name), _download: None })
    }

    pub fn unchanged(&self, file: &Listed) -> bool {
        let facts = self.resolved(&file.name).ok().and_then(|path| std::fs::metadata(path).ok());
        facts.is_some_and(|facts| facts.len() == file.size_bytes && version(&facts) == file.version)
    }
}

/// The time of the last change of an inode moves with every write and cannot be set by programs.
fn version(facts: &std::fs::Metadata) -> String {
    format!(
        "{}-{}.{:09}-{}.{:09}",
        facts.ino(),
        facts.mtime(),
        facts.mtime_nsec(),
        facts.ctime(),
        facts.ctime_nsec()
    )
}
