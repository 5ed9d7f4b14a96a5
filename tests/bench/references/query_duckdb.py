"""The query of the main job by DuckDB: revenue per store and 30 s of event time, of valid sales, from NDJSON to Parquet.

Prints the CPU time of the process from its start, in nanoseconds, and how many sales were valid.
"""

import json
import sys
import time

import duckdb

folder, results = sys.argv[1:]
connection = duckdb.connect()
# As the job has one worker. Threads that wait for each other would cost CPU time.
connection.execute("SET threads = 1")
connection.execute(
    f"""
    COPY (
        SELECT store, time_bucket(INTERVAL 30 seconds, make_timestamp(ts * 1000000)) AS window_start,
            sum(price) AS revenue, count(*) AS sales
        FROM read_json('{folder}/*.ndjson', format = 'newline_delimited',
            columns = {{store: 'VARCHAR', price: 'DECIMAL(18,2)', ts: 'BIGINT'}})
        WHERE price > 0 AND starts_with(store, 'store-')
        GROUP BY ALL
    ) TO '{results}' (FORMAT parquet)
    """
)
cpu_nanos = time.process_time_ns()
(valid,) = connection.execute(f"SELECT sum(sales) FROM '{results}'").fetchone()
print(json.dumps({"cpu_nanos": cpu_nanos, "records": int(valid)}))
