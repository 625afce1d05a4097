"""Compares rows that were read with the rows that were recomputed, and says where they first differ."""

from expected import DELAY_COLUMNS, DELAY_KEY, FLIGHT_KEY, key_of

SHOWN = 5


class Findings:
    """What differs, by the part of the comparison that found it."""

    def __init__(self):
        self.different = False

    def report(self, part, what, errors):
        """Prints the first errors, or that the part is equal."""
        if errors:
            self.different = True
            print(f"DIFFERENT {part}: {len(errors):,} differences")
            for error in errors[:SHOWN]:
                print(f"  {error}")
        else:
            print(f"equal     {part}: {what}")


def row_errors(actual, expected, key_names, columns):
    """Differences between rows and a dict of expected rows by key: a multiset comparison, as the keys are unique."""
    errors, seen = [], set()
    for row in actual:
        key = key_of(row, key_names)
        want = expected.get(key)
        if want is None:
            errors.append(f"{show(key_names, key)}: is there and should not be")
        elif key in seen:
            errors.append(f"{show(key_names, key)}: is there more than once")
        else:
            wrong = [n for n in columns if row.get(n) != want.get(n) or (n in want and n not in row)]
            if wrong:
                cells = ", ".join(f"{n} is {row.get(n)!r}, not {want.get(n)!r}" for n in wrong)
                errors.append(f"{show(key_names, key)}: {cells}")
        seen.add(key)
    errors += [f"{show(key_names, key)}: is missing" for key in expected if key not in seen]
    return errors


def show(names, values):
    return " ".join(f"{name}={value}" for name, value in zip(names, values))


def offset_errors(places, feed_index):
    """Whether each (partition, offset) stands once and the offsets of a partition follow the feed order.

    `places` is a list of (partition, offset, flight key).
    """
    errors, last = [], {}
    for partition, offset, key in sorted(p for p in places if None not in p[:2]):
        before = last.get(partition)
        if before and before[0] == offset:
            errors.append(f"flights-{partition}@{offset} stands twice: {before[1]} and {key}")
        elif before and feed_index.get(key, -1) <= feed_index.get(before[1], -1):
            errors.append(f"flights-{partition}@{offset}: {key} was fed before {before[1]} @{before[0]}")
        last[partition] = (offset, key)
    errors += [f"{key}: no feed_partition or feed_offset" for *at, key in places if None in at]
    return errors


def flight_errors(rows, expected):
    """Differences of `air.flights`, its source offsets included."""
    errors = row_errors(rows, expected.accepted, FLIGHT_KEY, expected.columns)
    places = [(row.get("feed_partition"), row.get("feed_offset"), key_of(row)) for row in rows]
    return errors + offset_errors(places, expected.feed_index)


def delay_errors(rows, expected):
    """Differences of `air.daily_delays`, or of the values of the topic `daily-delays`."""
    return row_errors(rows, expected.delays, DELAY_KEY, DELAY_COLUMNS)
