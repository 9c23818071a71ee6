"""How stores, products, reorder points and counts of stock are judged and placed.

What a customer has already is left as it is: people edit it, a feed does not undo that.
"""

from shelfops.ingestion.columns import Column
from shelfops.ingestion.feeds import ALLOWED, Feed, beyond
from shelfops.ingestion.moments import MOMENTS

# What the columns of a file of counts are called, besides the names that are ours.
LEVEL_COLUMNS = (
    Column("store", "text", ("storeid", "storecode", "storenumber", "storeno", "shop", "branch")),
    Column("product", "text", ("sku", "productid", "productcode", "item", "itemid", "article")),
    Column("timestamp", "time", ("countedat", "time", "datetime", "date", "snapshotat", "asof")),
    Column("quantity_on_hand", 3, ("onhand", "quantity", "qty", "stock", "stockonhand", "count")),
    Column("quantity_allocated", 3, ("allocated", "reserved", "committed"), required=False),
    Column("source", "text", required=False),
)

# No store has more units of a product on hand: it is a mistake of the feed.
LARGEST_COUNT = 10_000_000

STORES = Feed(
    kind="stores",
    columns={"code": "text", "name": "text", "time_zone": "text"},
    judge="""
    SELECT line_number, code, name, time_zone,
           CASE WHEN coalesce(code, '') = '' THEN ARRAY['code', 'no code']
                WHEN length(code) > 50 THEN ARRAY['code', 'longer than 50 characters']
                WHEN coalesce(name, '') = '' THEN ARRAY['name', 'no name']
                WHEN length(name) > 255 THEN ARRAY['name', 'longer than 255 characters']
                WHEN time_zone IS NULL
                  OR NOT time_zone IN (SELECT zone.name FROM pg_timezone_names AS zone)
                    THEN ARRAY['time_zone', 'unknown time zone']
           END AS problem
    FROM staged
    """,
    place="""
    placed AS (
        INSERT INTO stores (code, name, time_zone)
        SELECT code, name, time_zone FROM judged WHERE problem IS NULL
        ON CONFLICT (customer_id, code) DO NOTHING
        RETURNING NULL::timestamptz AS touched
    )
    """,
)

PRODUCTS = Feed(
    kind="products",
    columns={
        "sku": "text",
        "name": "text",
        "department": "text",
        "category": "text",
        "brand": "text",
        "package_size": "text",
        "unit_price": "numeric",
        "unit_cost": "numeric",
    },
    judge="""
    SELECT line_number, sku, name, coalesce(department, '') AS department,
           coalesce(category, '') AS category, coalesce(brand, '') AS brand,
           coalesce(package_size, '') AS package_size, unit_price, unit_cost,
           CASE WHEN coalesce(sku, '') = '' THEN ARRAY['sku', 'no SKU']
                WHEN length(sku) > 100 THEN ARRAY['sku', 'longer than 100 characters']
                WHEN coalesce(name, '') = '' THEN ARRAY['name', 'no name']
                WHEN length(name) > 255 THEN ARRAY['name', 'longer than 255 characters']
                WHEN length(department) > 100
                    THEN ARRAY['department', 'longer than 100 characters']
                WHEN length(category) > 100 THEN ARRAY['category', 'longer than 100 characters']
                WHEN length(brand) > 100 THEN ARRAY['brand', 'longer than 100 characters']
                WHEN length(package_size) > 50
                    THEN ARRAY['package_size', 'longer than 50 characters']
                WHEN unit_price < 0 THEN ARRAY['unit_price', 'negative']
                WHEN unit_price >= 1e8 THEN ARRAY['unit_price', 'too large']
                WHEN unit_cost < 0 THEN ARRAY['unit_cost', 'negative']
                WHEN unit_cost >= 1e8 THEN ARRAY['unit_cost', 'too large']
           END AS problem
    FROM staged
    """,
    place="""
    placed AS (
        INSERT INTO products (customer_id, sku, name, department, category, brand,
                              package_size, unit_price, unit_cost)
        SELECT (SELECT current_customer_id()), sku, name, department, category, brand,
               package_size, unit_price, unit_cost
        FROM judged WHERE problem IS NULL
        ON CONFLICT (customer_id, sku) DO NOTHING
        RETURNING NULL::timestamptz AS touched
    )
    """,
)

REORDER_POINTS = Feed(
    kind="reorder_points",
    columns={
        "store": "text",
        "product": "text",
        "reorder_point": "numeric",
        "order_up_to": "numeric",
        "lead_time_days": "smallint",
        "effective_from": "date",
    },
    # A day begins where the store is.
    judge="""
    SELECT line_number, store_id, product_id, reorder_point, order_up_to, lead_time_days,
           effective_from::timestamp AT TIME ZONE time_zone AS effective_from,
           CASE WHEN store_id IS NULL THEN ARRAY['store', 'unknown store']
                WHEN product_id IS NULL THEN ARRAY['product', 'unknown product']
                WHEN reorder_point IS NULL THEN ARRAY['reorder_point', 'no reorder point']
                WHEN reorder_point < 0 THEN ARRAY['reorder_point', 'negative']
                WHEN reorder_point >= 1e11 THEN ARRAY['reorder_point', 'too large']
                WHEN order_up_to < reorder_point
                    THEN ARRAY['order_up_to', 'below the reorder point']
                WHEN order_up_to >= 1e11 THEN ARRAY['order_up_to', 'too large']
                WHEN lead_time_days < 0 THEN ARRAY['lead_time_days', 'negative']
                WHEN effective_from IS NULL THEN ARRAY['effective_from', 'no date']
           END AS problem
    FROM staged
    LEFT JOIN stores ON stores.code = staged.store
    LEFT JOIN products ON products.sku = staged.product
    """,
    # idx_reorder_points_current answers whether a point is in force.
    place="""
    placed AS (
        INSERT INTO reorder_points (store_id, product_id, reorder_point, order_up_to,
                                    lead_time_days, effective_from)
        SELECT DISTINCT ON (store_id, product_id) store_id, product_id, reorder_point,
               order_up_to, lead_time_days, effective_from
        FROM judged
        WHERE problem IS NULL
          AND NOT EXISTS (SELECT FROM reorder_points AS current
                          WHERE current.store_id = judged.store_id
                            AND current.product_id = judged.product_id
                            AND current.effective_to IS NULL)
        ORDER BY store_id, product_id, effective_from DESC, line_number
        RETURNING NULL::timestamptz AS touched
    )
    """,
)

# Counts of stock; the latest of each store and product also is its current stock, from the
# same transaction on.
INVENTORY_LEVELS = Feed(
    kind="inventory_levels",
    columns={
        "store": "text",
        "product": "text",
        "timestamp": "timestamptz",
        "local_time": "timestamp",
        "quantity_on_hand": "numeric",
        "quantity_allocated": "numeric",
        "source": "text",
    },
    judge=f"""
    SELECT line_number, store_id, product_id, moment AS timestamp, on_hand, allocated, repeated,
           coalesce(nullif(source, ''), 'feed') AS source,
           coalesce(flaw, CASE
                WHEN store_id IS NULL THEN ARRAY['store', 'unknown store']
                WHEN product_id IS NULL THEN ARRAY['product', 'unknown product']
                WHEN moment IS NULL THEN ARRAY['timestamp', 'no time']
                WHEN skipped THEN ARRAY['timestamp', 'the clocks skipped this time']
                WHEN moment > now() + INTERVAL '15 minutes'
                    THEN ARRAY['timestamp', 'in the future']
                WHEN moment < (SELECT kept_since())
                    THEN ARRAY['timestamp', 'older than the two years that are kept']
                WHEN on_hand IS NULL THEN ARRAY['quantity_on_hand', 'no quantity']
                WHEN on_hand < 0 THEN ARRAY['quantity_on_hand', 'negative']
                WHEN on_hand > {LARGEST_COUNT}
                    THEN ARRAY['quantity_on_hand', '{beyond(LARGEST_COUNT)}']
                WHEN allocated < 0 THEN ARRAY['quantity_allocated', 'negative']
                WHEN allocated > on_hand
                    THEN ARRAY['quantity_allocated', 'more than is on hand']
                WHEN source NOT IN ('', 'feed', 'count', 'simulated')
                    THEN ARRAY['source', 'unknown source']
           END) AS problem
    FROM staged
    LEFT JOIN stores ON stores.code = staged.store AND {ALLOWED}
    LEFT JOIN products ON products.sku = staged.product
    {MOMENTS.format(time="timestamp")}
    CROSS JOIN LATERAL (
        SELECT round(quantity_on_hand, 3) AS on_hand,
               coalesce(round(quantity_allocated, 3), 0) AS allocated) AS cleaned
    """,
    # As with transactions, what is there already is sorted out as a set, and stays as it is.
    compare="""
    span AS (
        SELECT min(timestamp) AS first, max(timestamp) AS last
        FROM candidates WHERE problem IS NULL
    ),
    judged AS MATERIALIZED (
        SELECT line_number, found.store_id, found.product_id, found.timestamp, on_hand, allocated,
               found.source, repeated, present.store_id IS NOT NULL AS present,
               CASE WHEN problem IS NOT NULL THEN problem
                    WHEN present.quantity_on_hand <> on_hand
                        THEN ARRAY['quantity_on_hand', 'differs from what is there']
                    WHEN present.quantity_allocated <> allocated
                        THEN ARRAY['quantity_allocated', 'differs from what is there']
               END AS problem
        FROM candidates AS found
        LEFT JOIN inventory_levels AS present
          ON present.store_id = found.store_id AND present.product_id = found.product_id
         AND present.timestamp = found.timestamp
         AND present.timestamp BETWEEN (SELECT first FROM span) AND (SELECT last FROM span)
    )
    """,
    place="""
    placed AS (
        INSERT INTO inventory_levels (store_id, product_id, timestamp,
                                      quantity_on_hand, quantity_allocated, source)
        SELECT store_id, product_id, timestamp, on_hand, allocated, source
        FROM judged
        WHERE problem IS NULL AND NOT present
        ORDER BY line_number  -- of two counts of one moment the file's first is taken
        RETURNING store_id, product_id, timestamp, quantity_on_hand, quantity_allocated, source,
                  timestamp AS touched
    ),
    latest AS (
        INSERT INTO current_stock AS stock (store_id, product_id, timestamp,
                                            quantity_on_hand, quantity_allocated, source)
        SELECT DISTINCT ON (store_id, product_id) store_id, product_id, timestamp,
               quantity_on_hand, quantity_allocated, source
        FROM placed
        ORDER BY store_id, product_id, timestamp DESC
        ON CONFLICT (customer_id, store_id, product_id) DO UPDATE
        SET timestamp = excluded.timestamp, quantity_on_hand = excluded.quantity_on_hand,
            quantity_allocated = excluded.quantity_allocated, source = excluded.source
        WHERE stock.timestamp < excluded.timestamp
    )
    """,
    time="timestamp",
)
