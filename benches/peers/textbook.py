"""Exact policies beside stockpyl on the same cases, in one call, on one core.

    python benches/peers/textbook.py [--cases FILE]

Needs stockpyl and cargo. FILE (default ../shared/reference/inventory_cases.json) gives the (s,S),
Poisson (r,Q) and lot sizing cases; with them runs lot sizing over 104 periods. Ours is timed from
JSON to JSON, the peer without. Columns: case, microseconds here, milliseconds there, ratio, both
costs. Exits with 1 where answers differ.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[threads] = "1"

import warnings

warnings.filterwarnings("ignore")

from stockpyl.rq import r_q_poisson_exact
from stockpyl.ss import s_s_discrete_exact
from stockpyl.wagner_whitin import wagner_whitin

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def s_s(case):
    s, up_to, cost = s_s_discrete_exact(
        case["holding_cost"], case["stockout_cost"], case["fixed_cost"], True,
        demand_mean=case["demand_mean"])
    return cost, {"s": s, "S": up_to}


def r_q(case):
    r, quantity, cost = r_q_poisson_exact(
        case["holding_cost"], case["stockout_cost"], case["fixed_cost"],
        case["demand_mean"], case["lead_time"])
    return cost, {"r": r, "Q": quantity}


def lots(case):
    quantities, cost, _, _ = wagner_whitin(
        case["num_periods"], case["holding_cost"], case["fixed_cost"], case["demand"])
    return cost, {"order_quantities": [float(q) for q in quantities[1:]]}


PEERS = {"s_S_poisson": s_s, "r_Q_poisson": r_q, "dynamic_lot_size": lots}


def cases(file):
    with open(file) as opened:
        chosen = [c for c in json.load(opened) if c["model"] in PEERS]
    chosen = [{"id": c["id"], "model": c["model"], "input": c["input"]} for c in chosen]
    demand = [float((37 * t * t + 11 * t) % 97) for t in range(104)]
    chosen.append({"id": "weeks_104", "model": "dynamic_lot_size", "input": {
        "num_periods": 104, "holding_cost": 0.7, "fixed_cost": 180, "demand": demand}})
    return chosen


def ours(chosen):
    with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file:
        json.dump(chosen, file)
    try:
        command = ["cargo", "bench", "-q", "-p", "granary-models", "--bench", "textbook", "--"]
        done = subprocess.run(command + [file.name], cwd=ROOT, capture_output=True, text=True,
                              check=True)
    finally:
        os.unlink(file.name)
    out = []
    for line in done.stdout.splitlines():
        if line.startswith("case "):
            _, seconds, answer = line.split(" ", 2)
            out.append((float(seconds), json.loads(answer)))
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    reference = os.path.join(ROOT, "..", "shared", "reference", "inventory_cases.json")
    parser.add_argument("--cases", default=reference)
    args = parser.parse_args()
    chosen = cases(args.cases)
    build = ["cargo", "bench", "-q", "-p", "granary-models", "--bench", "textbook", "--no-run"]
    subprocess.run(build, cwd=ROOT, check=True)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    least, slowest, wrong = {}, {}, 0
    for case, (seconds, answer) in zip(chosen, ours(chosen), strict=True):
        begun = time.perf_counter()
        cost, policy = PEERS[case["model"]](case["input"])
        theirs = time.perf_counter() - begun
        mine = answer.get("cost_rate", answer.get("cost"))
        agree = abs(mine - cost) <= 1e-6 * abs(cost)
        if case["model"] != "dynamic_lot_size":
            agree = agree and all(answer[name] == value for name, value in policy.items())
        wrong += not agree
        model = case["model"]
        least[model] = min(least.get(model, 1e99), theirs / seconds)
        slowest[model] = max(slowest.get(model, 0.0), seconds)
        print(f"{model} {case['id']}: {1e6 * seconds:.1f} us | peer {1e3 * theirs:.1f} ms |",
              f"{theirs / seconds:,.0f} x | {mine:.6f} {cost:.6f}",
              "" if agree else "DIFFERENT", flush=True)
    for model, ratio in least.items():
        print(f"{model}: at least {ratio:,.0f} x, at most {1e6 * slowest[model]:.1f} us a case")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
