"""Ranges of store-local business days."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

MAX_DAYS = 366
PRESETS = (7, 28, 90)
DEFAULT_DAYS = 28
SAME_WEEKDAYS = timedelta(days=364)


@dataclass(frozen=True)
class Period:
    """Business days from `start` to `end`, both included."""

    start: date
    end: date

    @classmethod
    def ending(cls, end: date, days: int) -> "Period":
        return cls(end - timedelta(days=days - 1), end)

    def __str__(self) -> str:
        if self.start == self.end:
            return long_date(self.start)
        return f"{long_date(self.start)} to {long_date(self.end)}"

    @property
    def days(self) -> int:
        return (self.end - self.start).days + 1

    @property
    def before(self) -> "Period":
        """As many days, immediately before."""
        return Period.ending(self.start - timedelta(days=1), self.days)

    @property
    def year_before(self) -> "Period":
        """The same weekdays a year before, 52 weeks earlier."""
        return Period(self.start - SAME_WEEKDAYS, self.end - SAME_WEEKDAYS)

    @property
    def since(self) -> datetime:
        """Start of the first UTC day that the business days can touch.

        A business day lies within the UTC days before and after it, whatever the time zone. The
        aggregates are cut by UTC day, and only a comparison with it excludes chunks.
        """
        return _midnight(self.start - timedelta(days=1))

    @property
    def until(self) -> datetime:
        """End of the last UTC day that the business days can touch (not included)."""
        return _midnight(self.end + timedelta(days=2))

    def params(self) -> dict[str, object]:
        """Parameters of a query over the period."""
        return {
            "start": self.start,
            "end": self.end,
            "days": self.days,
            "since": self.since,
            "until": self.until,
        }

    def params_against(self, compared: "Period") -> dict[str, object]:
        """Parameters of a query that compares the period with another as long."""
        before = {f"before_{name}": value for name, value in compared.params().items()}
        return {**self.params(), **before}


def long_date(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b %Y}"


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
