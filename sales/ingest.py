"""How point-of-sale lines are judged and placed."""

from shelfops.ingestion.feeds import Feed

# A time comes with its zone (`sold_at`) or as the store's clock showed it (`local_time`). Of a
# time that the clocks skip or repeat, PostgreSQL takes the reading in standard time: 02:30
# skipped is 03:30 of summer time, 01:30 repeated is the later of the two.
# Both joins go by the unique keys (customer_id, code) and (customer_id, sku).
JUDGE = """
SELECT line_number, store_id, product_id, sold_at, business_date, receipt, line, quantity,
       unit_price, total_amount,
       CASE WHEN store_id IS NULL THEN ARRAY['store', 'unknown store']
            WHEN product_id IS NULL THEN ARRAY['product', 'unknown product']
            WHEN sold_at IS NULL THEN ARRAY['sold_at', 'no time']
            WHEN sold_at > now() + INTERVAL '15 minutes' THEN ARRAY['sold_at', 'in the future']
            WHEN sold_at < now() - INTERVAL '2 years'
                THEN ARRAY['sold_at', 'older than the two years that are kept']
            WHEN coalesce(receipt, '') = '' THEN ARRAY['receipt', 'no receipt']
            WHEN length(receipt) > 64 THEN ARRAY['receipt', 'longer than 64 characters']
            WHEN line IS NULL THEN ARRAY['line', 'no line']
            WHEN quantity IS NULL THEN ARRAY['quantity', 'no quantity']
            WHEN abs(quantity) >= 1e11 THEN ARRAY['quantity', 'too large']
            WHEN total_amount IS NULL THEN ARRAY['total_amount', 'no amount']
            WHEN abs(total_amount) >= 1e12 THEN ARRAY['total_amount', 'too large']
            WHEN abs(unit_price) >= 1e10 THEN ARRAY['unit_price', 'too large']
            WHEN quantity = 0 AND total_amount = 0
                THEN ARRAY['quantity', 'quantity 0 without value']
       END AS problem
FROM (
    SELECT line_number, store_id, product_id, moment AS sold_at,
           (moment AT TIME ZONE time_zone)::date AS business_date, receipt, line,
           units AS quantity, amount AS total_amount,
           coalesce(staged.unit_price, amount / nullif(units, 0), amount) AS unit_price
    FROM staged
    LEFT JOIN stores ON stores.code = staged.store
    LEFT JOIN products ON products.sku = staged.product
    CROSS JOIN LATERAL (
        SELECT coalesce(sold_at, local_time AT TIME ZONE time_zone) AS moment,
               round(quantity, 3) AS units, round(total_amount, 2) AS amount) AS cleaned
) AS lines
"""

# What is there already is sorted out as a set: ON CONFLICT, which stays for those who import the
# same lines at once, looks up each line in the columnstore, six times slower. The bounds exclude
# the chunks that a block does not touch. The customer is asked for once, not for each row.
PLACE = """
span AS (
    SELECT min(sold_at) AS first, max(sold_at) AS last FROM judged WHERE problem IS NULL
),
placed AS (
    INSERT INTO transactions (customer_id, store_id, product_id, sold_at, business_date,
                              receipt, line, quantity, unit_price, total_amount)
    SELECT (SELECT current_customer_id()), store_id, product_id, sold_at, business_date,
           receipt, line, quantity, unit_price, total_amount
    FROM judged
    WHERE problem IS NULL
      AND NOT EXISTS (
          SELECT FROM transactions AS present
          WHERE present.store_id = judged.store_id AND present.sold_at = judged.sold_at
            AND present.receipt = judged.receipt AND present.line = judged.line
            AND present.sold_at BETWEEN (SELECT first FROM span) AND (SELECT last FROM span))
    ON CONFLICT DO NOTHING
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
    place=PLACE,
)
