"""Which customer a store belongs to, what it is called, and where it is.

Everything follows from the store's number alone, so that a store is the same in every load.
"""

import numpy as np
import pyarrow

from sales.complete_journey.source import Column

CUSTOMERS = ("Marigold Markets", "Harbor & Pine Grocers")

# Each zone as often as it stands here. Phoenix keeps no summer time.
PLACES = (
    ("America/New_York", ("Albany", "Columbus", "Richmond", "Raleigh", "Dayton", "Savannah")),
    ("America/Chicago", ("Madison", "Peoria", "Memphis", "Austin", "Omaha", "Duluth")),
    ("America/New_York", ("Toledo", "Lansing", "Scranton", "Roanoke", "Knoxville", "Akron")),
    ("America/Denver", ("Boulder", "Boise", "Santa Fe", "Provo", "Billings", "Laramie")),
    ("America/Los_Angeles", ("Eugene", "Fresno", "Tacoma", "Reno", "Spokane", "Oakland")),
    ("America/Phoenix", ("Tucson", "Mesa", "Flagstaff", "Yuma", "Tempe", "Prescott")),
    ("America/Chicago", ("Tulsa", "Mobile", "Rockford", "Lincoln", "Fargo", "Dubuque")),
)


def customer_of(store: Column) -> Column:
    """The position in CUSTOMERS: stores with even numbers are the first one's."""
    index: Column = store % len(CUSTOMERS)
    return index


def describe(number: int) -> dict[str, str]:
    """Code, name and time zone of the store with this number."""
    index = number // len(CUSTOMERS)
    zone, towns = PLACES[index % len(PLACES)]
    town = towns[index // len(PLACES) % len(towns)]
    return {"code": str(number), "name": f"{town} {number}", "time_zone": zone}


def busiest(store: Column, customer: int, limit: int | None) -> Column:
    """Numbers of the customer's stores with the most lines; all of them without a limit."""
    numbers, lines = np.unique(store, return_counts=True)
    own = customer_of(numbers) == customer
    numbers, lines = numbers[own], lines[own]
    ranked: Column = numbers[np.lexsort((numbers, -lines))]
    return ranked[:limit]


def records(numbers: Column) -> pyarrow.RecordBatch:
    return pyarrow.RecordBatch.from_pylist(
        [{"line_number": row, **describe(int(number))} for row, number in enumerate(numbers, 1)]
    )
