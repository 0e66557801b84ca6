"""Numbers, times, spans and sizes for people."""

from datetime import UTC, datetime, timedelta

_UNITS = ((timedelta(days=2), timedelta(days=1), "day"), (timedelta(hours=2), timedelta(hours=1), "hour"))
_BYTES = ("B", "kB", "MB", "GB", "TB", "PB")


def counted(count: int, noun: str, many: str = "") -> str:
    """`1 partition`, `2 partitions`; `many` is the plural where it has no s."""
    return f"{count:,} {noun if count == 1 else many or f'{noun}s'}"


def span(length: timedelta) -> str:
    """`31 minutes`, `5 hours`, `3 days`: in the unit of which there are two or more."""
    for least, unit, name in _UNITS:
        if length >= least:
            return counted(length // unit, name)
    minutes = length // timedelta(minutes=1)
    return counted(minutes, "minute") if minutes else counted(max(length // timedelta(seconds=1), 0), "second")


def ago(moment: datetime, now: datetime) -> str:
    """`31 minutes ago`."""
    return f"{span(now - moment)} ago"


def clock(moment: datetime, now: datetime) -> str:
    """`02:41` if that was or will be within 12 hours, or else `2026-11-27 02:41`; in UTC."""
    utc = moment.astimezone(UTC)
    return f"{utc:%H:%M}" if abs(now - moment) < timedelta(hours=12) else f"{utc:%Y-%m-%d %H:%M}"


def size(count: int | None) -> str:
    """Bytes in units of 1,000: `1.2 GB`; `unknown` for None."""
    if count is None:
        return "unknown"
    power = min((len(str(count)) - 1) // 3, len(_BYTES) - 1)
    return f"{count} B" if power == 0 else f"{count / 1000**power:,.1f} {_BYTES[power]}"


def days(first: object, last: object) -> str:
    """`2026-11-20`, `2026-11-20 to 2026-11-27`."""
    return str(first) if first == last else f"{first} to {last}"
