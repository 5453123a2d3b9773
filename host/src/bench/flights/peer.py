"""The questions of the flights benchmark, answered in one go by Polars or DuckDB.

peer.py ENGINE QUESTION THREADS FILE OUT: reads FILE, measures its own seconds, the reading in them, and
writes the rows to OUT as Parquet: a text and four whole numbers, timestamps in milliseconds, a mean as a
double. Prints one JSON object.
"""

import json
import os
import sys
import time

engine, question, threads, file, out = sys.argv[1:6]


def polars_hourly(pl):
    hour = pl.col("date").dt.truncate("1h")
    # The watermark before a row is the greatest time of the rows before it less four hours.
    seen = pl.col("date").cum_max().shift(1) - pl.duration(hours=4)
    on_time = seen.is_null() | (seen < hour + pl.duration(hours=1) - pl.duration(milliseconds=1))
    return (
        pl.scan_parquet(file)
        .select("date", "delay", "origin", hour=hour, on_time=on_time)
        .filter("on_time")
        .group_by("origin", "hour")
        .agg(n=pl.len().cast(pl.Int64), mean=pl.col("delay").cast(pl.Float64).mean())
        .collect()
        .select("origin", pl.col("hour").dt.epoch("ms"), "n", "mean")
    )


def polars_connections(pl):
    flights = pl.scan_parquet(file)
    left = pl.col("date").dt.epoch("ms") + pl.col("delay") * 60_000
    half = 1_800_000
    departures = flights.select(
        airport=pl.col("origin"), left=left, left_late=pl.col("delay"), slot=left // half
    )
    landings = flights.filter(pl.col("delay") >= 30).select(
        airport=pl.col("destination"),
        landed=left + (30 + pl.col("distance") // 8) * 60_000,
        landed_late=pl.col("delay"),
    )
    # The half hour that is asked for lies in two slots of half an hour.
    both = [landings.with_columns(slot=pl.col("landed") // half + 1 + i) for i in (0, 1)]
    wait = pl.col("left") - pl.col("landed")
    return (
        pl.concat(both)
        .join(departures, on=["airport", "slot"])
        .filter((wait >= half) & (wait <= 2 * half))
        .select("airport", "landed", "landed_late", "left", "left_late")
        .collect()
    )


HOURLY = """
WITH known AS (
  SELECT "date", delay, origin, date_trunc('hour', "date") AS hour, max("date") OVER (
    ORDER BY file_row_number ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS seen
  FROM read_parquet('{file}', file_row_number = true))
SELECT origin, epoch_ms(hour) AS hour, count(*) AS n, avg(delay) AS mean FROM known
WHERE seen IS NULL OR seen - INTERVAL 4 HOUR < hour + INTERVAL 1 HOUR - INTERVAL 1 MILLISECOND
GROUP BY origin, hour
"""

CONNECTIONS = """
WITH flights AS (
  SELECT *, epoch_ms("date") + delay * 60000 AS departed FROM read_parquet('{file}')),
departures AS (
  SELECT origin AS airport, departed, delay AS left_late, departed // 1800000 AS slot FROM flights),
landings AS (
  SELECT destination AS airport, departed + (30 + distance // 8) * 60000 AS landed,
    delay AS landed_late FROM flights WHERE delay >= 30),
slots AS (SELECT *, landed // 1800000 + 1 + i AS slot FROM landings, (VALUES (0), (1)) AS two(i))
SELECT s.airport, s.landed, s.landed_late, d.departed AS "left", d.left_late
FROM slots AS s JOIN departures AS d USING (airport, slot)
WHERE d.departed BETWEEN s.landed + 1800000 AND s.landed + 3600000
"""


def measure(answer):
    began, cpu = time.perf_counter(), time.process_time()
    rows = answer()
    return rows, time.perf_counter() - began, time.process_time() - cpu


if engine == "polars":
    os.environ["POLARS_MAX_THREADS"] = threads
    import polars as pl

    version = pl.__version__
    ask = polars_hourly if question == "hourly" else polars_connections
    rows, seconds, cpu = measure(lambda: ask(pl))
    count = rows.height
    rows.write_parquet(out, compression="uncompressed")
else:
    import duckdb

    version = duckdb.__version__
    base = duckdb.connect()
    base.execute(f"SET threads = {int(threads)}")
    base.execute("SET enable_progress_bar = false")
    sql = (HOURLY if question == "hourly" else CONNECTIONS).format(file=file.replace("'", "''"))
    _, seconds, cpu = measure(lambda: base.execute(f"CREATE TEMP TABLE answer AS {sql}"))
    count = base.execute("SELECT count(*) FROM answer").fetchone()[0]
    target = out.replace("'", "''")
    base.execute(f"COPY answer TO '{target}' (FORMAT parquet, COMPRESSION uncompressed)")

print(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "rows": count, "version": version}))
