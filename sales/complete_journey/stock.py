"""Stock that is simulated from the real sales with an order-up-to rule.

Each product of each store is reviewed at the close of every day: stock on hand and on order at
or below the reorder point is filled up to the order-up-to level, and arrives after the lead
time. Sales are what they were; a shelf they would have emptied twice is empty.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow

from sales.complete_journey.source import LAST_DAY, Column, Lines

DAYS = 365
# Products that sell less than every other week have no stock to speak of.
FEWEST_LINES = 26
SERVICE_95 = 1.65
WEEK = 7
DAILY_AT_THE_END = 28
CLOSE = np.timedelta64(23 * 60 + 59, "m")


@dataclass(frozen=True)
class Demand:
    """Units sold by pair of store and product (rows) and day of the year (columns)."""

    store: Column
    product: Column
    units: Column

    @property
    def lead_time(self) -> Column:
        """Days from order to delivery: two to five, by product."""
        days: Column = 2 + self.product % 4
        return days

    @property
    def reorder_point(self) -> Column:
        """d * L + z * sd_d * sqrt(L)."""
        mean, deviation = self.units.mean(axis=1), self.units.std(axis=1, ddof=1)
        safety_stock = SERVICE_95 * deviation * np.sqrt(self.lead_time)
        point: Column = np.ceil(mean * self.lead_time + safety_stock)
        return point

    @property
    def order_up_to(self) -> Column:
        """A week's sales above the reorder point."""
        week: Column = np.maximum(np.ceil(self.units.mean(axis=1) * WEEK), 1)
        return self.reorder_point + week


def demand(lines: Lines, rows: Column, products: Column) -> Demand:
    """Daily units of the pairs that sell often enough, of products in the catalogue."""
    rows = rows[np.isin(lines.product[rows], products)]
    key = lines.store[rows].astype(np.int64) << 32 | lines.product[rows]
    pairs, pair, counts = np.unique(key, return_inverse=True, return_counts=True)
    often = counts >= FEWEST_LINES
    position = np.cumsum(often) - 1
    kept = often[pair]
    rows, pair = rows[kept], position[pair[kept]]
    day = DAYS - 1 + (lines.time[rows].astype("datetime64[D]") - LAST_DAY).astype(int)
    pairs = pairs[often]
    units = np.bincount(
        pair * DAYS + day, weights=lines.quantity[rows], minlength=len(pairs) * DAYS
    )
    return Demand(pairs >> 32, pairs & 0xFFFFFFFF, units.reshape(len(pairs), DAYS))


def on_hand_at_close(demand: Demand) -> Column:
    """Stock of each pair at the close of each day."""
    lead_time, reorder_point, order_up_to = (
        demand.lead_time,
        demand.reorder_point,
        demand.order_up_to,
    )
    pairs = np.arange(len(demand.units))
    arriving = np.zeros((len(pairs), DAYS + lead_time.max(initial=0) + 1))
    stock = np.empty_like(demand.units)
    on_hand, on_order = order_up_to.copy(), np.zeros(len(pairs))
    for day in range(DAYS):
        on_hand += arriving[:, day]
        on_order -= arriving[:, day]
        on_hand = np.maximum(on_hand - demand.units[:, day], 0).round(3)
        position = on_hand + on_order
        order = np.where(position <= reorder_point, np.ceil(order_up_to - position), 0)
        arriving[pairs, day + lead_time] += order
        on_order += order
        stock[:, day] = on_hand
    return stock


def counted_days() -> Column:
    """Every week's last day, and each of the last 28 days."""
    back = np.arange(DAYS)[::-1]
    return np.flatnonzero((back % WEEK == 0) | (back < DAILY_AT_THE_END))


def snapshots(demand: Demand, last_day: np.datetime64) -> Iterator[pyarrow.RecordBatch]:
    """Counts at the close of business, day by day, as the inventory feed wants them."""
    stock = on_hand_at_close(demand)
    pairs = len(stock)
    for position, day in enumerate(counted_days()):
        close = last_day - (DAYS - 1 - day) + CLOSE
        yield pyarrow.RecordBatch.from_pydict(
            {
                "line_number": np.arange(1, pairs + 1) + position * pairs,
                "store": demand.store,
                "product": demand.product,
                "timestamp": pyarrow.nulls(pairs),
                "local_time": np.full(pairs, close.astype("datetime64[s]")),
                "quantity_on_hand": stock[:, day],
                "quantity_allocated": np.zeros(pairs),
                "source": pyarrow.repeat("simulated", pairs),
            }
        )


def reorder_points(demand: Demand, last_day: np.datetime64) -> pyarrow.RecordBatch:
    """The rule that the simulation followed, in force from the year's first day."""
    pairs = len(demand.units)
    return pyarrow.RecordBatch.from_pydict(
        {
            "line_number": np.arange(1, pairs + 1),
            "store": demand.store,
            "product": demand.product,
            "reorder_point": demand.reorder_point,
            "order_up_to": demand.order_up_to,
            "lead_time_days": demand.lead_time,
            "effective_from": np.full(pairs, last_day - (DAYS - 1)),
        }
    )
