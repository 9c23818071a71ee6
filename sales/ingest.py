"""How point-of-sale lines are read, judged and placed."""

from shelfops.ingestion.columns import Column
from shelfops.ingestion.feeds import ALLOWED, Feed, beyond
from shelfops.ingestion.moments import MOMENTS

# What a file's columns are called, besides the names that are ours.
COLUMNS = (
    Column("store", "text", ("storeid", "storecode", "storenumber", "storeno", "shop", "branch")),
    Column("product", "text", ("sku", "productid", "productcode", "item", "itemid", "article")),
    Column(
        "sold_at",
        "time",
        ("timestamp", "time", "datetime", "date", "soldon", "transactiontime")
        + ("transactiontimestamp", "transactiondate"),
    ),
    Column(
        "receipt",
        "text",
        ("receiptid", "receiptnumber", "receiptno", "basket", "basketid", "ticket")
        + ("transactionid", "transaction"),
    ),
    Column("line", "integer", ("lineid", "linenumber", "lineno", "receiptline", "position")),
    Column("quantity", 3, ("qty", "units", "quantitysold", "unitssold")),
    Column("total_amount", 2, ("total", "amount", "salesvalue", "revenue", "linetotal", "value")),
    Column("unit_price", 4, ("price", "priceperunit"), required=False),
)

# No line of a shop has more, in units and in the customer's currency: it is a mistake of the feed.
LIMITS = {"quantity": 1_000_000, "total_amount": 1_000_000_000, "unit_price": 100_000_000}

# Both joins go by the unique keys (customer_id, code) and (customer_id, sku).
JUDGE = f"""
SELECT line_number, store_id, product_id, sold_at, business_date, receipt, line, quantity,
       unit_price, total_amount, repeated,
       coalesce(flaw, CASE
            WHEN store_id IS NULL THEN ARRAY['store', 'unknown store']
            WHEN product_id IS NULL THEN ARRAY['product', 'unknown product']
            WHEN sold_at IS NULL THEN ARRAY['sold_at', 'no time']
            WHEN skipped THEN ARRAY['sold_at', 'the clocks skipped this time']
            WHEN sold_at > now() + INTERVAL '15 minutes' THEN ARRAY['sold_at', 'in the future']
            WHEN sold_at < (SELECT kept_since())
                THEN ARRAY['sold_at', 'older than the two years that are kept']
            WHEN coalesce(receipt, '') = '' THEN ARRAY['receipt', 'no receipt']
            WHEN length(receipt) > 64 THEN ARRAY['receipt', 'longer than 64 characters']
            WHEN line IS NULL THEN ARRAY['line', 'no line']
            WHEN quantity IS NULL THEN ARRAY['quantity', 'no quantity']
            WHEN abs(quantity) > {LIMITS["quantity"]}
                THEN ARRAY['quantity', '{beyond(LIMITS["quantity"])}']
            WHEN total_amount IS NULL THEN ARRAY['total_amount', 'no amount']
            WHEN abs(total_amount) > {LIMITS["total_amount"]}
                THEN ARRAY['total_amount', '{beyond(LIMITS["total_amount"])}']
            WHEN abs(unit_price) > {LIMITS["unit_price"]}
                THEN ARRAY['unit_price', '{beyond(LIMITS["unit_price"])}']
            WHEN quantity = 0 AND total_amount = 0
                THEN ARRAY['quantity', 'quantity 0 without value']
       END) AS problem
FROM (
    SELECT line_number, flaw, store_id, product_id, moment AS sold_at, skipped, repeated,
           (moment AT TIME ZONE own_zone)::date AS business_date, receipt, line,
           units AS quantity, amount AS total_amount,
           coalesce(staged.unit_price, amount / nullif(units, 0), amount) AS unit_price
    FROM staged
    LEFT JOIN stores ON stores.code = staged.store AND {ALLOWED}
    LEFT JOIN products ON products.sku = staged.product
    {MOMENTS.format(time="sold_at")}
    CROSS JOIN LATERAL (
        SELECT round(quantity, 3) AS units, round(total_amount, 2) AS amount) AS cleaned
) AS lines
"""

# What is there already is sorted out as a set: the view's ON CONFLICT, which stays for those who
# import the same lines in other ways, looks up each line in the columnstore, six times slower.
# The bounds exclude the chunks that a block does not touch. A feed does not change a line that is
# there.
COMPARE = """
span AS (
    SELECT min(sold_at) AS first, max(sold_at) AS last FROM candidates WHERE problem IS NULL
),
judged AS MATERIALIZED (
    SELECT line_number, found.store_id, found.product_id, found.sold_at, found.business_date,
           found.receipt, found.line, found.quantity, found.unit_price, found.total_amount,
           repeated, present.line IS NOT NULL AS present,
           CASE WHEN problem IS NOT NULL THEN problem
                WHEN present.product_id <> found.product_id
                    THEN ARRAY['product', 'differs from what is there']
                WHEN present.quantity <> found.quantity
                    THEN ARRAY['quantity', 'differs from what is there']
                WHEN present.total_amount <> found.total_amount
                    THEN ARRAY['total_amount', 'differs from what is there']
           END AS problem
    FROM candidates AS found
    LEFT JOIN transactions AS present
      ON present.store_id = found.store_id AND present.sold_at = found.sold_at
     AND present.receipt = found.receipt AND present.line = found.line
     AND present.sold_at BETWEEN (SELECT first FROM span) AND (SELECT last FROM span)
)
"""

# In the file's order, so that of two lines with one key the first counts. Those that are there
# already by the time of the INSERT are left out by the view.
PLACE = """
placed AS (
    INSERT INTO transactions (store_id, product_id, sold_at, business_date,
                              receipt, line, quantity, unit_price, total_amount)
    SELECT store_id, product_id, sold_at, business_date,
           receipt, line, quantity, unit_price, total_amount
    FROM judged
    WHERE problem IS NULL AND NOT present
    ORDER BY line_number
    RETURNING sold_at AS touched
)
"""

# Amounts are in the customer's currency; a unit price that is missing is worked out.
TRANSACTIONS = Feed(
    kind="transactions",
    columns={
        "store": "text",
        "product": "text",
        "sold_at": "timestamptz",
        "local_time": "timestamp",
        "receipt": "text",
        "line": "integer",
        "quantity": "numeric",
        "unit_price": "numeric",
        "total_amount": "numeric",
    },
    judge=JUDGE,
    compare=COMPARE,
    place=PLACE,
    time="sold_at",
)
