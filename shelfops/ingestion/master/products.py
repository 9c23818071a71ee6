"""Products in files."""

from shelfops.ingestion.master.kinds import Field, Kind
from shelfops.ingestion.master.words import yes_or_no

FIELDS = (
    Field(
        "sku",
        "text",
        ("productcode", "productid", "product", "productno", "itemcode", "item", "itemid")
        + ("itemno", "itemnumber", "articlenumber", "articleno", "article", "code"),
        label="SKU",
        path="sku",
        hint="The product's key, at most 100 characters.",
    ),
    Field(
        "name",
        "text",
        ("productname", "itemname", "title", "description", "articlename"),
        required=False,
        label="Name",
        path="name",
        hint="At most 255 characters. A new product needs one.",
    ),
    Field("department", "text", ("dept",), False, label="Department", path="department"),
    Field(
        "category",
        "text",
        ("productcategory", "group", "productgroup"),
        False,
        label="Category",
        path="category",
    ),
    Field("brand", "text", ("manufacturer", "brandname"), False, label="Brand", path="brand"),
    Field(
        "package_size",
        "text",
        ("size", "package", "packsize", "packaging"),
        False,
        label="Package size",
        path="package_size",
        hint="Such as 1 l or 6 x 330 ml.",
    ),
    Field(
        "unit_price",
        4,
        ("price", "retailprice", "salesprice", "sellingprice", "retail"),
        False,
        label="Unit price",
        path="unit_price",
        hint="0 or more, at most 4 decimals.",
    ),
    Field(
        "unit_cost",
        4,
        ("cost", "costprice", "purchaseprice", "buyingprice"),
        False,
        label="Unit cost",
        path="unit_cost",
        hint="0 or more, at most 4 decimals.",
    ),
    Field(
        "shelf_life_days",
        "integer",
        ("shelflife", "shelflifeindays"),
        False,
        label="Shelf life (days)",
        path="shelf_life_days",
        hint="A whole number.",
    ),
    Field(
        "is_active",
        "text",
        ("active", "enabled", "isenabled"),
        False,
        label="Active",
        path="is_active",
        hint="Yes or no; a new product is active.",
        shown=lambda row: yes_or_no(row["is_active"]),
    ),
)

PRODUCTS = Kind(
    name="products",
    title="Products",
    one="product",
    many="products",
    fields=FIELDS,
    changelist="admin:inventory_product_changelist",
    permissions=("inventory.add_product", "inventory.change_product"),
    layout=tuple(field.name for field in FIELDS),
)
