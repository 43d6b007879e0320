//! Who holds a lease, known well enough to tell that it is gone.

use std::fmt;
use std::sync::OnceLock;

use crate::store::db::Dialect;

/// A process, named so that no later one can be taken for it: process numbers are used again, and
/// containers number theirs anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// For people.
    pub host: String,
    pub process_id: i32,
    /// When it started, in the system's ticks; empty where the system does not tell.
    started: String,
    /// Of process numbers.
    namespace: String,
    /// Of the machine, another after every start of it.
    boot: String,
}

impl Owner {
    /// This process.
    pub fn current() -> &'static Owner {
        static CURRENT: OnceLock<Owner> = OnceLock::new();
        CURRENT.get_or_init(|| {
            let process_id = i32::try_from(std::process::id()).unwrap_or(0);
            let line = |path: &str| {
                let text = std::fs::read_to_string(path).unwrap_or_default();
                text.trim().replace('/', "_")
            };
            let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
            Owner {
                host: line("/proc/sys/kernel/hostname"),
                process_id,
                started: stat(process_id).map(|stat| stat.started).unwrap_or_default(),
                namespace: namespace.to_string_lossy().replace('/', "_"),
                boot: line("/proc/sys/kernel/random/boot_id"),
            }
        })
    }

    pub fn parse(text: &str) -> Option<Owner> {
        let mut parts = text.split('/');
        let mut next = || parts.next().map(str::to_owned);
        let (host, process_id, started, namespace, boot) =
            (next()?, next()?, next()?, next()?, next()?);
        let process_id = process_id.parse().ok()?;
        Some(Owner { host, process_id, started, namespace, boot })
    }

    /// Whether the process is known to have ended. `false` where it cannot be known from here: on
    /// another machine, in another container.
    pub fn is_gone(&self, dialect: Dialect) -> bool {
        let here = Owner::current();
        if self.boot.is_empty() || here.boot.is_empty() {
            return false;
        }
        if self.boot != here.boot {
            // The processes of an SQLite database share a machine, so it was started anew.
            return dialect == Dialect::Sqlite;
        }
        self.namespace == here.namespace && !is_alive(self.process_id, &self.started)
    }
}

/// Whether the process of that number is the one that started then. In doubt, yes.
fn is_alive(process_id: i32, started: &str) -> bool {
    let Some(pid) = rustix::process::Pid::from_raw(process_id) else { return true };
    // The signal is asked first: a system may hide the files of other users' processes.
    if rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH) {
        return false;
    }
    stat(process_id).is_none_or(|stat| {
        let ended = matches!(stat.state, 'Z' | 'X' | 'x');
        !ended && (started.is_empty() || stat.started == started)
    })
}

struct Stat {
    state: char,
    started: String,
}

fn stat(process_id: i32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{process_id}/stat")).ok()?;
    // The second field is the program's name in parentheses, which may hold any sign.
    let mut fields = text.get(text.rfind(')')? + 1..)?.split_whitespace();
    let state = fields.next()?.chars().next()?;
    // The state is the third field and the start the twenty-second.
    let started = fields.nth(18)?.to_owned();
    Some(Stat { state, started })
}

impl fmt::Display for Owner {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Owner { host, process_id, started, namespace, boot } = self;
        write!(out, "{host}/{process_id}/{started}/{namespace}/{boot}")
    }
}

/// `process 12 on shop-3`, of the text of an owner.
pub fn label(owner: &str) -> String {
    Owner::parse(owner).map_or_else(
        || owner.to_owned(),
        |owner| format!("process {} on {}", owner.process_id, owner.host),
    )
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn an_owner_is_gone_only_where_that_is_certain() {
        let here = Owner::current().clone();
        assert_eq!(Owner::parse(&here.to_string()), Some(here.clone()));
        let mut child = Command::new("sleep")
            .arg("60")
            .stdin(Stdio::null())
            .spawn()
            .expect("a process to look at");
        let process_id = child.id() as i32;
        let started = stat(process_id).expect("its files").started;
        let living = Owner { process_id, started, ..here.clone() };
        let reused = Owner { started: "1".into(), ..living.clone() };
        let elsewhere = Owner { boot: "another".into(), ..living.clone() };
        let contained = Owner { namespace: "another".into(), ..living.clone() };
        let unknown = Owner { boot: String::new(), ..living.clone() };
        let both = [Dialect::Sqlite, Dialect::Postgres];
        let gone = |owner: &Owner| both.map(|dialect| owner.is_gone(dialect));
        for (owner, wanted) in [
            (&here, [false, false]),
            (&living, [false, false]),
            (&reused, [true, true]),
            (&elsewhere, [true, false]),
            (&contained, [false, false]),
            (&unknown, [false, false]),
        ] {
            assert_eq!(gone(owner), wanted, "{owner}");
        }
        child.kill().expect("killed");
        // Dead, but nobody has asked for its last word yet.
        while stat(process_id).is_some_and(|stat| stat.state != 'Z') {
            std::thread::yield_now();
        }
        assert_eq!(gone(&living), [true, true]);
        child.wait().expect("waited for");
        assert_eq!(gone(&living), [true, true]);
        assert_eq!(gone(&Owner { boot: String::new(), ..living }), [false, false]);
    }
}
