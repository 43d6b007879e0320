"""LightGBM on all series of fresh_retail at four weekly cutoffs, one global model a cutoff.

    python benches/peers/lightgbm_fresh_retail.py ../shared/data/fresh_retail/daily.parquet

Each cutoff holds out the seven days after it and knows everything before; the last is 2024-06-04.
A model learns from target days up to its cutoff only. Scores are of fully available days: all
series, and the 2,000 of PEERS.md. Needs lightgbm, polars and numpy. `--set NAME=VALUE` tries
another setting than the default, which is the best of those tried on the two earliest cutoffs
(`--cutoffs 0,1`; WAPE of all series, bias):

    windows end 7 days before the target, no means      .3008 +.032
    windows end at the cutoff, horizon as a feature     .2923 +.031
    ... from an offset                                  .2947 +.043
    ... from an offset, with means                      .2905 +.032
    ... from an offset, with means and ratios           .2900 +.025
    ... offset, means, 200 rounds of 0.06, 63 leaves    .2921 +.038
    ... with means and ratios                           .2928 +.021
    ... with means, 300 rounds of 0.10                  .2897 +.022
    ... with means (the default)                        .2895 +.022
"""

import argparse
import datetime
import time

import lightgbm as lgb
import numpy as np
import polars as pl

HORIZON = 7
LAST_CUTOFF = datetime.date(2024, 6, 4)
STATICS = ["city_id", "store_id", "product_id", "management_group_id", "first_category_id",
           "second_category_id", "third_category_id"]
DRIVERS = ["discount", "holiday_flag", "activity_flag", "precpt", "avg_temperature",
           "avg_humidity", "avg_wind_level"]
# Marked as days off, worked to make up for a holiday.
WORKED = [datetime.date(2024, 4, 28), datetime.date(2024, 5, 11)]
DEFAULTS = {
    "rate": 0.12, "rounds": 150, "leaves": 127, "power": 1.3, "min_data": 200, "features": 0.6,
    "rows": 0.7, "l2": 0.0, "first_day": 21,
    # Windows that end at the cutoff instead of seven days before the target.
    "recent": 1,
    # Start from the logarithm of the recent level instead of from nothing.
    "offset": 0,
    # Levels of the item over stores, of the store, of the category in the store.
    "means": 1,
    # Lags and windows divided by the level.
    "ratios": 0,
}


class Panel:
    """Series by days, as matrices."""

    def __init__(self, path):
        frame = pl.read_parquet(path).with_columns(ds=pl.col("dt").cast(pl.Date)).sort(
            "city_id", "store_id", "product_id", "ds")
        self.days = frame["ds"].unique().sort().to_list()
        shape = (-1, len(self.days))
        first = frame.gather_every(len(self.days))
        self.names = (first["city_id"].cast(pl.String) + "_" + first["store_id"].cast(pl.String)
                      + "_" + first["product_id"].cast(pl.String)).to_list()
        self.statics = first.select(STATICS).to_numpy().astype(np.float32)
        self.sold = frame["sale_amount"].to_numpy().astype(np.float32).reshape(shape)
        out = frame["stockout_hours_6_22"].to_numpy().astype(np.float32).reshape(shape)
        self.available = 1 - out / 16
        self.drivers = [frame[name].to_numpy().astype(np.float32).reshape(shape)
                        for name in DRIVERS]
        for day in WORKED:
            self.drivers[DRIVERS.index("holiday_flag")][:, self.days.index(day)] = 0
        # Sales divided by the share of the day in stock, at least half; the last known value on
        # days mostly out of stock.
        rebuilt = np.where(self.available > 0.3, self.sold / np.clip(self.available, 0.5, 1), np.nan)
        self.rebuilt = fill_forward(rebuilt, self.sold)

    def sample(self):
        """The 2,000 series of PEERS.md."""
        order = sorted(range(len(self.names)), key=lambda i: self.names[i])
        chosen = np.zeros(len(self.names), dtype=bool)
        chosen[order[::len(order) // 2000][:2000]] = True
        return chosen


def fill_forward(values, otherwise):
    at = np.where(np.isnan(values), -1, np.arange(values.shape[1])[None, :])
    np.maximum.accumulate(at, axis=1, out=at)
    filled = np.take_along_axis(values, np.maximum(at, 0), axis=1)
    return np.where(at < 0, otherwise, filled).astype(np.float32)


class Windows:
    """Sums over windows of days, from running sums; an end is the first day that is not in it."""

    def __init__(self, values):
        zero = np.zeros((values.shape[0], 1))
        self.sums = np.concatenate([zero, np.cumsum(values, axis=1, dtype=np.float64)], axis=1)

    def mean(self, end, days):
        begin = max(end - days, 0)
        if end <= begin:
            return np.full(self.sums.shape[0], np.nan, dtype=np.float32)
        return ((self.sums[:, end] - self.sums[:, begin]) / (end - begin)).astype(np.float32)


class Features:
    """Rows of one target day at one horizon; nothing after `day - horizon` is read but drivers."""

    def __init__(self, panel, setting):
        self.panel, self.setting = panel, setting
        self.demand = Windows(panel.rebuilt)
        self.squares = Windows(panel.rebuilt.astype(np.float64) ** 2)
        whole = (panel.available >= 1).astype(np.float32)
        self.whole, self.whole_sold = Windows(whole), Windows(whole * panel.sold)
        self.discount = Windows(panel.drivers[DRIVERS.index("discount")])
        self.available = Windows(panel.available)
        self.groups = {}
        for name, by in (("item", ["product_id"]), ("store", ["store_id"]),
                         ("shelf", ["store_id", "third_category_id"]),
                         ("town", ["city_id", "product_id"])):
            ids = panel.statics[:, [STATICS.index(b) for b in by]]
            _, group = np.unique(ids, axis=0, return_inverse=True)
            group = group.reshape(-1)
            size = np.bincount(group)
            daily = np.stack([np.bincount(group, weights=panel.rebuilt[:, d]) / size
                              for d in range(panel.rebuilt.shape[1])], axis=1)
            self.groups[name] = (group, Windows(daily))

    def level(self, origin):
        """Recent mean demand at the end of `origin`, a little above zero."""
        near, far = self.demand.mean(origin + 1, 14), self.demand.mean(origin + 1, 28)
        return 0.6 * near + 0.4 * far + 0.02

    def of(self, day, horizon):
        panel, setting = self.panel, self.setting
        origin = day - horizon
        end = origin + 1 if setting["recent"] else day - 6
        level = self.level(end - 1)
        scaled = (lambda x: x / level) if setting["ratios"] else (lambda x: x)
        rows = {}
        for lag in (7, 8, 9, 14, 21, 28):
            rows[f"lag{lag}"] = scaled(column(panel.rebuilt, day - lag))
        for days in (3, 7, 14, 28, 56):
            rows[f"mean{days}"] = scaled(self.demand.mean(end, days))
        mean, square = self.demand.mean(end, 28), self.squares.mean(end, 28)
        rows["spread28"] = scaled(np.sqrt(np.maximum(square - mean * mean, 0)))
        rows["weekday4"] = scaled(np.mean(
            [column(panel.rebuilt, day - lag) for lag in (7, 14, 21, 28)], axis=0))
        rows["discount14"] = self.discount.mean(end, 14)
        if setting["recent"]:
            rows["horizon"] = np.full(len(level), horizon, dtype=np.float32)
            for lag in (0, 1, 2):
                rows[f"last{lag}"] = scaled(column(panel.rebuilt, origin - lag))
            whole = self.whole.mean(end, 28)
            with np.errstate(divide="ignore", invalid="ignore"):
                rows["whole28"] = scaled(self.whole_sold.mean(end, 28) / whole)
            rows["available14"] = self.available.mean(end, 14)
            rows["level"] = level
        if setting["means"]:
            for name, (group, windows) in self.groups.items():
                near, far = windows.mean(end, 7)[group], windows.mean(end, 28)[group]
                rows[f"{name}7"], rows[f"{name}_trend"] = near, near / (far + 1e-3)
        rows["weekday"] = np.full(len(level), panel.days[day].weekday(), dtype=np.float32)
        for name, values in zip(DRIVERS, panel.drivers):
            rows[name] = values[:, day]
        for k, name in enumerate(STATICS):
            rows[name] = panel.statics[:, k]
        matrix = np.stack([v.astype(np.float32) for v in rows.values()], axis=1)
        return matrix, np.log(level).astype(np.float32), list(rows)


def column(values, day):
    if day < 0:
        return np.full(values.shape[0], np.nan, dtype=np.float32)
    return values[:, day]


def fit(panel, features, cutoff, setting, threads):
    drawn = np.random.default_rng(20240604)
    parts, targets, offsets, names = [], [], [], []
    for day in range(setting["first_day"], cutoff + 1):
        whole = panel.available[:, day] >= 1
        horizons = drawn.integers(1, HORIZON + 1, len(whole))
        for horizon in range(1, HORIZON + 1):
            chosen = whole & (horizons == horizon)
            matrix, offset, names = features.of(day, horizon)
            parts.append(matrix[chosen])
            targets.append(panel.sold[chosen, day])
            offsets.append(offset[chosen])
    matrix, target, offset = np.concatenate(parts), np.concatenate(targets), np.concatenate(offsets)
    parameters = {
        "objective": "tweedie", "tweedie_variance_power": setting["power"],
        "learning_rate": setting["rate"], "num_leaves": int(setting["leaves"]),
        "min_data_in_leaf": int(setting["min_data"]), "feature_fraction": setting["features"],
        "bagging_fraction": setting["rows"], "bagging_freq": 1, "lambda_l2": setting["l2"],
        "num_threads": threads, "max_bin": 255, "verbose": -1, "seed": 1,
    }
    data = lgb.Dataset(matrix, target, init_score=offset if setting["offset"] else None,
                       feature_name=names, categorical_feature=["city_id", "weekday"])
    begun = time.time()
    model = lgb.train(parameters, data, num_boost_round=int(setting["rounds"]))
    return model, len(target), time.time() - begun


def score(panel, features, model, cutoff, setting, threads):
    """Predicted and sold, of fully available days in the seven after the cutoff; NaN elsewhere."""
    predicted = np.full((panel.sold.shape[0], HORIZON), np.nan)
    for horizon in range(1, HORIZON + 1):
        matrix, offset, _ = features.of(cutoff + horizon, horizon)
        raw = model.predict(matrix, raw_score=True, num_threads=threads)
        predicted[:, horizon - 1] = np.exp(raw + (offset if setting["offset"] else 0))
    window = slice(cutoff + 1, cutoff + 1 + HORIZON)
    predicted[panel.available[:, window] < 1] = np.nan
    return predicted, panel.sold[:, window]


def wape_and_bias(predicted, sold):
    known = ~np.isnan(predicted)
    error = predicted[known] - sold[known]
    return np.abs(error).sum() / sold[known].sum(), error.sum() / sold[known].sum()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("path")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cutoffs", default="0,1,2,3", help="which of the four, the earliest is 0")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    args = parser.parse_args()
    setting = DEFAULTS | {k: float(v) for k, v in (s.split("=") for s in args.set)}
    setting["first_day"] = int(setting["first_day"])
    begun = time.time()
    panel = Panel(args.path)
    features, sample = Features(panel, setting), panel.sample()
    print(f"{setting}\nread and summed in {time.time() - begun:.1f} s", flush=True)
    results = []
    for k in (int(k) for k in args.cutoffs.split(",")):
        began = time.time()
        cutoff = panel.days.index(LAST_CUTOFF - datetime.timedelta(days=7 * (3 - k)))
        model, rows, fitting = fit(panel, features, cutoff, setting, args.threads)
        predicted, sold = score(panel, features, model, cutoff, setting, args.threads)
        everything, few = wape_and_bias(predicted, sold), wape_and_bias(predicted[sample], sold[sample])
        results.append(everything + few)
        print(f"{panel.days[cutoff]} {rows} rows: all WAPE {everything[0]:.4f} bias "
              f"{everything[1]:+.4f}; 2,000 WAPE {few[0]:.4f} bias {few[1]:+.4f}; fit {fitting:.1f} "
              f"s, in all {time.time() - began:.1f} s", flush=True)
    mean = np.mean(results, axis=0)
    print(f"mean: all WAPE {mean[0]:.4f} bias {mean[1]:+.4f}; 2,000 WAPE {mean[2]:.4f} bias "
          f"{mean[3]:+.4f}; {time.time() - begun:.1f} s", flush=True)


if __name__ == "__main__":
    main()
