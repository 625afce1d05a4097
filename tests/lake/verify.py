#!/usr/bin/env python3
"""Does the lake hold exactly what the CSV says it must?

Recomputes the tables of the flights example from the CSV, reads them back with pyiceberg and DuckDB, and compares row
by row. Prints one line per part, and the first differing rows of a part that differs.

Exit codes: 0 equal, 1 different, 2 could not compare.
"""

import argparse
import sys

import expected as recomputation
import readers
from compare import Findings, delay_errors, flight_errors, offset_errors, row_errors
from expected import DELAY_COLUMNS, FLIGHT_KEY, TEXT_COLUMNS, key_of

DELAY_TIMES = ("window_start", "window_end")
READERS = {"pyiceberg": readers.read_pyiceberg, "duckdb": readers.read_duckdb}


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lake", required=True, help="the directory that holds catalog.db")
    parser.add_argument("--flights", required=True, help="flights.csv or flights.csv.zst")
    parser.add_argument("--airlines", required=True, help="airlines.csv")
    parser.add_argument("--suffix", default="", help="of the tables' names, such as __v2. Default: none")
    parser.add_argument("--reader", choices=["both", *READERS], default="both", help="Default: both")
    parser.add_argument("--topic-json", help="`topic cat daily-delays --json`, to compare as well")
    parser.add_argument("--rejected-json", help="`topic cat flights.rejected --json`, to compare as well")
    parser.add_argument("--expect", action="append", default=[], metavar="NAME=N",
                        help="the recomputation itself must have N rows; NAME is flights, daily_delays or rejected")
    return parser.parse_args(arguments)


def check_counts(found, expected, wanted):
    counts = {
        "flights": len(expected.accepted), "daily_delays": len(expected.delays), "rejected": len(expected.rejected),
    }
    for text in wanted:
        name, _, number = text.partition("=")
        if name not in counts or not number.isdigit():
            raise readers.CannotCompare(f"--expect {text}: write NAME=N with NAME one of {', '.join(counts)}")
        wrong = [] if counts[name] == int(number) else [f"recomputed {counts[name]:,} rows, expected {int(number):,}"]
        found.report(f"recomputed {name}", f"{counts[name]:,} rows", wrong)


def check_table(found, options, name, columns, times, partitioned_by, errors_of):
    """One table through every reader; returns the rows of the last one, none when a data file is lost or cut."""
    name, rows = f"air.{name}{options.suffix}", []
    table = readers.load_table(options.lake, name)
    text = (*TEXT_COLUMNS, "carrier_name")
    errors = readers.schema_errors(table, columns, text, times)
    if partitioned_by:
        errors += readers.partition_errors(table, partitioned_by)
    found.report(f"{name} schema", f"{len(columns)} columns", errors)
    errors = readers.file_errors(table)
    found.report(f"{name} files", "all there, rows as in the manifests", errors)
    if errors:
        return rows  # No reader gets past a lost file; the finding stands.
    for reader in READERS if options.reader == "both" else [options.reader]:
        rows = READERS[reader](table)
        found.report(f"{name} by {reader}", f"{len(rows):,} rows", errors_of(rows))
    return rows


def check_topic(found, path, expected):
    rows = [readers.value_row(record, DELAY_TIMES) for record in readers.read_topic(path)]
    found.report("topic daily-delays", f"{len(rows):,} records", delay_errors(rows, expected))


def check_rejected(found, path, expected, flights):
    """The dead letters: each rejected flight once, its value whole, its rules and its origin in the headers."""
    rows, errors = [], []
    places = [(row.get("feed_partition"), row.get("feed_offset"), key_of(row)) for row in flights]
    for record in readers.read_topic(path):
        row = readers.value_row(record, ("time_hour",))
        headers = dict(record.get("headers") or [])
        row["rules"] = headers.get("headwater.rules.broken")
        row["key"] = record.get("key")
        rows.append(row)
        where = f"flights.rejected-{record.get('partition')}@{record.get('offset')}"
        missing = [h for h in ("exception", "message", "topic") if not headers.get(f"__streams.errors.{h}")]
        errors += [f"{where}: no header __streams.errors.{name}" for name in missing]
        if headers.get("__streams.errors.topic", "flights") != "flights":
            errors.append(f"{where}: __streams.errors.topic is {headers['__streams.errors.topic']!r}")
        at = [headers.get(f"__streams.errors.{name}") for name in ("partition", "offset")]
        places.append((*(int(n) if str(n).isdigit() else None for n in at), key_of(row)))
    wanted = {
        key: {**row, "rules": ",".join(rules), "key": row["carrier"]} for key, (row, rules) in expected.rejected.items()
    }
    columns = [c for c in expected.columns if c not in ("carrier_name", "feed_partition")] + ["rules", "key"]
    errors += row_errors(rows, wanted, FLIGHT_KEY, columns)
    errors += offset_errors(places, expected.feed_index)
    found.report("topic flights.rejected", f"{len(rows):,} records, each with its rules", errors)


def verify(options):
    """Whether everything is equal."""
    found = Findings()
    expected = recomputation.recompute(options.flights, options.airlines)
    check_counts(found, expected, options.expect)
    flights = check_table(found, options, "flights", [*expected.columns, "feed_offset"], ("time_hour",), "time_hour",
                          lambda rows: flight_errors(rows, expected))
    check_table(found, options, "daily_delays", DELAY_COLUMNS, DELAY_TIMES, None,
                lambda rows: delay_errors(rows, expected))
    if options.topic_json:
        check_topic(found, options.topic_json, expected)
    if options.rejected_json:
        check_rejected(found, options.rejected_json, expected, flights)
    return not found.different


def main(arguments=None):
    try:
        return 0 if verify(parse(arguments)) else 1
    except readers.CannotCompare as problem:
        print(f"could not compare: {problem}", file=sys.stderr)
    except Exception as problem:  # Whatever a reader throws at a damaged lake: it was not compared.
        print(f"could not compare: {type(problem).__name__}: {problem}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
