"""AutoETS against statsforecast's, on the same series, on the same core, in one call.

    python benches/peers/ets.py --data ../shared/data --sets weekly,hourly,retail

Needs statsforecast, polars and numpy. It writes each set's series to a text file, lets
`cargo bench -p granary-models --bench ets` and the peer forecast them, one thread each, and prints
the scores, the milliseconds a series and the ratio of the two. `--peer N` limits the peer to the
first N series of a set; the scores are then of those series for both.
"""

import argparse
import os
import pathlib
import subprocess
import tempfile
import time

for threads in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(threads, "1")

import numpy as np
import polars as pl


def m4(data, name, series=None):
    """Training parts and what came after, in the order of the files."""
    train, test = (pl.read_parquet(f"{data}/m4/{name}_{part}.parquet") for part in ("train", "test"))
    def parts(frame):
        groups = frame.group_by("unique_id", maintain_order=True)
        return {key[0]: rows["y"].to_numpy().astype(float) for key, rows in groups}
    actual = parts(test)
    return [(key, y, actual[key]) for key, y in list(parts(train).items())[:series]]


def retail(series=1000, steps=1913, horizon=28, seed=20240611):
    """Negative binomial sales with a weekly season and a level that drifts."""
    rng = np.random.default_rng(seed)
    rows = []
    for k in range(series):
        level = rng.lognormal(np.log(3.0), 0.6)
        week = rng.dirichlet(np.full(7, 12.0)) * 7
        dispersion = rng.uniform(1.0, 6.0)
        drift = np.cumsum(rng.normal(0.0, 0.01, steps + horizon))
        t = np.arange(steps + horizon)
        mean = level * week[t % 7] * np.exp(drift - drift.mean())
        sales = rng.poisson(rng.gamma(dispersion, mean / dispersion)).astype(float)
        rows.append((f"R{k + 1}", sales[:steps], sales[steps:]))
    return rows


SETS = {
    # name: series, season of the models, lag of the scale (None: RMSE)
    "weekly": (lambda data: m4(data, "weekly"), 1, 1),
    "hourly": (lambda data: m4(data, "hourly", 60), 24, 24),
    "retail": (lambda data: retail(), 7, None),
}


def write(path, rows, season):
    with open(path, "w") as file:
        for key, y, actual in rows:
            values = " ".join(repr(float(v)) for v in y)
            file.write(f"{key}\t{season}\t{len(actual)}\t{values}\n")


def ours(path, out, model):
    bench = "cargo bench -q -p granary-models --bench ets --".split()
    subprocess.run([*bench, path, out, model], check=True)
    forecasts, seconds, specs = {}, {}, {}
    for line in open(out):
        key, spec, nanoseconds, values = line.rstrip("\n").split("\t")
        forecasts[key] = np.array(values.split(), dtype=float)
        seconds[key], specs[key] = int(nanoseconds) / 1e9, spec
    return forecasts, seconds, specs


def peer(rows, season):
    from statsforecast.models import AutoETS

    AutoETS(season_length=season).forecast(y=rows[0][1][:100], h=2)
    forecasts, seconds, specs = {}, {}, {}
    for key, y, actual in rows:
        begun = time.perf_counter()
        model = AutoETS(season_length=season).fit(y)
        forecasts[key] = model.predict(h=len(actual))["mean"]
        seconds[key] = time.perf_counter() - begun
        specs[key] = model.model_["method"]
    return forecasts, seconds, specs


def score(rows, forecasts, lag):
    """Each series' MASE, or its mean squared error where there is no lag."""
    scores = []
    for key, y, actual in rows:
        error = actual - np.maximum(forecasts[key], 0.0) if y.min() >= 0 else actual - forecasts[key]
        scale = np.mean(np.abs(y[lag:] - y[:-lag])) if lag else None
        scores.append(np.mean(np.abs(error)) / scale if lag else np.mean(error**2))
    return np.array(scores)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", default="../shared/data")
    parser.add_argument("--sets", default="weekly,hourly,retail")
    parser.add_argument("--model", default="auto_ets", help="or auto_ets_aicc, holt, ...")
    parser.add_argument("--peer", type=int, default=None)
    args = parser.parse_args()
    print(f"{'set':8} {'series':>6} {'score':>6} {'ours':>8} {'peer':>8} {'ratio':>7}"
          f" {'ours ms':>8} {'peer ms':>8} {'faster':>7}")
    for name in args.sets.split(","):
        load, season, lag = SETS[name]
        rows = load(args.data)
        with tempfile.TemporaryDirectory() as folder:
            path, out = (str(pathlib.Path(folder) / part) for part in ("series", "forecasts"))
            write(path, rows, season)
            mine = ours(path, out, args.model)
        for count in sorted({len(rows), min(args.peer or len(rows), len(rows))}):
            some = rows[:count]
            total = lambda scores: np.mean(scores) if lag else np.sqrt(np.mean(scores))
            a = total(score(some, mine[0], lag))
            ms = 1e3 * np.mean([mine[1][key] for key, _, _ in some])
            line = f"{name:8} {count:6} {'MASE' if lag else 'RMSE':>6} {a:8.4f}"
            if count == min(args.peer or len(rows), len(rows)):
                theirs = peer(some, season)
                b = total(score(some, theirs[0], lag))
                their_ms = 1e3 * np.mean([theirs[1][key] for key, _, _ in some])
                line += f" {b:8.4f} {a / b:7.4f} {ms:8.3f} {their_ms:8.1f} {their_ms / ms:6.0f}x"
            else:
                line += f" {'':8} {'':7} {ms:8.3f}"
            print(line, flush=True)


if __name__ == "__main__":
    main()
