"""Window and intermittent models beside statsforecast: values and speed, in one run on one core.

    taskset -c 1 python benches/peers/intermittent.py
    taskset -c 1 python benches/peers/intermittent.py --parquet FILE --prefix y2   # a row a series

Needs numpy and statsforecast 2.1 (polars for --parquet). Writes the series to a temporary folder,
runs the peer's models on numpy arrays after a warm-up, then `cargo bench --bench intermittent` on
the same file, and prints microseconds a series, their ratio, and the median and the largest
difference of the forecasts, relative to the peer's where that is above 1.
"""

import argparse
import os
import pathlib
import subprocess
import tempfile
import time

for threads in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[threads] = "1"

import numpy as np
from statsforecast import models as peer

HORIZON = 28
PASSES = 5
MODELS = {
    "Naive": peer.Naive(),
    "SeasonalNaive": peer.SeasonalNaive(7),
    "RandomWalkWithDrift": peer.RandomWalkWithDrift(),
    "WindowAverage": peer.WindowAverage(14),
    "SeasonalWindowAverage": peer.SeasonalWindowAverage(7, 4),
    "SimpleExponentialSmoothing": peer.SimpleExponentialSmoothing(0.2),
    "CrostonClassic": peer.CrostonClassic(),
    "CrostonSBA": peer.CrostonSBA(),
    "TSB": peer.TSB(alpha_d=0.2, alpha_p=0.1),
    "CrostonOptimized": peer.CrostonOptimized(),
    "ADIDA": peer.ADIDA(),
    "IMAPA": peer.IMAPA(),
}


def synthetic(count: int, length: int) -> list[np.ndarray]:
    """Sales with a probability from 1/30 to 0.9 a step, of sizes from few units to hundreds."""
    random = np.random.default_rng(7)
    series = []
    for _ in range(count):
        occurs = random.random(length) < np.exp(random.uniform(np.log(1 / 30), np.log(0.9)))
        sizes = 1 + random.negative_binomial(1.5, 1 / (1 + np.exp(random.normal(1, 1.2))), length)
        series.append(np.where(occurs, sizes, 0).astype(float))
    return series


def from_parquet(path: str, prefix: str) -> list[np.ndarray]:
    import polars

    table = polars.read_parquet(path)
    columns = [name for name in table.columns if name.startswith(prefix)]
    rows = table.select(columns).cast(polars.Float64).to_numpy()
    return [row for row in np.ascontiguousarray(rows) if (row > 0).any()]


def run_peer(model, series):
    forecasts = np.array([model.forecast(y, HORIZON)["mean"] for y in series])
    least = float("inf")
    for _ in range(PASSES):
        begun = time.perf_counter()
        for y in series:
            model.forecast(y, HORIZON)
        least = min(least, time.perf_counter() - begun)
    return 1e6 * least / len(series), forecasts


def run_granary(series):
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "series"
        file.write_text("\n".join(" ".join(f"{v:.17g}" for v in y) for y in series))
        root = pathlib.Path(__file__).parents[2]
        bench = "cargo bench -q -p granary-models --bench intermittent --".split()
        done = subprocess.run([*bench, file], cwd=root, check=True, capture_output=True, text=True)
        micros = {name: float(t) for name, t in map(str.split, done.stdout.splitlines())}
        forecasts = {name: [] for name in MODELS}
        for line in pathlib.Path(f"{file}.forecasts").read_text().splitlines():
            name, *values = line.split(" ")
            forecasts[name].append([float(v) for v in values])
    return micros, forecasts


def compare(title: str, series) -> None:
    micros, forecasts = run_granary(series)
    print(f"\n{title}: {len(series)} series of {len(series[0])} steps")
    print(f"{'model':27} {'peer us':>9} {'ours us':>9} {'ratio':>7} {'median':>9} {'largest':>9}")
    for name, model in MODELS.items():
        peer_micros, want = run_peer(model, series)
        difference = np.abs(np.array(forecasts[name]) - want) / np.maximum(np.abs(want), 1)
        print(
            f"{name:27} {peer_micros:9.2f} {micros[name]:9.3f} {peer_micros / micros[name]:7.1f} "
            f"{np.median(difference):9.1e} {difference.max():9.1e}"
        )
    for name in ("DemandClass", "expected_demand"):
        print(f"{name:27} {'':9} {micros[name]:9.3f}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--parquet")
    parser.add_argument("--prefix", default="y")
    arguments = parser.parse_args()
    if arguments.parquet:
        compare("file", from_parquet(arguments.parquet, arguments.prefix))
        return
    for length in (1913, 76):
        compare("synthetic", [y for y in synthetic(600, length) if (y > 0).any()])


if __name__ == "__main__":
    main()
