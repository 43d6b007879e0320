//! iCalendar files that recur for ever, nest without end or name no day.

use super::case::Case;
use super::random::Random;

fn calendar(inside: &str) -> String {
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{inside}END:VCALENDAR\r\n")
}

fn event(lines: &str) -> String {
    format!("BEGIN:VEVENT\r\nUID:u@x\r\nSUMMARY:Feast\r\n{lines}\r\nEND:VEVENT\r\n")
}

pub fn good() -> Vec<u8> {
    calendar(&format!(
        "{}{}",
        event("DTSTART;VALUE=DATE:20260101\r\nRRULE:FREQ=YEARLY;COUNT=5"),
        event("DTSTART;VALUE=DATE:20260501\r\nDTEND;VALUE=DATE:20260504").replace("u@x", "v@x")
    ))
    .into_bytes()
}

pub fn cases(random: &mut Random) -> Vec<Case> {
    let rule =
        |text: &str| calendar(&event(&format!("DTSTART;VALUE=DATE:20260101\r\nRRULE:{text}")));
    let many = |count: usize, rule: &str| {
        let one = |n: usize| {
            event(&format!("DTSTART;VALUE=DATE:20260101{rule}")).replace("u@x", &format!("u{n}@x"))
        };
        calendar(&(0..count).map(one).collect::<String>())
    };
    let long_line = (0..200_000).map(|_| "x\r\n ").collect::<String>();
    let exceptions = (0..50_000).map(|_| "20260101").collect::<Vec<_>>().join(",");
    let fixed: Vec<(&str, String)> = vec![
        ("daily.ics", rule("FREQ=DAILY")),
        ("daily-million.ics", rule("FREQ=DAILY;COUNT=1000000")),
        ("secondly.ics", rule("FREQ=SECONDLY;COUNT=1000000000")),
        ("interval-zero.ics", rule("FREQ=DAILY;INTERVAL=0")),
        ("interval-max.ics", rule("FREQ=YEARLY;INTERVAL=2147483647")),
        ("never.ics", rule("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30")),
        ("until-far.ics", rule("FREQ=DAILY;UNTIL=99991231")),
        ("until-past.ics", rule("FREQ=DAILY;UNTIL=00010101")),
        ("count-zero.ics", rule("FREQ=DAILY;COUNT=0")),
        ("count-minus.ics", rule("FREQ=DAILY;COUNT=-1")),
        ("list.ics", rule(&format!("FREQ=MONTHLY;BYMONTHDAY={}", vec!["1"; 100_000].join(",")))),
        ("weekday.ics", rule("FREQ=MONTHLY;BYDAY=999999999999MO")),
        ("equals.ics", rule(&"=".repeat(100_000))),
        ("semicolons.ics", rule(&";".repeat(100_000))),
        ("bomb.ics", many(5_000, "\r\nRRULE:FREQ=DAILY;COUNT=4999")),
        ("entries.ics", many(60_000, "")),
        (
            "exceptions.ics",
            calendar(&event(&format!(
                "DTSTART;VALUE=DATE:20260101\r\nRRULE:FREQ=DAILY;COUNT=9\r\nEXDATE:{exceptions}"
            ))),
        ),
        (
            "folded.ics",
            calendar(&event(&format!("DTSTART;VALUE=DATE:20260101\r\nDESCRIPTION:{long_line}"))),
        ),
        ("nested.ics", "BEGIN:VCALENDAR\r\n".repeat(100_000)),
        ("nested-events.ics", calendar(&"BEGIN:VEVENT\r\n".repeat(100_000))),
        (
            "nested-alarms.ics",
            calendar(&format!("BEGIN:VEVENT\r\n{}", "BEGIN:VALARM\r\n".repeat(50_000))),
        ),
        ("ends.ics", "END:VEVENT\r\n".repeat(100_000)),
        ("open.ics", calendar("BEGIN:VEVENT\r\nUID:x\r\nSUMMARY:y\r\nDTSTART:20260101\r\n")),
        ("year-zero.ics", calendar(&event("DTSTART;VALUE=DATE:00000101"))),
        ("year-far.ics", calendar(&event("DTSTART;VALUE=DATE:99999101"))),
        ("leap.ics", calendar(&event("DTSTART:20260229T250000Z"))),
        ("duration.ics", calendar(&event("DTSTART:20260101T000000\r\nDURATION:P999999999W"))),
        (
            "duration-sum.ics",
            calendar(&event(&format!(
                "DTSTART:20260101T000000\r\nDURATION:P{}",
                "999999999D".repeat(9_000)
            ))),
        ),
        (
            "backwards.ics",
            calendar(&event("DTSTART;VALUE=DATE:20260110\r\nDTEND;VALUE=DATE:20260101")),
        ),
        ("span.ics", calendar(&event("DTSTART;VALUE=DATE:19000101\r\nDTEND;VALUE=DATE:21001231"))),
        (
            "zone.ics",
            calendar(&format!(
                "X-WR-TIMEZONE:{}\r\n{}",
                "Mars/".repeat(10_000),
                event("DTSTART:20260101T000000Z")
            )),
        ),
        (
            "parameters.ics",
            calendar(&event(&format!("DTSTART{}:20260101", ";A=\"".repeat(20_000)))),
        ),
        ("empty.ics", String::new()),
        ("text.ics", "hello".to_owned()),
        ("nul.ics", calendar(&event("DTSTART;VALUE=DATE:2026\x000101"))),
        ("cr.ics", calendar(&event("DTSTART;VALUE=DATE:20260101")).replace("\r\n", "\r")),
        (
            "long-name.ics",
            calendar(&event("DTSTART;VALUE=DATE:20260101").replace("Feast", &"f".repeat(2 << 20))),
        ),
        (
            "moved.ics",
            calendar(&event("DTSTART:20260101\r\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260101")),
        ),
    ];
    let mut cases: Vec<Case> =
        fixed.into_iter().map(|(name, text)| Case::new(name, "calendar_event", text)).collect();
    for n in 0..20 {
        let bytes = random.mutate(&good());
        cases.push(Case::new(&format!("mutated-{n}.ics"), "calendar_event", bytes));
    }
    cases
}
