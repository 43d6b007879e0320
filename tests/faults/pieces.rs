//! Whose pieces a night may go on from, and what it does when pieces cannot be kept.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use granary::config::faults::VARIABLE;
use granary::config::{Exit, Job, Refused};
use granary::store::Store;
use granary::store::attempt::Asked;
use granary::store::checkpoint::Keep;
use sqlx::Connection;

use crate::support::retailer::SECOND_NIGHT;
use crate::support::scene::{Scene, Start};
use crate::support::{broken, copy, difference, open};

const REFIT: Start = Start { job: "refit", threads: 2 };

async fn execute(db: &Path, sql: &'static str) {
    let mut db = open(db).await;
    sqlx::query(sql).execute(&mut db).await.expect("a statement");
    db.close().await.expect("closed");
}

async fn count(db: &Path, sql: &'static str) -> i64 {
    let mut db = open(db).await;
    let count = sqlx::query_scalar(sql).fetch_one(&mut db).await.expect("a count");
    db.close().await.expect("closed");
    count
}

/// Kills the second night when all its pieces are there.
fn kill_before_publishing(scene: &Scene, db: &Path) {
    let mut command = scene.command(db, REFIT);
    let status = command.env(VARIABLE, "publish.after_deletes").status().expect("a night");
    assert_eq!(status.signal(), Some(9), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pieces_of_other_inputs_settings_or_memories_are_forgotten() {
    let scene = Scene::prepare(6).await;
    let (_folder, kept) = copy(&scene.base);
    kill_before_publishing(&scene, &kept);
    assert!(count(&kept, "SELECT count(*) FROM run_checkpoint").await > 8);

    let changes: [(&str, &'static str); 3] = [
        (
            "a sale",
            "UPDATE sales SET qty = qty + 1 WHERE item_id = 'i001' AND location_id = 'S1' \
                    AND date = '2025-02-20'",
        ),
        ("stock", "UPDATE stock SET on_hand = on_hand + 1 WHERE item_id = 'i003'"),
        ("another version's pieces", "UPDATE run_checkpoint SET digest = 'of-another-version'"),
    ];
    for (what, sql) in changes {
        let (_folder, db) = copy(&kept);
        execute(&db, sql).await;
        // What a night on the changed inputs comes to when nothing was kept.
        let (_other, fresh) = copy(&db);
        execute(&fresh, "DELETE FROM run_checkpoint").await;
        assert_eq!(scene.finish(&fresh, REFIT).0, 0);
        let want = scene.plan(&fresh).await;

        let (pieces, _) = scene.finish(&db, REFIT);
        assert_eq!(pieces, 0, "{what}: pieces of before it were used");
        assert_eq!(difference(&scene.plan(&db).await, &want), Vec::<String>::new(), "{what}");
        assert_eq!(count(&db, "SELECT count(*) FROM run_checkpoint").await, 0, "{what}");
    }

    // The same inputs, and other partitions.
    let (_folder, db) = copy(&kept);
    let mut command = scene.command(&db, REFIT);
    command.env("GRANARY_PARTITION_SERIES", "11");
    assert!(matches!(command.status().expect("a night").code(), Some(0 | 4)));
    let plan = scene.plan(&db).await;
    assert_eq!(difference(&plan, &scene.night("refit").plan), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_night_whose_pieces_cannot_be_written_or_read_publishes_all_the_same() {
    let scene = Scene::prepare(7).await;
    let (_folder, db) = copy(&scene.base);
    execute(
        &db,
        "CREATE TRIGGER full BEFORE INSERT ON run_checkpoint \
         BEGIN SELECT RAISE(ABORT, 'the disk is full'); END",
    )
    .await;
    scene.ends_undisturbed(&db, REFIT, "no piece can be written").await;

    for breaking in [
        "UPDATE run_checkpoint SET payload = x'00'",
        "UPDATE run_checkpoint \
         SET payload = (SELECT payload FROM run_checkpoint WHERE stage = 'effects')",
    ] {
        let (_folder, db) = copy(&scene.base);
        kill_before_publishing(&scene, &db);
        execute(&db, breaking).await;
        let (pieces, of) = scene.ends_undisturbed(&db, REFIT, "broken pieces").await;
        // Only the one piece that is what it says can be of use.
        assert!(pieces <= 1 && of > 8, "{breaking}: {pieces} of {of}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overtaken_attempt_keeps_no_pieces_and_publishes_nothing() {
    let scene = Scene::prepare(8).await;
    let (_folder, db) = copy(&scene.base);
    let store = Store::open(&db).await.expect("a database");
    let job = Job::find(scene.folder.path(), "refit").expect("the job");
    // An attempt whose lease nobody lets go of; the next one takes it away.
    let keep = async |date| {
        execute(&db, "DELETE FROM job_lease").await;
        let lease = store.begin_run(&job, date, Asked::ByHand).await.expect("an attempt");
        let keep = Keep {
            attempt_id: lease.attempt_id(),
            job: "refit".to_owned(),
            business_date: date,
            digest: "d".to_owned(),
        };
        (keep, lease)
    };
    let (old, _old_lease) = keep(SECOND_NIGHT).await;
    store.save_checkpoint(&old, "trials", 3, b"made by the old").await.expect("kept");
    let (new, _new_lease) = keep(SECOND_NIGHT).await;
    let exit = |error: anyhow::Error| error.downcast_ref::<Refused>().map(|refused| refused.exit);
    let refused = store.save_checkpoint(&old, "trials", 4, b"late").await.expect_err("overtaken");
    assert_eq!(exit(refused), Some(Exit::LockHeld));
    let refused = store.open_checkpoints(&old).await.expect_err("overtaken");
    assert_eq!(exit(refused), Some(Exit::LockHeld));

    let there = store.open_checkpoints(&new).await.expect("pieces");
    assert_eq!(there.into_iter().collect::<Vec<_>>(), [("trials".to_owned(), 3)]);
    let piece = store.load_checkpoint(&new, "trials", 3).await.expect("a piece");
    assert_eq!(piece.as_deref(), Some(&b"made by the old"[..]));
    assert_eq!(store.load_checkpoint(&new, "trials", 4).await.expect("none"), None);
    store.save_checkpoint(&new, "trials", 3, b"made anew").await.expect("kept");
    let piece = store.load_checkpoint(&new, "trials", 3).await.expect("a piece");
    assert_eq!(piece.as_deref(), Some(&b"made anew"[..]));

    // A later date of the same job forgets them.
    let (later, _later_lease) = keep(SECOND_NIGHT + 1).await;
    assert!(store.open_checkpoints(&later).await.expect("none").is_empty());
    assert_eq!(count(&db, "SELECT count(*) FROM run_checkpoint").await, 0);
}

/// A night that hangs in the middle is overtaken; set free, it stops at its next piece.
#[tokio::test(flavor = "multi_thread")]
async fn a_night_that_is_overtaken_on_its_way_stops() {
    let scene = Scene::prepare(9).await;
    let (_folder, db) = copy(&scene.base);
    // The newer attempt begins as soon as the first piece is written.
    execute(
        &db,
        "CREATE TRIGGER overtake AFTER INSERT ON run_checkpoint \
         BEGIN UPDATE job_lease SET attempt_id = attempt_id + 1000 WHERE job = NEW.job; END",
    )
    .await;
    let status = scene.command(&db, REFIT).status().expect("a night");
    assert_eq!(status.code(), Some(Exit::LockHeld as i32), "{status}");
    assert_eq!(count(&db, "SELECT count(*) FROM run_checkpoint").await, 1, "it went on");
    let mut connection = open(&db).await;
    assert_eq!(broken(&mut connection).await, Vec::<String>::new());
    connection.close().await.expect("closed");
    assert!(!scene.is_whole(&db, "refit", "overtaken").await, "it published");
}
