"""Reads Delta tables with programs that are not ours, and prints rows as lines that the tests compare.

    delta_readers.py rows READER TABLE COLUMN...    prints the rows
    delta_readers.py where READER TABLE NAME VALUE COLUMN...
                                                    prints those with this value, as JSON, in the column of that name
    delta_readers.py poll TABLE COLUMN...           looks until standard input ends; answers each line of it with its
                                                    number of looks and the rows of the last; fails if a row is gone or
                                                    there twice
    delta_readers.py optimize TABLE                 puts small files together, as any owner of a Delta table may; prints how
                                                    many went
"""

import collections
import datetime
import glob
import json
import os
import sys
import threading


def deltalake_rows(table, columns, wanted=None):
    import deltalake
    import pyarrow.dataset

    options = {"AWS_S3_ALLOW_UNSAFE_RENAME": "true"} if table.startswith("s3") else None
    opened = deltalake.DeltaTable(table, storage_options=options)
    condition = None
    if wanted:
        name, value = wanted
        field = pyarrow.dataset.field(name)
        condition = field.is_null() if value is None else field == value
    rows = opened.to_pyarrow_dataset().to_table(columns=columns, filter=condition).to_pylist()
    return [tuple(row[column] for column in columns) for row in rows]


def polars_rows(table, columns, wanted=None):
    import polars

    rows = polars.scan_delta(table)
    if wanted:
        name, value = wanted
        column = polars.col(name)
        rows = rows.filter(column.is_null() if value is None else column == value)
    return rows.select(columns).collect().rows()


def duckdb_rows(table, columns, wanted=None):
    import duckdb
    import duckdb_extension_delta

    folder = os.path.dirname(duckdb_extension_delta.__file__)
    (extension,) = glob.glob(f"{folder}/**/delta.duckdb_extension", recursive=True)
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute(f"LOAD '{extension}'")
    names = ", ".join(f'"{column}"' for column in columns)
    condition, values = "", []
    if wanted:
        name, value = wanted
        condition = f'WHERE "{name}" ' + ("IS NULL" if value is None else "= ?")
        values = [] if value is None else [value]
    query = f"SELECT {names} FROM delta_scan('{table}') {condition}"
    return connection.execute(query, values).fetchall()


READERS = {"deltalake": deltalake_rows, "polars": polars_rows, "duckdb": duckdb_rows}


def shown(value):
    if value is None:
        return "null"
    if isinstance(value, datetime.datetime):
        value = value.astimezone(datetime.timezone.utc).replace(tzinfo=None)
        return value.isoformat() + "Z"
    # A row is a line.
    return str(value).replace("\n", "\\n")


def show(rows):
    for row in rows:
        print(" | ".join(shown(value) for value in row))


def poll(table, columns):
    """Looks in a thread of its own, so that how often it looks does not depend on who asks."""
    state = {"looks": 0, "rows": 0, "wrong": None}
    ended = threading.Event()

    def look():
        before = collections.Counter()
        while not ended.is_set() and state["wrong"] is None:
            try:
                now = collections.Counter(deltalake_rows(table, columns))
            except Exception as error:  # there is no table yet, or a request failed
                print(f"no look: {error}", file=sys.stderr)
                ended.wait(0.1)
                continue
            twice = [row for row, count in now.items() if count > 1]
            gone = list((before - now).elements())
            if twice or gone:
                state["wrong"] = f"twice {twice[:5]}, gone {gone[:5]}"
            before = now
            state["rows"] = sum(now.values())
            state["looks"] += 1
            # Time for those who write.
            ended.wait(0.05)

    thread = threading.Thread(target=look)
    thread.start()
    for _ in sys.stdin:
        if state["wrong"]:
            break
        print(state["looks"], state["rows"], flush=True)
    ended.set()
    thread.join()
    return state["wrong"]


def optimize(table):
    import deltalake

    opened = deltalake.DeltaTable(table)
    return opened.optimize.compact()["numFilesRemoved"]


def main():
    match sys.argv[1:]:
        case ["rows", reader, table, *columns]:
            show(READERS[reader](table, columns))
        case ["where", reader, table, name, value, *columns]:
            show(READERS[reader](table, columns, (name, json.loads(value))))
        case ["optimize", table]:
            print(optimize(table))
        case ["poll", table, *columns]:
            return poll(table, columns)


wrong = main()
if wrong:
    print(wrong, file=sys.stderr)
sys.stdout.flush()
sys.stderr.flush()
# Without the end of the interpreter: threads of the readers' libraries sometimes abort the process there.
os._exit(1 if wrong else 0)
