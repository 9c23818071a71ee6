"""Products in files."""

from shelfops.ingestion.master.kinds import Field, Kind
from shelfops.ingestion.master.queries import KEEP_CHANGES
from shelfops.ingestion.master.words import yes_or_no

FIELDS = (
    Field(
        "sku",
        "text",
        ("productcode", "productid", "product", "productno", "itemcode", "item", "itemid")
        + ("itemno", "itemnumber", "articlenumber", "articleno", "article", "code"),
        label="SKU",
        path="sku",
        is_key=True,
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

# SKUs are compared as the file has them and, if that one does not exist, without spaces at their
# ends. `zeros`: what a new SKU of digits is called that a spreadsheet has taken the zeros from.
# Both by products_customer_id_sku_key, but for `zeros`, which reads the catalogue once.
FOUND = """
    SELECT line_number, staged.sku AS key, coalesce(product.name, staged.name) AS title,
           coalesce(product.product_id::text, staged.sku) AS identity,
           product.product_id AS target_id, before, given, '{}'::jsonb AS also,
           coalesce(flaw, CASE
               WHEN coalesce(staged.sku, '') = '' THEN ARRAY['sku', 'no SKU']
               WHEN length(staged.sku) > 100 THEN ARRAY['sku', 'longer than 100 characters']
               WHEN product.product_id IS NULL AND staged.sku ~ %(shortened)s
                   THEN ARRAY['sku', 'a number that a spreadsheet has shortened']
               WHEN product.product_id IS NULL AND zeros.sku IS NOT NULL
                   THEN ARRAY['sku', 'not in the catalogue, but ' || zeros.sku
                              || ' is: has a spreadsheet dropped its zeros?']
               WHEN coalesce(staged.name, product.name, '') = '' THEN ARRAY['name', 'no name']
               WHEN length(staged.name) > 255 THEN ARRAY['name', 'longer than 255 characters']
               WHEN length(staged.department) > 100
                   THEN ARRAY['department', 'longer than 100 characters']
               WHEN length(staged.category) > 100
                   THEN ARRAY['category', 'longer than 100 characters']
               WHEN length(staged.brand) > 100 THEN ARRAY['brand', 'longer than 100 characters']
               WHEN length(staged.package_size) > 50
                   THEN ARRAY['package_size', 'longer than 50 characters']
               WHEN staged.unit_price < 0 THEN ARRAY['unit_price', 'negative']
               WHEN staged.unit_price >= 1e8 THEN ARRAY['unit_price', 'too large']
               WHEN staged.unit_cost < 0 THEN ARRAY['unit_cost', 'negative']
               WHEN staged.unit_cost >= 1e8 THEN ARRAY['unit_cost', 'too large']
               WHEN staged.shelf_life_days < 0 THEN ARRAY['shelf_life_days', 'negative']
               WHEN staged.is_active <> '' AND active IS NULL
                   THEN ARRAY['is_active', 'neither yes nor no']
           END) AS problem
    FROM staged
    LEFT JOIN products AS exact ON exact.sku = staged.sku_exact
    LEFT JOIN products AS product ON product.sku = coalesce(exact.sku, staged.sku)
    LEFT JOIN (SELECT ltrim(sku, '0') AS bare, min(sku) AS sku FROM products
               WHERE sku LIKE '0%%' GROUP BY 1) AS zeros ON zeros.bare = staged.sku
    CROSS JOIN LATERAL (
        SELECT CASE WHEN lower(staged.is_active) = ANY(%(yes)s) THEN true
                    WHEN lower(staged.is_active) = ANY(%(no)s) THEN false END AS active) AS words
    CROSS JOIN LATERAL (
        SELECT CASE WHEN product.product_id IS NOT NULL THEN jsonb_build_object(
                   'name', product.name, 'department', product.department,
                   'category', product.category, 'brand', product.brand,
                   'package_size', product.package_size, 'unit_price', product.unit_price,
                   'unit_cost', product.unit_cost, 'shelf_life_days', product.shelf_life_days,
                   'is_active', product.is_active) END AS before,
               jsonb_build_object(
                   'name', staged.name, 'department', staged.department,
                   'category', staged.category, 'brand', staged.brand,
                   'package_size', staged.package_size, 'unit_price', staged.unit_price,
                   'unit_cost', staged.unit_cost, 'shelf_life_days', staged.shelf_life_days,
                   'is_active', coalesce(active, product.is_active, true)) - %(absent)s::text[]
                   AS given) AS both_sides
"""

LOCKED = """
SELECT FROM products
WHERE product_id IN (SELECT target_id FROM import_draft_rows
                     WHERE draft_id = %(draft_id)s AND outcome = 'changed')
ORDER BY product_id FOR NO KEY UPDATE
"""
STALE = """
SELECT line_number FROM import_draft_rows AS draft
LEFT JOIN products AS product ON product.product_id = draft.target_id
WHERE draft_id = %(draft_id)s
  AND CASE outcome
      WHEN 'changed' THEN NOT coalesce(to_jsonb(product) @> before, false)
      WHEN 'created' THEN EXISTS (SELECT FROM products AS taken WHERE taken.sku = draft.key) END
"""
PLACED = """
WITH changed AS (
    UPDATE products AS product
    SET (name, department, category, brand, package_size, unit_price, unit_cost,
         shelf_life_days, is_active, updated_at) =
        (SELECT name, department, category, brand, package_size, unit_price, unit_cost,
                shelf_life_days, is_active, now()
         FROM jsonb_populate_record(product, draft.after))
    FROM import_draft_rows AS draft
    WHERE draft.draft_id = %(draft_id)s AND draft.outcome = 'changed'
      AND product.product_id = draft.target_id
    RETURNING 1
),
created AS (
    INSERT INTO products (customer_id, product_id, sku, name, department, category, brand,
                          package_size, unit_price, unit_cost, shelf_life_days, is_active)
    SELECT (SELECT current_customer_id()), draft.target_id, draft.key, made.name,
           coalesce(made.department, ''), coalesce(made.category, ''), coalesce(made.brand, ''),
           coalesce(made.package_size, ''), made.unit_price, made.unit_cost,
           made.shelf_life_days, coalesce(made.is_active, true)
    FROM import_draft_rows AS draft
    CROSS JOIN LATERAL jsonb_populate_record(NULL::products, draft.after) AS made
    WHERE draft.draft_id = %(draft_id)s AND draft.outcome = 'created'
    RETURNING 1
)
SELECT (SELECT count(*) FROM created), (SELECT count(*) FROM changed)
"""

PRODUCTS = Kind(
    name="products",
    title="Products",
    one="product",
    many="products",
    identity="SKU",
    fields=FIELDS,
    changelist="admin:inventory_product_changelist",
    permissions=("inventory.add_product", "inventory.change_product"),
    layout=tuple(field.name for field in FIELDS),
    sql={
        "found": FOUND,
        "locked": LOCKED,
        "stale": STALE,
        "placed": PLACED,
        "kept": KEEP_CHANGES.format(table="products", key="product_id"),
    },
)
