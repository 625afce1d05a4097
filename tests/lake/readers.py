"""Reads what Headwater wrote through clients that it did not write: pyiceberg, DuckDB, and JSON lines of a topic.

Every reader gives a list of dicts whose times are microseconds since 1970-01-01T00:00:00Z.
"""

import importlib.util
import json
import os
import pathlib
import urllib.parse

from expected import micros


class CannotCompare(Exception):
    """Something that is needed for a comparison is missing or unreadable."""


def load_table(lake, name):
    """A table of the SQLite catalog `lake`, as pyiceberg finds it."""
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.exceptions import NoSuchTableError

    catalog_file = pathlib.Path(lake).resolve() / "catalog.db"
    if not catalog_file.is_file():
        raise CannotCompare(f"no catalog at {catalog_file}")
    catalog = SqlCatalog(
        "lake", uri=f"sqlite:///{catalog_file}", warehouse=catalog_file.parent.as_uri(), init_catalog_tables="false"
    )
    try:
        return catalog.load_table(name)
    except NoSuchTableError as missing:
        known = [".".join(t) for space in catalog.list_namespaces() for t in catalog.list_tables(space)]
        raise CannotCompare(f"no table {name} in {catalog_file}; it has {', '.join(known) or 'none'}") from missing


def schema_errors(table, columns, text, times):
    """Columns that are missing, unknown, or of another kind than text, timestamptz or whole number."""
    from pyiceberg.types import IntegerType, LongType, StringType, TimestamptzType

    found = {column.name: column.field_type for column in table.schema().fields}
    errors = [f"column {name} is missing" for name in columns if name not in found]
    errors += [f"column {name} is not expected" for name in found if name not in columns]
    for name in columns:
        kind = found.get(name)
        wanted = StringType if name in text else TimestamptzType if name in times else (IntegerType, LongType)
        if kind is not None and not isinstance(kind, wanted):
            errors.append(f"column {name} has type {kind}")
    return errors


def partition_errors(table, column):
    """Whether the table is partitioned by the day of `column`, and by nothing else."""
    schema = table.schema()
    fields = [(schema.find_column_name(f.source_id), str(f.transform)) for f in table.spec().fields]
    return [] if fields == [(column, "day")] else [f"partitioned by {fields}, not by day({column})"]


def read_pyiceberg(table):
    import pyarrow

    data, columns = table.scan().to_arrow(), {}
    for name, column in zip(data.column_names, data.columns):
        if pyarrow.types.is_timestamp(column.type):
            column = column.cast(pyarrow.timestamp("us", tz="UTC")).cast(pyarrow.int64())
        columns[name] = column.to_pylist()
    return [dict(zip(columns, values)) for values in zip(*columns.values())]


def duckdb_extension(name):
    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    if spec is None or spec.origin is None:
        raise CannotCompare(f"the package duckdb-extension-{name} is not installed")
    files = list(pathlib.Path(spec.origin).parent.rglob(f"{name}.duckdb_extension"))
    if not files:
        raise CannotCompare(f"{spec.origin} holds no {name}.duckdb_extension")
    return files[0]


def read_duckdb(table):
    """The rows of the table's current metadata file, through DuckDB's own Iceberg reader."""
    import duckdb

    metadata = table.metadata_location
    if metadata.startswith("file:"):
        metadata = urllib.parse.unquote(urllib.parse.urlparse(metadata).path)
    database = duckdb.connect(config={"allow_unsigned_extensions": True})
    for name in ("avro", "iceberg"):
        database.execute(f"LOAD '{duckdb_extension(name)}'")
    source = "iceberg_scan('{}')".format(metadata.replace("'", "''"))
    described = database.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    picked = [
        f'epoch_us("{name}")' if kind.startswith("TIMESTAMP") else f'"{name}"' for name, kind, *_ in described
    ]
    names = [name for name, *_ in described]
    rows = database.execute(f"SELECT {', '.join(picked)} FROM {source}").fetchall()
    return [dict(zip(names, row)) for row in rows]


def file_errors(table):
    """Data files that the table's manifests name and that are missing, or hold another number of rows."""
    import pyarrow.parquet

    errors = []
    for row in table.inspect.files().to_pylist():
        path = row["file_path"]
        if path.startswith("file:"):
            path = urllib.parse.unquote(urllib.parse.urlparse(path).path)
        if not os.path.isfile(path):
            errors.append(f"data file {path} does not exist")
        elif (rows := pyarrow.parquet.read_metadata(path).num_rows) != row["record_count"]:
            errors.append(f"data file {path} has {rows} rows, its manifest says {row['record_count']}")
    return errors


def read_topic(path):
    """The records that `topic cat NAME --json` printed, one object a line."""
    records = []
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    records.append(json.loads(line))
                except json.JSONDecodeError as bad:
                    raise CannotCompare(f"{path}, line {number}: {bad}") from bad
    return records


def value_row(record, times):
    """The JSON value of a record as a row. A time may be ISO 8601 text or milliseconds since 1970."""
    value = record.get("value")
    if not isinstance(value, dict):
        return {"value": value}
    row = dict(value)
    for name in times:
        at = row.get(name)
        if isinstance(at, str):
            row[name] = micros(at)
        elif isinstance(at, int):
            row[name] = at * 1000
    return row
