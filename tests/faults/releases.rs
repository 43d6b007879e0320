//! `kill -9` at any moment of a release or of an acknowledgement: everything of it is there or
//! nothing, and saying it again sends nothing twice.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use granary::config::faults::VARIABLE;
use sqlx::Connection;

use crate::support::scene::{CONSUMER, RELEASED, Scene, Start};
use crate::support::{Random, broken, copy, open, setting};

/// A fifth of the nights that are killed.
const TRIALS: u64 = 20;
const SIGKILL: i32 = 9;

/// What went out and what of it is taken, without the times.
const OUT: &str = "SELECT line_key || ' ' || revision || ' ' || change || ' ' || qty || ' ' \
                   || order_qty || ' ' || value_minor || ' ' || approved_by FROM released_line \
                   ORDER BY 1";
const TAKEN: &str = "SELECT line_key FROM acknowledgement ORDER BY 1";

async fn rows(db: &Path, sql: &'static str, what: &str) -> Vec<String> {
    let mut db = open(db).await;
    let found = broken(&mut db).await;
    assert!(found.is_empty(), "{what}: {found:#?}");
    let rows = sqlx::query_scalar(sql).fetch_all(&mut db).await.expect(sql);
    db.close().await.expect("closed");
    rows
}

/// When a command is killed.
#[derive(Clone, Copy, Debug)]
enum At {
    Instant(Duration),
    Point(&'static str),
}

/// Runs a command until then. `true` when it was killed.
async fn killed(scene: &Scene, db: &Path, arguments: &[&str], at: At) -> bool {
    let mut command = scene.person(db, arguments);
    if let At::Point(point) = at {
        let status = command.env(VARIABLE, point).status().expect("the program runs");
        assert_eq!(status.signal(), Some(SIGKILL), "{point}: {status}");
        return true;
    }
    let mut child = command.spawn().expect("the program starts");
    if let At::Instant(instant) = at {
        tokio::time::sleep(instant).await;
    }
    child.kill().expect("a child to kill");
    child.wait().expect("a child to wait for").signal() == Some(SIGKILL)
}

/// A database whose second night is planned and approved, in a folder of its own.
async fn approved(scene: &Scene) -> (tempfile::TempDir, PathBuf) {
    let (folder, db) = copy(&scene.base);
    scene.finish(&db, Start { job: RELEASED, threads: 1 });
    scene.people(&db, &["approve", "--all", RELEASED]);
    (folder, db)
}

fn instants(
    trials: u64,
    random: &mut Random,
    usual: Duration,
    points: [&'static str; 2],
) -> Vec<At> {
    let at_points = points.into_iter().flat_map(|point| [At::Point(point); 5]);
    let at_random = (0..trials).map(|_| At::Instant(usual.mul_f64(1.1 * random.unit())));
    at_points.chain(at_random.collect::<Vec<_>>()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_and_an_acknowledgement_that_are_killed_count_once() {
    let (trials, seed) = (setting("GRANARY_TRIALS", 5 * TRIALS) / 5, setting("GRANARY_SEED", 1));
    let scene = Scene::prepare(4).await;
    let mut random = Random(seed);
    let (_folder, base) = approved(&scene).await;
    let release = ["release", RELEASED];
    let (_whole_folder, whole) = copy(&base);
    let before = rows(&base, OUT, "before").await;
    let begun = Instant::now();
    scene.people(&whole, &release);
    let usual = begun.elapsed();
    let want = rows(&whole, OUT, "undisturbed").await;
    assert!(want.len() > before.len() + 4, "{want:?}");
    let (mut kills, mut out) = (0, 0);
    let points = ["release.before_commit", "release.after_commit"];
    for (trial, at) in instants(trials, &mut random, usual, points).into_iter().enumerate() {
        let what = format!("release {trial}, {at:?}");
        let (_folder, db) = copy(&base);
        kills += u64::from(killed(&scene, &db, &release, at).await);
        let after = rows(&db, OUT, &what).await;
        assert!(after == before || after == want, "{what}: {after:#?}");
        if let At::Point(point) = at {
            assert_eq!(after == want, point == "release.after_commit", "{what}");
        }
        out += u64::from(after == want);
        scene.people(&db, &release);
        assert_eq!(rows(&db, OUT, &what).await, want, "{what}: released again");
    }
    println!("{trials} releases, {kills} kills, seed {seed}, {out} after they had gone out");

    let keys = scene.to_take(&whole);
    let acknowledge: Vec<&str> =
        ["ack", CONSUMER].into_iter().chain(keys.iter().map(String::as_str)).collect();
    let (_taken_folder, taken) = copy(&whole);
    let begun = Instant::now();
    scene.people(&taken, &acknowledge);
    let usual = begun.elapsed();
    let before = rows(&whole, TAKEN, "before").await;
    let want = rows(&taken, TAKEN, "undisturbed").await;
    assert_eq!(want.len(), before.len() + keys.len());
    let (mut kills, mut partly) = (0, 0);
    let points = ["acknowledge.before_commit", "acknowledge.after_commit"];
    for (trial, at) in instants(trials, &mut random, usual, points).into_iter().enumerate() {
        let what = format!("acknowledgement {trial}, {at:?}");
        let (_folder, db) = copy(&whole);
        kills += u64::from(killed(&scene, &db, &acknowledge, at).await);
        let after = rows(&db, TAKEN, &what).await;
        partly += u64::from(after != before && after != want);
        // What is not yet taken is offered again, and nothing else.
        let mut open = keys.clone();
        open.retain(|key| !after.contains(key));
        assert_eq!(scene.to_take(&db), open, "{what}");
        scene.people(&db, &acknowledge);
        assert_eq!(rows(&db, TAKEN, &what).await, want, "{what}: said again");
        assert_eq!(scene.to_take(&db), Vec::<String>::new(), "{what}");
    }
    println!("{trials} acknowledgements, {kills} kills, {partly} of them half way");
}
