"""Topics of the real broker, filled record by record or by `sluicegate produce`."""

import itertools
import json
import os

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from harness import surroundings
from harness.process import Process
from harness.surroundings import eventually

_NUMBERS = itertools.count()

BEGIN = 1_700_000_000
"""2023-11-14T22:13:20Z: in the past of every machine, so that no broker finds it absurd."""

RECORD_BYTES_MAX = 4_000_000


class Topic:
    """A topic of its own for one test; a `shared` one has just the name that it is given."""

    def __init__(self, label: str, partitions: int = 2, shared: bool = False):
        self.name = label if shared else f"console-{label}-{os.getpid()}-{next(_NUMBERS)}"
        self.partitions = partitions
        broker = {"bootstrap.servers": surroundings.kafka()}
        self._admin = AdminClient(broker)
        self._make()
        self._producer = Producer(broker | {"message.max.bytes": RECORD_BYTES_MAX, "linger.ms": 5})

    def _make(self) -> None:
        settings = {"retention.ms": "-1", "max.message.bytes": str(RECORD_BYTES_MAX)}
        made = self._admin.create_topics([NewTopic(self.name, self.partitions, 1, config=settings)])
        made[self.name].result()
        # The controller has it; a broker with much to do learns of it later.
        eventually(f"the broker knows topic `{self.name}`", self._is_known)

    def _is_known(self) -> bool:
        topic = self._admin.list_topics(self.name).topics[self.name]
        led = [partition for partition in topic.partitions.values() if partition.leader >= 0]
        return topic.error is None and len(led) == self.partitions

    def make_anew(self) -> None:
        """Deletes it and makes an empty one of the same name."""
        self._admin.delete_topics([self.name])[self.name].result()

        def made():
            try:
                self._make()
            except KafkaException:
                # The deletion is not through yet.
                return False
            return True

        eventually(f"topic `{self.name}` can be made anew", made)

    def send(self, value: bytes | str, partition: int = 0, **more) -> None:
        """Sends any bytes; [`Topic.flush`] waits until they are stored."""
        self._producer.produce(self.name, value, partition=partition, **more)
        self._producer.poll(0)

    def sale(self, second: float, store: str = "store-1", price: str = "4.20", partition: int = 0, **more) -> None:
        """Sends a sale that happened so many seconds after [`BEGIN`]. Broker and event agree about the time."""
        ts = int(BEGIN + second)
        value = json.dumps({"store": store, "item": "tea", "ts": ts})[:-1] + f', "price": {price}}}'
        self.send(value, partition, timestamp=ts * 1000, **more)

    def flush(self) -> None:
        left = self._producer.flush(surroundings.PATIENCE)
        assert left == 0, f"{left} records of `{self.name}` were not taken by the broker"


def producer(topic: Topic, log, rate: int = 500, stores: int = 8, late="1%/1m", bad="0.5%") -> Process:
    """Sales without an end, by the clock of the machine; a few are late, a few are no sales."""
    command = [
        surroundings.sluicegate(), "produce", "sales", "--brokers", surroundings.kafka(), "--topic", topic.name,
        "--rate", str(rate), "--stores", str(stores), "--late", late, "--bad", bad,
    ]  # fmt: skip
    return Process("the producer", command, log, cwd=log.parent)
