//! Drivers and properties beside the panel: what is refused, what is told, that nothing leaks, and
//! that a run with other drivers is another run.

use super::*;

const RIGHT: &str = "--freq D --horizon 2 --windows 2 --models ses";

fn panel() -> String {
    daily(2, 30, |series, day| demand(series, day).to_string())
}

fn day(at: i32) -> String {
    let first: granary_models::calendar::Day = "2024-01-01".parse().expect("a date");
    (first + at).to_string()
}

/// `text` with `s0` and the first days in place of `{0}` …
fn dated(text: &str) -> String {
    (0..4).fold(text.to_owned(), |text, at| text.replace(&format!("{{{at}}}"), &day(at)))
}

/// Runs with `args` beside [`RIGHT`], in which `@name` is the path of a file of `files`.
fn run(desk: &Desk, panel: &str, files: &[(&str, String)], args: &str, out: &str) -> Output {
    let input = desk.file("panel.csv", panel);
    let mut args = format!("{RIGHT} {args}");
    for (name, text) in files {
        let path = desk.file(name, text);
        args = args.replace(&format!("@{name}"), path.to_str().expect("a path"));
    }
    desk.run(&input, out, &args)
}

/// Files by name, arguments and what is said of them.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);

fn check(files: &[(&str, &str)], args: &str, code: i32, said: &str) {
    let desk = Desk::open();
    let files: Vec<(&str, String)> =
        files.iter().map(|(name, text)| (*name, dated(text))).collect();
    let output = run(&desk, &panel(), &files, args, "out");
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{files:?} {args}: {told}");
    assert!(told.contains(said), "{files:?} {args}: {told}");
    assert!(!desk.path("out").join("scores.json").exists(), "{files:?}: nothing is half-written");
}

#[test]
fn what_is_not_declared_is_a_usage_error_that_names_it() {
    let d = [("d.csv", "unique_id,ds,plan,temp\ns0,{0},1,2\n")];
    let city = [("d.csv", "city,ds,temp\nX,{0},1\n"), ("s.csv", "unique_id,city\ns0,X\ns1,Y\n")];
    let two = [("d.csv", "ds,temp\n{0},1\n"), ("e.csv", "ds,Temp\n{0},1\n")];
    let price = [("d.csv", "unique_id,ds,price\ns0,{0},1\n")];
    let cases: &[Case] = &[
        (&d, "--drivers @d.csv", "neither --known nor --past names the columns plan, temp"),
        (&d, "--drivers @d.csv --known plan", "names the columns temp: say which"),
        (&d, "--drivers @d.csv --known plan,temp --past temp", "`temp` is declared by both"),
        (&d, "--drivers @d.csv --known plan --past temp --ignore temp", "and --ignore'd"),
        (&d, "--drivers @d.csv --known plan --past temp,tempp", "did you mean `temp`?"),
        (&d, "--known plan", "`plan` is declared but is in no file"),
        (&d, "--known y", "`y` of"),
        (&d, "--drivers @d.csv --ignore plan,temp", "has no column that is a driver"),
        (&city, "--drivers @d.csv --past temp", "names the columns city"),
        (&city, "--static @s.csv --drivers @d.csv", "names the columns temp"),
        (&two, "--drivers @d.csv --drivers @e.csv --past temp", "is in both"),
        (&price, "--drivers @d.csv --known price", "has a meaning of its own"),
        (&price, "--drivers @d.csv", "(--price-col)"),
        (&[], "--country XX", "there is no calendar of it (want AE, AU"),
    ];
    for (files, args, said) in cases {
        check(files, args, 2, said);
    }
    let weekly = "unique_id,ds,y\na,2024-01-01,1\na,2024-01-08,1\na,2024-01-15,1\n";
    let desk = Desk::open();
    let input = desk.file("panel.csv", weekly);
    let output = desk.run(&input, "out", "--freq W --horizon 1 --country CN");
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("needs --freq D"), "{}", stderr(&output));
}

#[test]
fn wrong_files_are_rejected_with_the_place() {
    let past = "--drivers @d.csv --past temp";
    let head = "unique_id,ds,temp\n";
    for (rows, said) in [
        ("", "has no rows"),
        ("s0,{0},1\ns0,{0},1\n", "\"s0\" has 2024-01-01 twice, in rows 2 and 3"),
        ("s0,{0},1\ns0,{1},x\n", "row 3, column `temp`: \"x\": it is no number, but row 2"),
        ("s0,{0},inf\n", "row 2, column `temp`: \"inf\": not a finite number; legal is -1e12"),
        ("s0,{0},2e12\n", "out of range; legal is -1e12 to 1e12"),
        ("s0,{0},1\n,{1},1\n", "row 3, column `unique_id`"),
        ("s0,7,1\n", "row 2, column `ds`: \"7\""),
        ("s0,{0}T06:00:00,1\n", "--freq H would fit"),
        ("s0,{0}\n", "row 2: 2 fields; the header has 3"),
        ("7,{0},1\n8,{0},1\n", "none of its 2 rows is of a series of the panel; row 2 is of \"7\""),
        ("s0,2030-01-01,1\n", "none of its 1 rows is of a series and step of the panel"),
    ] {
        check(&[("d.csv", &format!("{head}{rows}"))], past, 3, said);
    }
    let d = |text| [("d.csv", text)];
    check(&d("unique_id,day,temp\ns0,{0},1\n"), past, 3, "there is no column `ds`");
    check(&d("ds,temp\n{0},1\n{0},1\n"), past, 3, "2024-01-01 is there twice, in rows 2 and 3");
    let many: String = (0..13).map(|at| format!("s0,{},kind {at}\n", day(at))).collect();
    check(&[("d.csv", &format!("{head}{many}"))], past, 3, "more than 12 texts");

    let s = |text| [("s.csv", text)];
    let of = "--static @s.csv";
    check(&s("city\nX\n"), of, 3, "there is no column `unique_id` among city");
    check(&s("unique_id,city\ns0,X\ns0,Y\n"), of, 3, "row 2 has that series already");
    check(&s("unique_id,city\nz,X\n"), of, 3, "none of its rows is of a series of the panel");
    let both =
        [("s.csv", "unique_id,city\ns0,X\ns1,X\n"), ("d.csv", "city,ds,temp\nX,{0},1\nX,{0},2\n")];
    let args = "--static @s.csv --drivers @d.csv --past temp";
    check(&both, args, 3, "\"X\" has 2024-01-01 twice");
    check(&[], "--drivers nowhere.csv --past temp", 1, "nowhere.csv");

    let weekly = "unique_id,ds,y\na,2024-01-01,1\na,2024-01-08,1\na,2024-01-15,1\n";
    let desk = Desk::open();
    let (input, drivers) =
        (desk.file("panel.csv", weekly), desk.file("d.csv", "ds,t\n2024-01-02,1\n"));
    let args = format!("--freq W --horizon 1 --past t --drivers {}", drivers.display());
    let output = desk.run(&input, "out", &args);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stderr(&output).contains("it is not one of the panel's weeks"), "{}", stderr(&output));
}

/// A plan for all days and a temperature per city, with some rows that have no place.
fn files() -> Vec<(&'static str, String)> {
    let plan = |at: i32| format!("s0,{},{}\ns1,{},{}\n", day(at), at % 3, day(at), at % 2);
    let plans = (0..29).map(plan).collect::<String>();
    let sky = |at: i32| if at % 2 == 0 { "sun" } else { "rain" };
    let weather = (0..30).map(|at| format!("X,{},{},{}\n", day(at), at * 7 % 10, sky(at)));
    vec![
        ("plan.csv", format!("unique_id,ds,plan\n{plans}z,{},1\ns0,{},1\n", day(0), day(40))),
        ("weather.csv", "city,ds,temp,sky\n".to_owned() + &weather.collect::<String>()),
        ("static.csv", "unique_id,city,brand\ns0,X,A\ns1,,B\nz,X,C\n".to_owned()),
    ]
}

const WITH: &str = "--drivers @plan.csv --drivers @weather.csv --static @static.csv \
                    --known plan --past temp,sky --country cn";

#[test]
fn what_was_given_is_told() {
    let desk = Desk::open();
    let output = run(&desk, &panel(), &files(), WITH, "out");
    let told = stderr(&output);
    assert!(output.status.success(), "{told}");
    let scores = json(&desk.path("out").join("scores.json"));
    let notes = scores["input"]["notes"].to_string();
    for note in [
        "driver `plan` is not known at 2 of 60 steps of series",
        "driver `temp` is not known at 30 of 60 steps of series",
        "rows of plan.csv whose series are not in the panel: 1, the first is row 60, \\\"z\\\"",
        "rows of plan.csv beyond the steps of their series: 1",
        "rows of static.csv whose series are not in the panel: 1",
        "driver `plan` should be known ahead, but is not at 2 of 8 steps that are forecast",
    ] {
        assert!(notes.contains(note), "{note}: {notes}");
        assert!(told.contains(&note.replace('\\', "")), "{note}: {told}");
    }
    let config = &scores["config"];
    let drivers: Vec<String> = config["drivers"]
        .as_array()
        .expect("drivers")
        .iter()
        .map(|of| {
            format!(
                "{} {} {} {} {}",
                of["name"], of["known"], of["joined_by"], of["labels"], of["missing"]
            )
        })
        .collect();
    assert_eq!(
        drivers,
        [
            r#""plan" "ahead" ["unique_id"] [] 2"#,
            r#""temp" "past" ["city"] [] 30"#,
            r#""sky" "past" ["city"] ["rain","sun"] 30"#,
        ]
    );
    let statics = config["statics"].to_string();
    assert_eq!(statics, r#"[{"labels":2,"name":"city"},{"labels":2,"name":"brand"}]"#);
    assert_eq!(config["country"], "CN");
    let beside: Vec<&str> = scores["input"]["beside"]
        .as_array()
        .expect("files")
        .iter()
        .map(|file| file["file"].as_str().expect("a name"))
        .collect();
    assert_eq!(beside, ["static.csv", "plan.csv", "weather.csv"]);
    let page = std::fs::read_to_string(desk.path("out").join("report.html")).expect("a report");
    for text in ["plan (known ahead), temp (only of the past)", "city, brand", "Calendar: CN"] {
        assert!(page.contains(text), "{text}");
    }
}

/// The forecasts with the days after the last cutoff of what is past-only, and of y, as `future`
/// has them.
fn forecasts(desk: &Desk, out: &str, future: impl Fn(i32) -> i32) -> DataFrame {
    let seen = |at: i32| if at < 28 { at } else { future(at) };
    let panel = daily(2, 30, |series, at| demand(series, seen(at)).to_string());
    let mut files = files();
    let weather = (0..30).map(|at| {
        let sky = if seen(at) % 2 == 0 { "sun" } else { "hail" };
        format!("X,{},{},{sky}\n", day(at), seen(at) * 7 % 10)
    });
    files[1].1 = "city,ds,temp,sky\n".to_owned() + &weather.collect::<String>();
    let args = format!("{WITH} --windows 1 --models all");
    let output = {
        let input = desk.file("panel.csv", &panel);
        let mut args = format!("--freq D --horizon 2 {args}");
        for (name, text) in &files {
            let path = desk.file(name, text);
            args = args.replace(&format!("@{name}"), path.to_str().expect("a path"));
        }
        desk.run(&input, out, &args)
    };
    assert!(output.status.success(), "{}", stderr(&output));
    parquet(&desk.path(out).join("forecasts.parquet")).drop("y").expect("a column")
}

#[test]
fn what_is_past_only_does_not_leak() {
    let desk = Desk::open();
    let as_it_was = forecasts(&desk, "a", |at| at);
    let shuffled = forecasts(&desk, "b", |at| at * 31 + 5);
    assert!(as_it_was.equals_missing(&shuffled), "the future was seen");
}
