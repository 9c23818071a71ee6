"""The catalogue, with its untidy names made readable."""

import pyarrow
import pyarrow.compute as pc

from sales.complete_journey.source import FUEL, median_prices, read_catalogue

DEPARTMENTS = {
    "Charitable Cont": "Charity",
    "Cntrl/Store Sup": "Store Supplies",
    "Drug Gm": "Drugstore & General",
    "Elect &Plumbing": "Electrical & Plumbing",
    "Gm Merch Exp": "General Merchandise",
    "Meat-Pckgd": "Packaged Meat",
    "Prod-Whs Sales": "Produce Wholesale",
    "Seafood-Pckgd": "Packaged Seafood",
}


def tidy(column: pyarrow.ChunkedArray) -> pyarrow.ChunkedArray:
    """`CANDY  BARS` as `Candy Bars`; what is missing as an empty string."""
    text = pc.replace_substring_regex(pc.fill_null(column, ""), r"\s+", " ")
    return pc.replace_substring(pc.utf8_title(pc.utf8_trim_whitespace(text)), "'S", "'s")


def department(column: pyarrow.ChunkedArray) -> pyarrow.ChunkedArray:
    encoded = tidy(column).combine_chunks().dictionary_encode()
    names = [DEPARTMENTS.get(name, name) for name in encoded.dictionary.to_pylist()]
    return pc.take(pyarrow.array(names), encoded.indices)


def package_size(raw: pyarrow.Table) -> pyarrow.ChunkedArray:
    size = pc.utf8_lower(tidy(raw["package_size"]))
    return pc.if_else(pc.equal(pc.fill_null(raw["product_type"], ""), FUEL), "gallon", size)


def name(raw: pyarrow.Table, sizes: pyarrow.ChunkedArray) -> pyarrow.ChunkedArray:
    """The narrowest thing known of a product, and its size: `Apple Sauce, 50 oz`."""
    known = pc.coalesce(raw["product_type"], raw["product_category"], raw["department"])
    joined = pc.binary_join_element_wise(tidy(known), sizes, ", ")
    return pc.replace_substring_regex(joined, ", $", "")


def cost(product: int, price: float | None) -> float | None:
    """A made-up unit cost of 55 to 79% of the price; none for each tenth product, as in life."""
    if price is None or product % 10 == 7:
        return None
    return round(price * (0.55 + product % 97 / 400), 2)


def records() -> pyarrow.RecordBatch:
    """Every product of the catalogue, as the product feed wants it."""
    raw = read_catalogue()
    prices = median_prices()
    products = raw["product_id"].to_pylist()
    sizes = package_size(raw)
    table = pyarrow.table(
        {
            "line_number": pyarrow.array(range(1, raw.num_rows + 1)),
            "sku": raw["product_id"].cast(pyarrow.string()),
            "name": name(raw, sizes),
            "department": department(raw["department"]),
            "category": tidy(raw["product_category"]),
            "brand": tidy(raw["brand"]),
            "package_size": sizes,
            "unit_price": pyarrow.array(map(prices.get, products)),
            "unit_cost": pyarrow.array([cost(one, prices.get(one)) for one in products]),
        }
    )
    return table.combine_chunks().to_batches()[0]
