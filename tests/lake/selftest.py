#!/usr/bin/env python3
"""Does the oracle notice? Writes small lakes with pyiceberg, right ones and damaged ones, and runs verify on them.

Ends with a line in the form of cargo's test runner, so that `./dev test` counts these cases with the others.
"""

import contextlib
import io
import json
import pathlib
import random
import sys
import tempfile

import verify
from expected import DELAY_COLUMNS, TEXT_COLUMNS, micros, murmur2, open_csv, recompute

DATA = pathlib.Path(__file__).parents[2] / "examples" / "flights" / "data"
TIMES = ("time_hour", "window_start", "window_end")
SAMPLE = 1500


def write_sample(path):
    """The first flights, and the one that is shorter than 80 miles."""
    with open_csv(DATA / "flights.csv.zst") as lines, open(path, "w", encoding="utf-8") as out:
        for number, line in enumerate(lines):
            if number <= SAMPLE or ",EWR,LGA,NA,17," in line:
                out.write(line)


def with_offsets(expected):
    """Every fed flight with the offset that a log with gaps might give it, accepted and rejected ones apart."""
    everything = [*expected.accepted.items(), *((key, row) for key, (row, _) in expected.rejected.items())]
    everything.sort(key=lambda item: expected.feed_index[item[0]])
    offsets, accepted, rejected = {}, [], []
    for key, row in everything:
        partition = row["feed_partition"]
        offsets[partition] = offsets.get(partition, -1) + random.choice((1, 1, 1, 2))
        row = {**row, "feed_offset": offsets[partition]}
        (accepted if key in expected.accepted else rejected).append((key, row))
    return [row for _, row in accepted], rejected


def arrow_table(rows, columns):
    import pyarrow as pa

    def field(name):
        if name in (*TEXT_COLUMNS, "carrier_name"):
            return pa.field(name, pa.string())
        return pa.field(name, pa.timestamp("us", tz="UTC") if name in TIMES else pa.int64())

    schema = pa.schema([field(name) for name in columns])
    return pa.Table.from_pylist([{name: row[name] for name in columns} for row in rows], schema=schema)


class Lake:
    """A right lake of the sample, which a case may damage before it is written."""

    def __init__(self, directory, sample):
        self.directory, self.sample = directory, sample
        expected = recompute(sample, DATA / "airlines.csv")
        self.columns = [*expected.columns, "feed_offset"]
        self.flights, rejected = with_offsets(expected)
        self.delays = [dict(row) for row in expected.delays.values()]
        self.topic = [{"partition": 0, "offset": n, "key": [row["origin"], row["carrier"]], "headers": [],
                       "value": {**row, "window_start": row["window_start"] // 1000,
                                 "window_end": row["window_end"] // 1000}}
                      for n, row in enumerate(self.delays)]
        self.rejected = [self.dead_letter(n, row, expected.rejected[key][1]) for n, (key, row) in enumerate(rejected)]

    def dead_letter(self, offset, row, rules):
        hidden = ("carrier_name", "feed_partition", "feed_offset")
        headers = {"exception": "Rejected", "message": "rules", "topic": "flights",
                   "partition": str(row["feed_partition"]), "offset": str(row["feed_offset"])}
        return {"partition": 0, "offset": offset, "timestamp": row["time_hour"] // 1000, "key": row["carrier"],
                "value": {n: v // 1000 if n == "time_hour" else v for n, v in row.items() if n not in hidden},
                "headers": [[f"__streams.errors.{n}", v] for n, v in headers.items()]
                + [["headwater.rules.broken", ",".join(rules)]]}

    def write(self):
        from pyiceberg.catalog.sql import SqlCatalog
        from pyiceberg.transforms import DayTransform

        lake = self.directory / "lake"
        lake.mkdir()
        catalog = SqlCatalog("lake", uri=f"sqlite:///{lake / 'catalog.db'}", warehouse=lake.as_uri())
        catalog.create_namespace("air")
        flights = arrow_table(self.flights, self.columns)
        table = catalog.create_table("air.flights", flights.schema)
        with table.update_spec() as spec:
            spec.add_field("time_hour", DayTransform(), "time_hour_day")
        table.append(flights.slice(0, 700))
        table.append(flights.slice(700))
        delays = arrow_table(self.delays, DELAY_COLUMNS)
        catalog.create_table("air.daily_delays", delays.schema).append(delays)
        for name in ("topic", "rejected"):
            lines = [json.dumps(record) for record in getattr(self, name)]
            (self.directory / f"{name}.json").write_text("\n".join(lines))

    def verify(self, *more):
        return verify.main(["--lake", str(self.directory / "lake"), "--flights", str(self.sample),
                            "--airlines", str(DATA / "airlines.csv"),
                            "--topic-json", str(self.directory / "topic.json"),
                            "--rejected-json", str(self.directory / "rejected.json"), *more])


def swap_offsets(lake):
    first, second = [row for row in lake.flights if row["feed_partition"] == 3][:2]
    first["feed_offset"], second["feed_offset"] = second["feed_offset"], first["feed_offset"]


def drop_data_file(lake):
    lake.write()
    next((lake.directory / "lake").rglob("*.parquet")).unlink()


# Name of the case, what is done to the right lake before it is written, verify's exit code, what it must say.
CASES = [
    ("a right lake is equal", lambda lake: None, 0, "equal     topic flights.rejected"),
    ("a wrong number in a flight", lambda lake: lake.flights[7].update(air_time=1), 1, "air_time is 1, not"),
    ("a null for a number", lambda lake: lake.flights[7].update(distance=None), 1, "distance is None, not"),
    ("a wrong carrier name", lambda lake: lake.flights[7].update(carrier_name="X"), 1, "carrier_name is 'X'"),
    ("a missing flight", lambda lake: lake.flights.pop(9), 1, "is missing"),
    ("a flight twice", lambda lake: lake.flights.append({**lake.flights[9], "feed_offset": 10**9}), 1, "more than once"),
    ("an offset twice", lambda lake: lake.flights.append(dict(lake.flights[9])), 1, "stands twice"),
    ("offsets against the feed order", swap_offsets, 1, "was fed before"),
    ("a wrong partition", lambda lake: lake.flights[3].update(feed_partition=9), 1, "feed_partition is 9"),
    ("a time off by an hour", lambda lake: lake.flights[3].update(time_hour=0), 1, "time_hour is 0"),
    ("a column too few", lambda lake: lake.columns.remove("dest"), 1, "column dest is missing"),
    ("a wrong window", lambda lake: lake.delays[2].update(delayed_15=99), 1, "delayed_15 is 99, not"),
    ("a missing window", lambda lake: lake.delays.pop(2), 1, "is missing"),
    ("a record of the topic lost", lambda lake: lake.topic.pop(), 1, "DIFFERENT topic daily-delays"),
    ("a record of the topic twice", lambda lake: lake.topic.append(lake.topic[0]), 1, "more than once"),
    ("a rule not listed", lambda lake: lake.rejected[0]["headers"].pop(), 1, "rules is None"),
    ("a dead letter lost", lambda lake: lake.rejected.pop(), 1, "DIFFERENT topic flights.rejected"),
    ("a dead letter's value cut", lambda lake: lake.rejected[0]["value"].pop("dest"), 1, "dest is None, not"),
    ("a data file lost", drop_data_file, 1, "does not exist"),
]


def run_case(directory, sample, damage, code, words):
    """What is wrong with the case; empty when verify answered as it must."""
    lake, output = Lake(directory, sample), io.StringIO()
    damage(lake)
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        if not (directory / "lake").exists():
            lake.write()
        answer = lake.verify()
    wrong = [] if answer == code else [f"exit code {answer}, not {code}"]
    return wrong + ([] if words in output.getvalue() else [f"does not say {words!r}:\n{output.getvalue()}"])


def check_definitions():
    """Constants from elsewhere: Kafka's own test of murmur2, and times."""
    hashes = {"21": -973932308, "foobar": -790332482, "a-little-bit-longer-string": -1486304829, "abc": 479470107}
    wrong = [text for text, number in hashes.items() if murmur2(text.encode()) != number & 0xFFFFFFFF]
    return wrong + ([] if micros("2013-01-01T10:00:00Z") == 1_357_034_400_000_000 else ["micros"])


def check_sample(sample):
    """The sample has a flight that breaks three rules at once, so the cases below cover it."""
    broken = {tuple(rules) for _, rules in recompute(sample, DATA / "airlines.csv").rejected.values()}
    return [] if ("tailnum-known", "distance-sane", "arrival-known") in broken else [f"only {broken}"]


def check_unreadable(sample):
    """No catalog is `could not compare`, never `different` or `equal`."""
    with tempfile.TemporaryDirectory() as empty, contextlib.redirect_stderr(io.StringIO()):
        code = verify.main(["--lake", empty, "--flights", str(sample), "--airlines", str(DATA / "airlines.csv")])
    return [] if code == 2 else [f"exit code {code}, not 2"]


def main():
    random.seed(1)
    results = {"hashes and times are as elsewhere defined": check_definitions()}
    with tempfile.TemporaryDirectory() as top:
        sample = pathlib.Path(top) / "flights.csv"
        write_sample(sample)
        results["all of a record's broken rules are listed"] = check_sample(sample)
        results["no lake cannot be compared"] = check_unreadable(sample)
        for number, (name, damage, code, words) in enumerate(CASES):
            directory = pathlib.Path(top) / str(number)
            directory.mkdir()
            results[name] = run_case(directory, sample, damage, code, words)
    for name, wrong in results.items():
        print(f"test lake oracle: {name} ... {'FAILED' if wrong else 'ok'}", *wrong, sep="\n  " if wrong else "")
    failed = sum(map(bool, results.values()))
    print(f"test result: {'FAILED' if failed else 'ok'}. {len(results) - failed} passed; {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
