"""SQL that takes back an import of master data, by what import_changes has of it.

A row is spoiled if it no longer has the values that the import gave it, or, if the import made
it, as soon as anything refers to it. What has been read from large ledgers is asked once, as a
set, and only where the import made something.
"""

KEPT = "SELECT count(*) AS kept FROM import_changes WHERE batch_id = %(batch_id)s"

LOCK_PRODUCTS = """
SELECT FROM products
WHERE product_id IN (SELECT target_id FROM import_changes WHERE batch_id = %(batch_id)s)
ORDER BY product_id FOR UPDATE
"""
REFERRING = """
made AS MATERIALIZED (
    SELECT target_id FROM import_changes WHERE batch_id = %(batch_id)s AND before IS NULL
),
referring AS MATERIALIZED (
    SELECT {key}, min(reason) AS reason FROM ({tables}) AS found GROUP BY 1
)
"""
TABLES = {
    "reorder_points": "it has reorder points",
    "current_stock": "its stock was counted",
    "inventory_levels": "its stock was counted",
    "transactions": "it was sold",
    "forecasts": "it has forecasts",
    "alerts": "it has alerts",
    "anomalies": "it has anomalies",
}


def referring(key: str, tables: dict[str, str]) -> str:
    """CTEs: the rows that the import made, by `key`, to which one of the tables refers."""
    parts = [
        f"SELECT DISTINCT {key}, '{reason}' AS reason FROM {table}"
        f" WHERE {key} IN (SELECT target_id FROM made)"
        for table, reason in tables.items()
    ]
    return REFERRING.format(key=key, tables="\n    UNION ALL ".join(parts))


SPOILED_PRODUCTS = f"""
WITH {referring("product_id", TABLES)}
SELECT * FROM (
    SELECT line_number, coalesce(product.sku, 'a product') AS key, CASE
        WHEN product.product_id IS NULL THEN 'it is no longer there'
        WHEN NOT to_jsonb(product) @> after THEN 'somebody has changed it since'
        ELSE referring.reason END AS reason
    FROM import_changes
    LEFT JOIN products AS product ON product.product_id = target_id
    LEFT JOIN referring ON referring.product_id = target_id AND before IS NULL
    WHERE batch_id = %(batch_id)s) AS judged
WHERE reason IS NOT NULL ORDER BY line_number
"""
RESTORE_PRODUCTS = """
UPDATE products AS product
SET (name, department, category, brand, package_size, unit_price, unit_cost,
     shelf_life_days, is_active, updated_at) =
    (SELECT name, department, category, brand, package_size, unit_price, unit_cost,
            shelf_life_days, is_active, now()
     FROM jsonb_populate_record(product, change.before))
FROM import_changes AS change
WHERE change.batch_id = %(batch_id)s AND change.before IS NOT NULL
  AND product.product_id = change.target_id
"""
REMOVE_PRODUCTS = "SELECT remove_imported_products(%(batch_id)s)"

LOCK_STORES = """
SELECT FROM stores
WHERE store_id IN (SELECT target_id FROM import_changes WHERE batch_id = %(batch_id)s)
ORDER BY store_id FOR UPDATE
"""
SPOILED_STORES = f"""
WITH {referring("store_id", {**TABLES, "store_assignments": "people work in it"})}
SELECT * FROM (
    SELECT line_number, coalesce(store.code, 'a store') AS key, CASE
        WHEN store.store_id IS NULL THEN 'it is no longer there'
        WHEN NOT to_jsonb(store) @> after THEN 'somebody has changed it since'
        ELSE referring.reason END AS reason
    FROM import_changes
    LEFT JOIN stores AS store ON store.store_id = target_id
    LEFT JOIN referring ON referring.store_id = target_id AND before IS NULL
    WHERE batch_id = %(batch_id)s) AS judged
WHERE reason IS NOT NULL ORDER BY line_number
"""
RESTORE_STORES = """
UPDATE stores AS store
SET (name, time_zone, is_active) =
    (SELECT name, time_zone, is_active FROM jsonb_populate_record(store, change.before))
FROM import_changes AS change
WHERE change.batch_id = %(batch_id)s AND change.before IS NOT NULL
  AND store.store_id = change.target_id
"""
REMOVE_STORES = "SELECT remove_imported_stores(%(batch_id)s)"

LOCK_REORDER_POINTS = """
SELECT FROM reorder_points
WHERE reorder_point_id IN (SELECT target_id FROM import_changes WHERE batch_id = %(batch_id)s)
ORDER BY reorder_point_id FOR UPDATE
"""
SPOILED_REORDER_POINTS = """
SELECT * FROM (
    SELECT line_number, coalesce(product.sku || ' in ' || store.name, 'a reorder point') AS key,
           CASE WHEN point.reorder_point_id IS NULL THEN 'it is no longer there'
                WHEN NOT to_jsonb(point) @> after THEN 'somebody has changed it since'
                WHEN point.effective_to IS NOT NULL THEN 'a newer reorder point has followed it'
                WHEN before IS NOT NULL AND closed.effective_to IS DISTINCT FROM
                     point.effective_from THEN 'somebody has changed the one before it'
           END AS reason
    FROM import_changes
    LEFT JOIN reorder_points AS point ON point.reorder_point_id = target_id
    LEFT JOIN reorder_points AS closed
           ON closed.reorder_point_id = (before ->> 'reorder_point_id')::uuid
    LEFT JOIN products AS product ON product.product_id = point.product_id
    LEFT JOIN stores AS store ON store.store_id = point.store_id
    WHERE batch_id = %(batch_id)s) AS judged
WHERE reason IS NOT NULL ORDER BY line_number
"""
REMOVE_REORDER_POINTS = "SELECT remove_imported_reorder_points(%(batch_id)s)"
