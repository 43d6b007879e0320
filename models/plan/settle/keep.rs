//! The freeze fence before, and hysteresis after, the limits are settled.

use crate::calendar::Day;
use crate::finding::Code;
use crate::plan::hysteresis::{Hysteresis, Previous, key_without_date};
use crate::plan::limits::PlanLimits;
use crate::plan::line::ReorderLine;
use crate::plan::settle::ledger::Component;
use crate::plan::settle::outcome::Outcome;
use crate::plan::settle::{Notes, write};
use crate::policy::reason::codes;

/// Lines within the fence take the quantity that they had, and cannot change.
pub(super) fn freeze(
    lines: &mut [ReorderLine],
    free: &mut [bool],
    limits: &PlanLimits,
    previous: &Previous,
    today: Day,
    notes: &mut Notes,
) {
    if limits.hysteresis.freeze_days == 0 {
        return;
    }
    let mut met = std::collections::BTreeSet::new();
    for (line, free) in lines.iter_mut().zip(free) {
        let Some(before) = previous.lines.get(key_without_date(&line.line_key)) else { continue };
        if !limits.hysteresis.freezes(before, today) {
            continue;
        }
        met.insert(key_without_date(&line.line_key).to_owned());
        let now = if *free { line.choice.qty.iter().position(|&q| q == line.qty) } else { None };
        let option = line.choice.qty.iter().position(|&qty| qty == before.qty);
        match (now, option) {
            _ if line.qty == before.qty => {}
            (Some(_), Some(option)) => {
                let change = before.qty - line.qty;
                let text = format!(
                    "It is planned to arrive on {}, within {} days, and stays as planned.",
                    before.expected_on, limits.hysteresis.freeze_days
                );
                let money = line.choice.cost_minor[option].round() as i64;
                write::change(line, codes::FROZEN, change, text);
                write::take(line, option, money);
            }
            _ => {
                let unit = line.facts.unit();
                let detail = format!(
                    "{} were planned, which can no longer be ordered; {} stay",
                    unit.show(before.qty),
                    unit.show(line.qty)
                );
                notes.line(line, Code::FrozenLineGone, detail);
            }
        }
        *free = false;
    }
    for (key, before) in &previous.lines {
        if limits.hysteresis.freezes(before, today) && before.qty > 0 && !met.contains(key) {
            let detail = format!("{key} was planned for {} and is gone", before.expected_on);
            notes.night(Code::FrozenLineGone, detail);
        }
    }
}

/// The option of each line after small changes are undone: all of them where the limits allow
/// that, else one by one as there is room.
pub(super) fn keep(
    component: &Component,
    outcome: &Outcome,
    lines: &[ReorderLine],
    steady: &Hysteresis,
    previous: &Previous,
) -> Vec<usize> {
    let problem = &component.problem;
    let mut picks = outcome.picks.clone();
    if previous.lines.is_empty() && !previous.whole {
        return picks;
    }
    let back: Vec<(usize, usize)> = (0..picks.len())
        .filter_map(|at| {
            let line = &lines[component.rows[at]];
            option_before(component, outcome, line, at, (steady, previous)).map(|to| (at, to))
        })
        .collect();
    let mut all = picks.clone();
    back.iter().for_each(|&(at, to)| all[at] = to);
    if problem.keeps_all(&problem.used(&all)) {
        return all;
    }
    let mut used = problem.used(&picks);
    let mut waiting = back;
    loop {
        let before = waiting.len();
        waiting.retain(|&(at, to)| {
            let fits = problem.fits(&used, at, picks[at], to);
            if fits {
                problem.apply(&mut used, at, picks[at], to);
                picks[at] = to;
            }
            !fits
        });
        if waiting.len() == before {
            break;
        }
    }
    // Sums carried along may have lost their last digits.
    if problem.keeps_all(&problem.used(&picks)) { picks } else { outcome.picks.clone() }
}

/// What the line was before, where it may still be that and the change is small.
fn option_before(
    component: &Component,
    outcome: &Outcome,
    line: &ReorderLine,
    at: usize,
    (steady, previous): (&Hysteresis, &Previous),
) -> Option<usize> {
    let problem = &component.problem;
    let goods = &problem.goods[at];
    let now = outcome.picks[at];
    let before = previous.qty(&line.line_key)?;
    let to = line.choice.qty.iter().position(|&qty| qty == before)?;
    if to == now || (problem.closed[at] && to != 0) {
        return None;
    }
    let (money, qty) = goods.members.iter().fold((0.0, 0.0), |(money, qty), member| {
        let price = outcome.prices[member.limit];
        (money + price * member.per_money, qty + price * member.per_qty)
    });
    let gain = goods.net(now, money, qty) - goods.net(to, money, qty);
    let worth = goods.value[now].abs().max(goods.value[to].abs());
    let change = line.choice.qty[now] - before;
    let small = steady.small(change, line.facts.multiple);
    (small || gain < steady.least_gain(worth)).then_some(to)
}
