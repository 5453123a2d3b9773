"""A query of the Nexmark benchmark, answered in one go by DuckDB.

peer.py QUERY OUT THREADS REPEATS [TABLE FILE]...: loads the tables from Parquet files, then measures its own
seconds REPEATS times: those of the query, its rows put into a table. Writes the rows to OUT as Parquet and
prints one JSON object.
"""

import json
import resource
import sys
import time

import duckdb

query, out, threads, repeats = sys.argv[1:5]
tables = dict(zip(sys.argv[5::2], sys.argv[6::2]))


def quoted(path):
    return "'" + path.replace("'", "''") + "'"


base = duckdb.connect()
base.execute(f"SET threads = {int(threads)}")
# It would be drawn where the answer is printed.
base.execute("SET enable_progress_bar = false")
for table, file in tables.items():
    base.execute(f"CREATE TABLE {table} AS SELECT * FROM read_parquet({quoted(file)})")
seconds, cpu_seconds = [], []
for _ in range(max(1, int(repeats))):
    base.execute("DROP TABLE IF EXISTS answer")
    began, cpu = time.perf_counter(), time.process_time()
    base.execute(f"CREATE TEMP TABLE answer AS {query}")
    seconds.append(time.perf_counter() - began)
    cpu_seconds.append(time.process_time() - cpu)
# In kilobytes, but on a Mac.
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
rows = base.execute("SELECT count(*) FROM answer").fetchone()[0]
base.execute(f"COPY answer TO {quoted(out)} (FORMAT parquet, COMPRESSION uncompressed)")
told = {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_bytes": peak, "rows": rows}
print(json.dumps({**told, "version": duckdb.__version__}))
