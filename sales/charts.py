"""Charts of the sales report, of the rows that its table has."""

from datetime import date
from typing import NamedTuple

from sales.columns import MARGINS, MEASURES, Measure
from sales.gaps import Gaps
from shelfops.reports.chart import Chart, Gap, Series
from shelfops.reports.heat import Heatmap
from shelfops.reports.sql import Row
from shelfops.reports.table import Kind

BARS = 12
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class Words(NamedTuple):
    """What the charts call the currency, and the period compared with."""

    currency: str
    before: str

    def unit(self, measure: Measure) -> str:
        return self.currency if measure.kind is Kind.MONEY else measure.label


def charts(
    breakdown: str, rows: list[Row], words: Words, has_margin: bool, gaps: Gaps
) -> list[Chart]:
    measures = MARGINS[:1] if has_margin else MEASURES
    if breakdown == "hour":
        return []
    if breakdown == "day":
        return [_days(rows, measure, words, gaps) for measure in measures]
    if breakdown in ("week", "month"):
        return [_spans(breakdown, rows, measure, words) for measure in measures]
    return [_bars(breakdown, rows, measures[0], words)]


def _days(rows: list[Row], measure: Measure, words: Words, gaps: Gaps) -> Chart:
    """The line is broken on days on which most of what was expected is missing."""
    missing = [n for n, row in enumerate(rows) if gaps.is_gap(row["business_date"])]
    before = Series(
        words.before,
        [row[f"{measure.key}_before"] for row in rows],
        role="before",
        hints=[_short(row["day_before"]) for row in rows],
    )
    return Chart(
        id=f"chart-{measure.key}",
        title=f"{measure.label} by business day",
        kind="line",
        unit=words.unit(measure),
        labels=[_short(row["business_date"]) for row in rows],
        series=[
            Series(
                measure.label,
                [None if n in missing else row[measure.key] for n, row in enumerate(rows)],
            ),
            before,
        ],
        gaps=[Gap(n, f"no data from {rows[n]['without']}") for n in missing],
    )


def _spans(by: str, rows: list[Row], measure: Measure, words: Words) -> Chart:
    return Chart(
        id=f"chart-{measure.key}",
        title=f"{measure.label} by {by}",
        kind="columns",
        unit=words.unit(measure),
        labels=[_month(row) if by == "month" else _short(row["first_day"]) for row in rows],
        series=_both(rows, measure, words),
    )


def _bars(by: str, rows: list[Row], measure: Measure, words: Words) -> Chart:
    """The best; all other products together are no bar beside them."""
    name = "name" if by in ("store", "product") else "label"
    best = [row for row in rows if by != "product" or row["product_id"]][:BARS]
    return Chart(
        id=f"chart-{measure.key}",
        title=f"{measure.label} by {by}" + (f", the best {BARS}" if len(rows) > BARS else ""),
        kind="bars",
        unit=words.unit(measure),
        labels=[row[name] for row in best],
        series=_both(best, measure, words),
    )


def _both(rows: list[Row], measure: Measure, words: Words) -> list[Series]:
    before = [row[f"{measure.key}_before"] for row in rows]
    return [
        Series(measure.label, [row[measure.key] for row in rows]),
        Series(words.before, before, role="before"),
    ]


def movers(rows: list[Row], key: str, of: str, words: Words) -> Chart:
    """What rose most, above what fell most."""
    measure = next(measure for measure in MEASURES if measure.key == key)
    half = BARS // 2
    shown = rows if len(rows) <= BARS else rows[:half] + rows[-half:]
    label = "name" if of == "product" else "label"
    difference = [row[f"{key}_difference"] for row in shown]
    return Chart(
        id="chart-movers",
        title=f"{measure.label}: what rose and fell most",
        kind="bars",
        unit=words.unit(measure),
        labels=[row[label] for row in shown],
        series=[Series("Difference", difference)],
    )


def heat(rows: list[Row], currency: str) -> Heatmap:
    """The average of each hour; its rows are hours, so that it fits a phone."""
    hours = [rows[hour::24] for hour in range(24)]
    return Heatmap(
        title="Average revenue by hour of the week, each store's own time",
        unit=f"{currency} a day",
        columns=WEEKDAYS,
        labels=[row["clock"] for row in rows[:24]],
        values=[[row["average"] for row in days] for days in hours],
    )


def _month(row: Row) -> str:
    return f"{row['first_day']:%b %Y}"


def _short(day: date) -> str:
    return f"{day.day} {day:%b}"
