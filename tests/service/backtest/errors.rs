//! Wrong tables and wrong arguments: the exit code, and what is said.

use super::*;

const RIGHT: &str = "--freq D --horizon 2 --windows 2";

fn check(csv: &str, args: &str, code: i32, said: &str) {
    let desk = Desk::open();
    let input = desk.file("panel.csv", csv);
    let output = desk.run(&input, "out", args);
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{csv:?} {args}: {told}");
    assert!(told.contains(said), "{csv:?} {args}: {told}");
    assert!(!desk.path("out").join("scores.json").exists(), "{csv:?}: nothing is half-written");
}

#[test]
fn wrong_arguments_are_usage_errors_that_name_the_right_ones() {
    let good = daily(2, 30, |_, day| day.to_string());
    for (args, said) in [
        ("--freq X --horizon 2", "want one of D, W, M, H, 1"),
        ("--freq D --horizon 0", "1..="),
        ("--freq D --horizon two", "two"),
        ("--freq D --horizon 2 --windows 0", "1..="),
        ("--freq D --horizon 2 --step 0", "1..="),
        ("--freq D --horizon 2 --season 0", "1..="),
        ("--freq D", "--horizon"),
        ("--horizon 2", "--freq"),
        ("--freq D --horizon 2 --models thetta", "did you mean `theta`"),
        ("--freq D --horizon 2 --models launch", "is no model"),
        ("--freq D --horizon 2 --id-col ds", "two purposes"),
        ("--freq D --horizon 20 --windows 2", "need 41 days"),
        ("--freq D --horizon 2 --windows 16", "2024-01-01 to 2024-01-30"),
    ] {
        check(&good, args, 2, said);
    }
    check("unique_id,ds,y\na,1,2\n", "--freq 1 --horizon 1 --models pooled", 2, "needs --freq D");
}

#[test]
fn wrong_tables_are_rejected_with_the_place() {
    let cases: &[(&str, &str)] = &[
        ("", "empty"),
        ("unique_id,ds,y\n", "has no rows"),
        (
            "id,ds,y\na,2024-01-01,1\n",
            "there is no column `unique_id` among id, ds, y (--id-col names another)",
        ),
        ("uniqueid,ds,y\na,2024-01-01,1\n", "is it `uniqueid`?"),
        ("unique_id,ds,y,Y\na,2024-01-01,1,1\n", "two columns are named"),
        ("unique_id,ds,y\na,2024-01-01\n", "row 2: 2 fields; the header has 3"),
        ("unique_id,ds,y\n,2024-01-01,1\n", "row 2, column `unique_id`"),
        ("unique_id,ds,y\na,,1\n", "row 2, column `ds`"),
        ("unique_id,ds,y\na,2024-01-01,x\n", "row 2, column `y`: \"x\""),
        ("unique_id,ds,y\na,2024-01-01,inf\n", "legal is 0 to 1e15"),
        ("unique_id,ds,y\na,2024-01-01,-inf\n", "not a finite number"),
        ("unique_id,ds,y\na,2024-01-01,1e16\n", "out of range; legal is 0 to 1e15"),
        ("unique_id,ds,y\na,2024-01-01,-3\n", "\"-3\": negative; legal is 0 to 1e15"),
        ("unique_id,ds,y\na,2024-01-01,\n", "no row has a value"),
        ("unique_id,ds,y\na,2024-13-01,1\n", "column `ds`: \"2024-13-01\""),
        ("unique_id,ds,y\na,01/02/2024,1\n", "cannot be told apart"),
        ("unique_id,ds,y\na,7,1\n", "--freq 1 would fit"),
        ("unique_id,ds,y\na,2024-01-01T06:00:00,1\n", "--freq H would fit"),
        ("unique_id,ds,y\na,1024-01-01,1\n", "between 1900 and 2100"),
        (
            "unique_id,ds,y\na,2024-01-01,1\nb,2024-01-01,1\na,2024-01-01,1\n",
            "series \"a\" has 2024-01-01 twice, in rows 2 and 4",
        ),
        (
            "unique_id,ds,y\na,2024-01-01,1\na,2024-01-08,1\na,2024-01-15,1\na,2024-01-22,1\n",
            "--freq W would fit",
        ),
        (
            "unique_id,ds,y\na,2024-01-01,1\na,2024-02-01,1\na,2024-03-01,1\na,2024-04-01,1\n",
            "--freq M would fit",
        ),
        ("unique_id,ds,y,available\na,2024-01-01,1,1.2\n", "column `available`: \"1.2\""),
        ("unique_id,ds,y,promo\na,2024-01-01,1,-0.1\n", "legal is 0 to 1"),
        ("unique_id,ds,y,price\na,2024-01-01,1,0\n", "legal is above 0"),
        (
            "unique_id,ds,y,category\na,2024-01-01,1,x\na,2024-01-02,1,y\n",
            "row 3, column `category`: \"y\": row 2 puts the series into \"x\"",
        ),
    ];
    for (csv, said) in cases {
        check(csv, RIGHT, 3, said);
    }
    let weekly = "unique_id,ds,y\na,2024-01-01,1\na,2024-01-09,1\n";
    check(weekly, "--freq W --horizon 1", 3, "are not whole weeks apart; --freq D would fit");
    let two = "unique_id,ds,y\na,2024-01-01,1\na,2024-01-08,1\nb,2024-01-02,1\n";
    check(two, "--freq W --horizon 1", 3, "2024-01-01 of series \"a\" and 2024-01-02");
    let monthly = "unique_id,ds,y\na,2024-01-01,1\na,2024-02-02,1\n";
    check(monthly, "--freq M --horizon 1", 3, "are not on the same day of their months");
    let hourly = "unique_id,ds,y\na,2024-01-01T00:00:00,1\na,2024-01-01T00:30:00,1\n";
    check(hourly, "--freq H --horizon 1", 3, "are not whole hours apart");
    let slip = "unique_id,ds,y\na,1,1\na,2,1\na,900000000,1\n";
    check(slip, "--freq 1 --horizon 1", 3, "is one of them a slip?");
    check("unique_id,ds,y\na,2024-01-01,1\n", "--freq 1 --horizon 1", 3, "it is a date");
}

#[test]
fn every_bad_row_counts_and_the_first_are_told() {
    let csv = daily(1, 20, |_, day| if day < 9 { "x".into() } else { "1".into() });
    check(&csv, RIGHT, 3, "rejected rows: 9");
    check(&csv, RIGHT, 3, "row 6, column `y`");
}

#[test]
fn files_that_are_not_there_or_are_no_tables() {
    let desk = Desk::open();
    let output = desk.run(&desk.path("none.csv"), "out", RIGHT);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    for (name, text) in [("table.doc", "a"), ("table.parquet", "PAR1 is not enough PAR1")] {
        let output = desk.run(&desk.file(name, text), "out", RIGHT);
        assert_eq!(output.status.code(), Some(3), "{name}: {}", stderr(&output));
        assert!(stderr(&output).contains(name), "{}", stderr(&output));
    }
}
