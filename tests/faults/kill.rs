//! `kill -9` at any moment of a night: readers keep a whole plan, and the next start ends with the
//! bytes of an undisturbed night.
//!
//! `GRANARY_TRIALS` says how often a night is killed at a random instant (100; the full campaign is
//! 2,000), `GRANARY_SEED` which instants. Where exactly a kill hits depends on the machine; what
//! must hold does not.

mod checker;
mod pieces;
mod releases;
mod support;

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Instant;

use granary::config::faults::{POINTS, VARIABLE};
use sqlx::Connection;
use support::retailer::{self, JOBS};
use support::scene::{Scene, Start};
use support::{Random, broken, copy, difference, dump, granary, open, setting};

const TRIALS: u64 = 100;
const SIGKILL: i32 = 9;
/// Pieces that wait for the database at the most, and the one that it is writing.
const ON_THEIR_WAY: u64 = 5;

#[tokio::test(flavor = "multi_thread")]
async fn a_night_killed_at_random_instants_ends_as_if_undisturbed() {
    let (trials, seed) = (setting("GRANARY_TRIALS", TRIALS), setting("GRANARY_SEED", 1));
    println!("{trials} trials, seed {seed}");
    let begun = Instant::now();
    let scene = Scene::prepare(seed).await;
    let mut random = Random(seed);
    let (mut killed, mut published, mut resumed) = (0, 0, 0);
    for trial in 0..trials {
        let job = JOBS[random.below(2) as usize];
        let (_folder, db) = copy(&scene.base);
        // A third is killed again while it goes on.
        let kills = 1 + u64::from(random.below(3) == 0);
        let mut what = format!("trial {trial} of {job}");
        let mut new = false;
        for _ in 0..kills {
            let start = Start { job, threads: 1 + random.below(3) };
            let instant = scene.night(job).usual.mul_f64(1.1 * random.unit());
            what.push_str(&format!(", killed after {} µs", instant.as_micros()));
            let mut child = scene.command(&db, start).spawn().expect("the program starts");
            tokio::time::sleep(instant).await;
            child.kill().expect("a child to kill");
            let status = child.wait().expect("a child to wait for");
            killed += u64::from(status.signal() == Some(SIGKILL));
            let whole = scene.is_whole(&db, job, &what).await;
            assert!(whole || !new, "{what}: a published plan is gone");
            new = whole;
        }
        published += u64::from(new);
        let start = Start { job, threads: 1 + random.below(3) };
        let (pieces, _) = scene.ends_undisturbed(&db, start, &what).await;
        resumed += u64::from(pieces > 0);
    }
    let usual: Vec<String> =
        scene.nights.iter().map(|n| format!("{} {} ms", n.job, n.usual.as_millis())).collect();
    println!(
        "{trials} trials, {killed} kills, {published} after the new plan was published, {resumed} \
         went on from pieces; usual nights {}; {:.1} s in all",
        usual.join(", "),
        begun.elapsed().as_secs_f64()
    );
    assert!(trials < 20 || killed > 0, "no night was ever killed");
}

/// What the next start finds of the forecast.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kept {
    Nothing,
    /// So many pieces, or one fewer: effects are not asked for when all their trials are there.
    Some(u64),
    /// All but those that were still on their way to the database.
    Most,
    All,
}

fn kept_at(point: &str, passage: u64) -> Kept {
    match point {
        "attempt.begun" | "night.pulled" => Kept::Nothing,
        "checkpoint.saved" => Kept::Some(passage),
        "publish.after_commit" | "attempt.ended" => Kept::Nothing,
        "night.forecast" | "night.planned" => Kept::Most,
        _ => Kept::All,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_night_killed_at_every_fail_point_ends_as_if_undisturbed() {
    let scene = Scene::prepare(2).await;
    let nightly = |point: &str| {
        ["attempt.", "night.", "checkpoint.", "publish."].iter().any(|of| point.starts_with(of))
    };
    let points = POINTS.iter().filter(|point| nightly(point));
    let mut trials = 0;
    for point in points {
        for trial in 0..5 {
            let job = JOBS[trial as usize % 2];
            let passage = match *point {
                "checkpoint.saved" if job == "follow" => 1 + trial,
                "checkpoint.saved" => 1 + 2 * trial,
                _ => 1,
            };
            let fault = format!("{point}:{passage}");
            let (_folder, db) = copy(&scene.base);
            let start = Start { job, threads: 1 + trial % 3 };
            let status = scene.command(&db, start).env(VARIABLE, &fault).status();
            let status = status.expect("the program runs");
            assert_eq!(status.signal(), Some(SIGKILL), "{job} {fault}: {status}");
            let new = scene.is_whole(&db, job, &fault).await;
            let committed = matches!(*point, "publish.after_commit" | "attempt.ended");
            assert_eq!(new, committed, "{job} {fault}: whether the new plan is there");
            let (pieces, of) = scene.ends_undisturbed(&db, start, &fault).await;
            match kept_at(point, passage) {
                Kept::Nothing => assert_eq!(pieces, 0, "{job} {fault}"),
                Kept::Some(kept) => {
                    assert!(pieces == kept || pieces + 1 == kept, "{job} {fault}: {pieces}");
                }
                Kept::Most => {
                    assert!(pieces + ON_THEIR_WAY >= of, "{job} {fault}: {pieces} of {of}")
                }
                Kept::All => assert!(pieces == of && of > 4, "{job} {fault}: {pieces} of {of}"),
            }
            trials += 1;
        }
    }
    println!("{trials} kills at fail points");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_killed_at_every_fail_point_is_there_whole_or_not_at_all() {
    let scene = Scene::prepare(3).await;
    let file = scene.folder.path().join("more.csv");
    retailer::write_more_sales(&file, 4);
    // The importing process is a child with limits, or the process itself when it is asked to be.
    let import = |db: &Path, fault: Option<&str>, itself: bool| {
        let mut command = granary(db, scene.folder.path());
        command.args(["import", "sales"]).arg(&file).args(itself.then_some("--limited"));
        fault.into_iter().for_each(|fault| {
            command.env(VARIABLE, fault);
        });
        command.status().expect("the program runs")
    };
    let sales = async |db: &Path| {
        let mut db = open(db).await;
        assert_eq!(broken(&mut db).await, Vec::<String>::new());
        let sales = dump(&mut db, "sales").await;
        db.close().await.expect("closed");
        sales
    };
    let (_folder, db) = copy(&scene.base);
    let before = sales(&db).await;
    assert_eq!(import(&db, None, false).code(), Some(0));
    let after = sales(&db).await;
    assert!(after.lines().count() > before.lines().count());
    for point in POINTS.iter().filter(|point| point.starts_with("import.")) {
        for trial in 0..5 {
            let (_folder, db) = copy(&scene.base);
            let itself = trial < 3;
            let status = import(&db, Some(point), itself);
            let want = if itself { (None, Some(SIGKILL)) } else { (Some(3), None) };
            assert_eq!((status.code(), status.signal()), want, "{point}: {status}");
            let want = if *point == "import.after_commit" { &after } else { &before };
            let other = difference(&sales(&db).await, want);
            assert!(other.is_empty(), "{point}: {other:#?}");
            assert_eq!(import(&db, None, false).code(), Some(0), "{point}: again");
            let other = difference(&sales(&db).await, &after);
            assert!(other.is_empty(), "{point}, imported again: {other:#?}");
        }
    }
}
