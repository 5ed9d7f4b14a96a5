"""Pipeline files of the tests: revenue per store, with what a test wants otherwise."""

import pathlib

from harness import surroundings
from harness.surroundings import plugin
from harness.topic import Topic

SALES = """\
name = "{name}"

[source]
type = "kafka"
[source.kafka]
brokers = "{brokers}"
topic = "{topic}"
start = "earliest"

[schema]
store = "string"
item = {{ type = "string", nullable = true }}
price = "decimal(18,2)"
ts = "timestamp(s)"

[event_time]
column = "ts"
max_out_of_orderness = "5s"
idle_after = "{idle_after}"

[[stages]]
id = "valid"
kind = "filter"
plugin = "{filter}"

[[stages]]
id = "revenue"
kind = "aggregate"
plugin = "{revenue}"

[window]
type = "tumbling"
size = "{window}"
key = ["store"]

[late]
path = "{tables}/late"

[[sinks]]
id = "revenue"
type = "parquet"
path = "{tables}/revenue"

[dead_letters]
path = "{tables}/dead"

[checkpoint]
interval = "{checkpoint}"
path = "{chain}"

[limits]
# No slow machine meets it.
call_deadline = "60s"
"""


def sales(folder: pathlib.Path, topic: Topic, name: str = "sales", **otherwise: str) -> pathlib.Path:
    """Writes a pipeline file: windows of 30 s, no partition is ever idle, a commit every 500 ms."""
    values = {
        "name": name,
        "brokers": surroundings.kafka(),
        "topic": topic.name,
        "filter": str(plugin("valid-sale")),
        "revenue": str(plugin("revenue")),
        "window": "30s",
        "idle_after": "off",
        "checkpoint": "500ms",
        "tables": str(folder / name),
        # The modules of one host lie in one store.
        "chain": str(folder / "chain"),
    }
    path = folder / f"{name}.toml"
    path.write_text(SALES.format(**values | otherwise))
    return path
