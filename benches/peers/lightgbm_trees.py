"""LightGBM on the table of `benches/trees.rs`: seconds to fit and to score, and the same scores.

    cargo bench -p granary-models --bench trees -- write FOLDER 1000000
    python benches/peers/lightgbm_trees.py FOLDER --rounds 200 --leaves 64 --threads 2

Needs lightgbm and numpy. Learning rate, shares, least rows of a leaf and penalty are those of
`BoostConfig::default()`.
"""

import argparse
import time

import lightgbm as lgb
import numpy as np

COLUMNS = 40
POWER = 1.5


def read(folder, name):
    parts = {part: np.fromfile(f"{folder}/{name}_{part}.f32", dtype=np.float32)
             for part in ("features", "target", "mean")}
    parts["features"] = parts["features"].reshape(-1, COLUMNS)
    return parts


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--leaves", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    train, test = read(args.folder, "train"), read(args.folder, "test")
    parameters = {
        "objective": "tweedie", "tweedie_variance_power": POWER, "learning_rate": 0.1,
        "num_leaves": args.leaves, "min_data_in_leaf": 100, "lambda_l2": 1.0,
        "feature_fraction": 0.6, "bagging_fraction": 0.7, "bagging_freq": 1,
        "num_threads": args.threads, "max_bin": 255, "min_sum_hessian_in_leaf": 0.0,
        "verbose": -1,
    }
    begun = time.time()
    data = lgb.Dataset(train["features"], train["target"], params=parameters).construct()
    binned = time.time()
    model = lgb.train(parameters, data, num_boost_round=args.rounds)
    fitted = time.time()
    predicted = model.predict(test["features"], num_threads=args.threads)
    scored = time.time()
    print(f"LightGBM {lgb.__version__}: {len(train['target'])} rows x {COLUMNS}, {args.rounds} "
          f"trees x {args.leaves} leaves, {args.threads} threads: bins {binned - begun:.2f} s, fit "
          f"{fitted - binned:.2f} s, score {len(predicted)} rows {scored - fitted:.3f} s")
    target, mean, score = test["target"], test["mean"], np.log(predicted)
    loss = (-target * np.exp((1 - POWER) * score) / (1 - POWER)
            + np.exp((2 - POWER) * score) / (2 - POWER))
    print(f"held out: loss {loss.mean():.5f}, RMSE {np.sqrt(((predicted - target) ** 2).mean()):.5f}, "
          f"error of the mean {np.abs(predicted - mean).sum() / mean.sum():.4f}")


if __name__ == "__main__":
    main()
