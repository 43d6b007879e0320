"""The three tables of `granary backtest` from FreshRetailNet-50K.

    python benches/peers/fresh_retail_tables.py OUT [--series N] [--data DIR] [--csv]

Needs polars. Reads DIR/fresh_retail/daily.parquet (default ../shared/data) and writes into OUT

    panel.parquet    unique_id, ds, y, available, promo
    drivers.parquet  unique_id, ds, discount, activity_flag, holiday_flag, precpt,
                     avg_temperature, avg_humidity, avg_wind_level
    static.parquet   unique_id, city, store, product, management_group, first_category,
                     second_category, third_category

`unique_id` is city_store_product. `available` is the share of the hours from 6 to 22 with stock.
`promo` is the depth of the discount; it is known ahead, as the shop decides it.
--series N takes N series: their names sorted as text, evenly spread, which for 2,000 is every 25th.
--csv writes CSV instead, the same numbers. The tables are the same bytes every time.

The weather is what was observed on the day, so an honest backtest declares it past-only:

    granary backtest --input OUT/panel.parquet --freq D --horizon 7 --windows 4 --out RESULT
        --static OUT/static.parquet --drivers OUT/drivers.parquet
        --known activity_flag --ignore discount,holiday_flag --country CN
        --past precpt,avg_temperature,avg_humidity,avg_wind_level
        --category-col management_group

The LightGBM of the shared reference sees that weather of the held-out days too. To compare with it
as it is, name the weather after --known too, and say so beside the figure.
"""

import argparse
import os

import polars as pl

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SELLING_HOURS = 16
DRIVERS = ["discount", "activity_flag", "holiday_flag", "precpt", "avg_temperature",
           "avg_humidity", "avg_wind_level"]
STATIC = ["city", "store", "product", "management_group", "first_category", "second_category",
          "third_category"]
# Small enough that a reader need not hold the whole table.
ROW_GROUP_ROWS = 500_000


def tables(daily, series):
    """The three frames, ordered by series and day."""
    parts = [pl.col(f"{name}_id").cast(pl.String) for name in ("city", "store", "product")]
    daily = daily.with_columns(
        unique_id=pl.concat_str(parts, separator="_"),
        ds=pl.col("dt").cast(pl.Date),
        y=pl.col("sale_amount").cast(pl.Float64),
        available=1 - pl.col("stockout_hours_6_22").cast(pl.Float64) / SELLING_HOURS,
        promo=(1 - pl.col("discount").cast(pl.Float64)).clip(0, 1),
    )
    if series:
        ids = daily["unique_id"].unique().sort()
        ids = ids.gather_every(max(1, len(ids) // series))[:series]
        daily = daily.filter(pl.col("unique_id").is_in(ids.implode()))
    daily = daily.sort("unique_id", "ds")
    panel = daily.select("unique_id", "ds", "y", "available", "promo")
    drivers = daily.select("unique_id", "ds", *DRIVERS)
    columns = [pl.col(f"{name}_id").alias(name) for name in STATIC]
    static = daily.group_by("unique_id", maintain_order=True).agg(
        [column.first() for column in columns]
    )
    changed = daily.select("unique_id", *columns).unique().height - static.height
    if changed:
        raise SystemExit(f"{changed} series change a property that should be static")
    return {"panel": panel, "drivers": drivers, "static": static}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("out")
    arguments.add_argument("--series", type=int, default=0, help="so many series; 0 is all")
    arguments.add_argument("--data", default=os.path.join(ROOT, "..", "shared", "data"))
    arguments.add_argument("--csv", action="store_true")
    args = arguments.parse_args()
    daily = pl.read_parquet(os.path.join(args.data, "fresh_retail", "daily.parquet"))
    os.makedirs(args.out, exist_ok=True)
    for name, frame in tables(daily, args.series).items():
        path = os.path.join(args.out, name)
        if args.csv:
            frame.write_csv(path + ".csv")
        else:
            frame.write_parquet(path + ".parquet", row_group_size=ROW_GROUP_ROWS)
        print(f"{name}: {frame.height} rows, {frame.width} columns")


if __name__ == "__main__":
    main()
