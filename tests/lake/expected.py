"""What the lake must hold, recomputed from the CSV with plain Python.

Nothing here is shared with Headwater: the murmur2 hash, the feed order, the rules and the aggregation are written
again from their definitions, so that an error in one of the two shows as a difference.
"""

import csv
import datetime
import io
import os
import struct
from dataclasses import dataclass, field

TEXT_COLUMNS = ("carrier", "tailnum", "origin", "dest")
TIME_COLUMNS = ("time_hour",)
# Together these name one scheduled flight; the data has each combination once.
FLIGHT_KEY = ("year", "month", "day", "carrier", "flight", "origin", "sched_dep_time")
DELAY_KEY = ("origin", "carrier", "window_start")
DELAY_COLUMNS = (
    "origin", "carrier", "window_start", "window_end", "flights", "cancelled", "delayed_15",
    "sum_dep_delay", "max_dep_delay", "arrivals", "sum_arr_delay",
)
ORIGINS = ("EWR", "JFK", "LGA")
FEED_PARTITIONS = 4
SECOND = 1_000_000
MINUTE = 60 * SECOND
DAY = 86_400 * SECOND


@dataclass
class Expected:
    """The recomputed tables; times are microseconds since 1970-01-01T00:00:00Z."""

    columns: list
    accepted: dict = field(default_factory=dict)  # flight key -> row
    rejected: dict = field(default_factory=dict)  # flight key -> (row, broken rules)
    delays: dict = field(default_factory=dict)  # (origin, carrier, window start) -> row
    feed_index: dict = field(default_factory=dict)  # flight key -> place in the feed order


def key_of(row, names=FLIGHT_KEY):
    return tuple(row.get(name) for name in names)


def micros(text):
    """Microseconds of an ISO 8601 time in UTC."""
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError(f"time without a zone: {text!r}")
    delta = moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return (delta.days * 86_400 + delta.seconds) * SECOND + delta.microseconds


def murmur2(data):
    """The hash of Kafka's Java client, as an unsigned 32-bit number."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = (0x9747B28C ^ len(data)) & mask
    whole = len(data) - len(data) % 4
    for (k,) in struct.iter_unpack("<I", data[:whole]):
        k = (k * m) & mask
        k ^= k >> 24
        h = ((h * m) & mask) ^ ((k * m) & mask)
    tail = data[whole:]
    if tail:
        h ^= int.from_bytes(tail, "little")
        h = (h * m) & mask
    h ^= h >> 13
    h = (h * m) & mask
    return h ^ (h >> 15)


def partition_of(carrier):
    return (murmur2(carrier.encode()) & 0x7FFFFFFF) % FEED_PARTITIONS


def open_csv(path):
    """The text of a CSV file, decompressed when its name ends in `.zst`."""
    if os.fspath(path).endswith(".zst"):
        import zstandard

        raw = zstandard.ZstdDecompressor().stream_reader(open(path, "rb"), closefd=True)
        return io.TextIOWrapper(io.BufferedReader(raw), encoding="utf-8", newline="")
    return open(path, encoding="utf-8", newline="")


def read_flights(path):
    times = {}
    with open_csv(path) as lines:
        for raw in csv.DictReader(lines):
            row = {}
            for name, text in raw.items():
                if text == "NA":
                    row[name] = None
                elif name in TEXT_COLUMNS:
                    row[name] = text
                elif name in TIME_COLUMNS:
                    row[name] = times.get(text) or times.setdefault(text, micros(text))
                else:
                    row[name] = int(text)
            yield row


def broken_rules(row):
    """Every rule that a flight breaks, in the order in which `flight-rules` lists them."""
    broken = []
    if row["tailnum"] is None:
        broken.append("tailnum-known")
    if row["distance"] is None or row["distance"] < 80:
        broken.append("distance-sane")
    if row["origin"] not in ORIGINS:
        broken.append("origin-known")
    if row["arr_delay"] is None:
        broken.append("arrival-known")
    return broken


def add_to_window(delays, row):
    start = row["time_hour"] // DAY * DAY
    window = delays.setdefault((row["origin"], row["carrier"], start), {
        "origin": row["origin"], "carrier": row["carrier"], "window_start": start, "window_end": start + DAY,
        "flights": 0, "cancelled": 0, "delayed_15": 0, "sum_dep_delay": 0, "max_dep_delay": None,
        "arrivals": 0, "sum_arr_delay": 0,
    })
    window["flights"] += 1
    window["cancelled"] += row["dep_time"] is None
    delay = row["dep_delay"]
    if delay is not None:
        window["delayed_15"] += delay > 15
        window["sum_dep_delay"] += delay
        best = window["max_dep_delay"]
        window["max_dep_delay"] = delay if best is None else max(best, delay)
    if row["arr_delay"] is not None:
        window["arrivals"] += 1
        window["sum_arr_delay"] += row["arr_delay"]


def recompute(flights_path, airlines_path):
    """Everything that a complete run must have written."""
    with open_csv(airlines_path) as lines:
        names = {row["carrier"]: row["name"] for row in csv.DictReader(lines)}
    flights = list(read_flights(flights_path))
    if not flights:
        raise ValueError(f"no flights in {flights_path}")
    expected = Expected(columns=[*flights[0], "carrier_name", "feed_partition"])
    # The order in which the airport saw them; Python's sort is stable, as the feed's must be.
    flights.sort(key=lambda row: row["time_hour"] + (row["minute"] + (row["dep_delay"] or 0)) * MINUTE)
    partitions = {}
    for index, row in enumerate(flights):
        key, broken = key_of(row), broken_rules(row)
        if key in expected.feed_index:
            raise ValueError(f"the CSV has {key} twice")
        expected.feed_index[key] = index
        row["feed_partition"] = partitions.setdefault(row["carrier"], partition_of(row["carrier"]))
        if "tailnum-known" in broken or "distance-sane" in broken:
            expected.rejected[key] = (row, broken)
            continue
        row["carrier_name"] = names.get(row["carrier"])
        expected.accepted[key] = row
        add_to_window(expected.delays, row)
    return expected
