"""Theta, CES and MSTL beside statsforecast on the same series, in one call, on one core.

    python benches/peers/theta.py weekly hourly retail [--data DIR] [--series N] [--models A,B]

Needs statsforecast, polars and cargo. `weekly` and `hourly` read the M4 series from DIR/m4
(default ../shared/data); `retail` simulates 100 series of negative binomial daily demand. Every
model runs with the season that the peer is given. --series N takes N series, evenly spread.
Columns: milliseconds a series of both, their ratio, and both MASE and sMAPE (weekly and hourly) or
RMSE (retail). A model without a peer has dashes.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time

for threads in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[threads] = "1"

import numpy as np
import polars as pl
from statsforecast import models as sf

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))

# Name here, seasons here, peer. The season of the peer is part of its constructor.
RUNS = {
    "weekly": [
        ("dynamic_optimized_theta", "-", lambda: sf.DynamicOptimizedTheta(season_length=1)),
        ("optimized_theta", "-", lambda: sf.OptimizedTheta(season_length=1)),
        ("dynamic_theta", "-", lambda: sf.DynamicTheta(season_length=1)),
        ("theta", "-", lambda: sf.Theta(season_length=1)),
        ("auto_theta", "-", lambda: sf.AutoTheta(season_length=1)),
        ("ces", "-", lambda: sf.AutoCES(season_length=1)),
        ("ces", "52", None),
        ("dynamic_optimized_theta", "52", None),
        ("mstl_theta", "52", None),
        ("mstl_ets", "52", None),
        ("log_mstl_theta", "52", None),
        ("log_ces", "52", None),
    ],
    "hourly": [
        ("dynamic_optimized_theta", "24", lambda: sf.DynamicOptimizedTheta(season_length=24)),
        ("auto_theta", "24", lambda: sf.AutoTheta(season_length=24)),
        ("ces", "24", lambda: sf.AutoCES(season_length=24)),
        ("mstl_ets", "24,168", lambda: sf.MSTL([24, 168])),
        ("mstl_theta", "24,168",
         lambda: sf.MSTL([24, 168], trend_forecaster=sf.DynamicOptimizedTheta(season_length=1))),
        ("ces_simple", "24", None),
        ("log_mstl_theta", "24,168", None),
    ],
    "retail": [
        ("dynamic_optimized_theta", "7", lambda: sf.DynamicOptimizedTheta(season_length=7)),
    ],
}
PERIOD = {"weekly": 1, "hourly": 24}
HORIZON = {"weekly": 13, "hourly": 48, "retail": 28}


def m4(data, group):
    def read(part):
        frame = pl.read_parquet(os.path.join(data, "m4", f"{group}_{part}.parquet"))
        frame = frame.sort("unique_id", "k", maintain_order=True)
        parts = frame.partition_by("unique_id", maintain_order=True)
        return [part["y"].to_numpy().astype(float) for part in parts]

    return read("train"), read("test")


def retail(series=100, length=1913, horizon=28):
    """Negative binomial days: a level that wanders slowly, a week, a mild year."""
    rng = np.random.default_rng(20)
    week = np.array([0.85, 0.8, 0.9, 0.95, 1.15, 1.35, 1.0])
    days = np.arange(length + horizon)
    history, future = [], []
    for _ in range(series):
        level = rng.gamma(1.5, 2.0) + 0.2
        wander = np.cumsum(rng.normal(0, 0.01, days.size))
        year = 1 + 0.15 * np.sin(2 * np.pi * (days / 365.25 + rng.random()))
        mean = level * np.exp(wander - wander.mean()) * week[days % 7] * year
        size = rng.uniform(0.8, 4.0)
        sold = rng.negative_binomial(size, size / (size + mean)).astype(float)
        history.append(sold[:length])
        future.append(sold[length:])
    return history, future


def ours(history, runs, horizon):
    """Seconds and forecasts of each model, run on this process's core."""
    out = {}
    with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False) as file:
        for values in history:
            file.write(" ".join(repr(float(v)) for v in values) + "\n")
    try:
        for name, seasons, _ in runs:
            command = ["cargo", "bench", "-q", "-p", "granary-models", "--bench", "theta", "--"]
            command += [file.name, name, str(horizon), seasons]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
            seconds, forecasts = 0.0, []
            for line in done.stdout.splitlines():
                words = line.split()
                if words[0] == "time":
                    seconds = float(words[2])
                elif words[0] == "forecast":
                    forecasts.append([float(word) for word in words[3:]])
            out[name, seasons] = (seconds, np.array(forecasts))
    finally:
        os.unlink(file.name)
    return out


def peers(history, make, horizon):
    make().forecast(y=history[0][:200], h=horizon)
    begun = time.perf_counter()
    rows = [make().forecast(y=values, h=horizon)["mean"] for values in history]
    return time.perf_counter() - begun, np.array(rows)


def scores(group, history, future, forecasts):
    if group == "retail":
        return f"RMSE {np.sqrt(np.mean((np.array(future) - forecasts) ** 2)):.4f}"
    m, mase, smape = PERIOD[group], [], []
    for y, actual, mean in zip(history, future, forecasts):
        scale = np.mean(np.abs(y[m:] - y[:-m]))
        error = np.abs(actual - mean)
        mase.append(np.mean(error) / scale)
        smape.append(np.mean(200 * error / (np.abs(actual) + np.abs(mean))))
    return f"MASE {np.mean(mase):.3f} sMAPE {np.mean(smape):.3f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("groups", nargs="*", default=["weekly"], choices=list(RUNS))
    parser.add_argument("--data", default=os.path.join(ROOT, "..", "shared", "data"))
    parser.add_argument("--series", type=int, default=0)
    parser.add_argument("--models", default="")
    args = parser.parse_args()
    build = ["cargo", "bench", "-q", "-p", "granary-models", "--bench", "theta", "--no-run"]
    subprocess.run(build, cwd=ROOT, check=True)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    for group in args.groups:
        history, future = retail() if group == "retail" else m4(args.data, group)
        if args.series:
            pick = np.linspace(0, len(history) - 1, args.series).astype(int)
            history, future = [history[k] for k in pick], [future[k] for k in pick]
        wanted = [n for n in args.models.split(",") if n]
        runs = [run for run in RUNS[group] if not wanted or run[0] in wanted]
        horizon = HORIZON[group]
        results = ours(history, runs, horizon)
        for name, seasons, make in runs:
            seconds, forecasts = results[name, seasons]
            mine = 1000 * seconds / len(history)
            print(f"{group} {name} [{seasons}] {len(history)} series: {mine:.3f} ms,",
                  scores(group, history, future, forecasts), end="", flush=True)
            if make is None:
                print(" | no peer")
                continue
            seconds, forecasts = peers(history, make, horizon)
            theirs = 1000 * seconds / len(history)
            print(f" | peer {theirs:.2f} ms,", scores(group, history, future, forecasts),
                  f"| {theirs / mine:.0f} x", flush=True)


if __name__ == "__main__":
    sys.exit(main())
