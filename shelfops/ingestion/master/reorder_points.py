"""Reorder points in files."""

from shelfops.ingestion.master.kinds import Field, Kind
from shelfops.ingestion.master.words import clock_of
from shelfops.ingestion.moments import MOMENTS

FIELDS = (
    Field(
        "store",
        "text",
        ("storecode", "storeid", "storenumber", "storeno", "shop", "branch"),
        label="Store",
        path="store__code",
        is_key=True,
        hint="The store's code.",
    ),
    Field(
        "product",
        "text",
        ("sku", "productcode", "productid", "item", "itemcode", "itemid", "article"),
        label="SKU",
        path="product__sku",
        is_key=True,
        hint="Of a product in the catalogue.",
    ),
    Field(
        "reorder_point",
        3,
        ("reorderat", "rop", "minimum", "min", "minstock", "reorderlevel"),
        label="Reorder point",
        path="reorder_point",
        hint="0 or more, at most 3 decimals.",
    ),
    Field(
        "order_up_to",
        3,
        ("maximum", "max", "maxstock", "orderupto", "target", "orderuptolevel"),
        required=False,
        label="Order up to",
        path="order_up_to",
        hint="Not below the reorder point.",
    ),
    Field(
        "order_multiple",
        3,
        ("multiple", "casepack", "packquantity", "moq"),
        required=False,
        label="Order multiple",
        path="order_multiple",
        hint="Above 0; 1 if none is given.",
    ),
    Field(
        "lead_time_days",
        "integer",
        ("leadtime", "leadtimeindays", "deliverydays"),
        required=False,
        label="Lead time (days)",
        path="lead_time_days",
        hint="A whole number.",
    ),
    Field(
        "effective_from",
        "time",
        ("from", "inforcefrom", "validfrom", "start", "startdate"),
        required=False,
        label="In force from",
        path="effective_from",
        hint="Such as 2026-03-31 or 2026-03-31 14:05, in the store's time zone; empty is now.",
        shown=lambda row: clock_of(row["effective_from"], row["store__time_zone"]),
    ),
)
NOTES = (
    Field("store_name", "text", label="Store name", path="store__name"),
    Field("product_name", "text", label="Product name", path="product__name"),
    Field(
        "effective_to",
        "time",
        label="In force until",
        path="effective_to",
        shown=lambda row: clock_of(row["effective_to"], row["store__time_zone"]),
    ),
)

# A line is compared with the reorder point that began when it says, or else with the current one
# (idx_reorder_points_current): in force, or to come. What differs from the current one becomes a
# new one, from the line's time on; from now on, if that is when the current one began, as it is
# in a file that was exported. Times of a line are those of its store.
FOUND = f"""
    SELECT line_number, concat_ws(' · ', staged.store, staged.product) AS key,
           concat_ws(', ', products.name, stores.name) AS title,
           CASE WHEN same THEN dated.reorder_point_id::text
                ELSE concat_ws(' ', coalesce(stores.store_id::text, staged.store),
                               coalesce(products.product_id::text, staged.product))
           END AS identity,
           base.reorder_point_id AS target_id, before, given,
           jsonb_build_object('store_id', stores.store_id, 'product_id', products.product_id,
                              'effective_from', starts, 'in_force_from', coalesce(to_char(
                                  starts AT TIME ZONE stores.time_zone, 'YYYY-MM-DD HH24:MI'),
                              'now')) AS also,
           coalesce(flaw, CASE
               WHEN coalesce(staged.store, '') = '' THEN ARRAY['store', 'no store']
               WHEN stores.store_id IS NULL THEN ARRAY['store', 'unknown store']
               WHEN coalesce(staged.product, '') = '' THEN ARRAY['product', 'no SKU']
               WHEN products.product_id IS NULL AND staged.product ~ %(shortened)s
                   THEN ARRAY['product', 'a number that a spreadsheet has shortened']
               WHEN products.product_id IS NULL THEN ARRAY['product', 'unknown product']
               WHEN staged.reorder_point IS NULL THEN ARRAY['reorder_point', 'no reorder point']
               WHEN staged.reorder_point < 0 THEN ARRAY['reorder_point', 'negative']
               WHEN staged.reorder_point >= 1e11 THEN ARRAY['reorder_point', 'too large']
               WHEN staged.order_up_to >= 1e11 THEN ARRAY['order_up_to', 'too large']
               WHEN up_to < staged.reorder_point
                   THEN ARRAY['order_up_to', 'below the reorder point']
               WHEN staged.order_multiple <= 0 THEN ARRAY['order_multiple', 'not above 0']
               WHEN staged.order_multiple >= 1e11 THEN ARRAY['order_multiple', 'too large']
               WHEN staged.lead_time_days < 0 THEN ARRAY['lead_time_days', 'negative']
               WHEN staged.lead_time_days > 32767 THEN ARRAY['lead_time_days', 'too large']
               WHEN skipped THEN ARRAY['effective_from', 'the clocks skipped this time']
               WHEN same THEN NULL
               WHEN before || given = before THEN NULL
               WHEN starts > now() + INTERVAL '366 days'
                   THEN ARRAY['effective_from', 'more than a year ahead']
               WHEN base.effective_to IS NOT NULL
                   THEN ARRAY['effective_from', 'differs from the one that began then; what is'
                              ' past is not changed']
               WHEN coalesce(starts, now()) <= current.effective_from
                   THEN ARRAY['effective_from', 'not after ' || to_char(
                              current.effective_from AT TIME ZONE stores.time_zone,
                              'YYYY-MM-DD HH24:MI') || ', when the latest one begins'
                              || CASE WHEN current.effective_from > now()
                                      THEN ': change that one on its page' ELSE '' END]
           END) AS problem
    FROM staged
    LEFT JOIN stores AS store_exact ON store_exact.code = staged.store_exact
    LEFT JOIN stores ON stores.code = coalesce(store_exact.code, staged.store)
                    AND (%(stores)s::uuid[] IS NULL OR stores.store_id = ANY(%(stores)s))
    LEFT JOIN products AS exact ON exact.sku = staged.product_exact
    LEFT JOIN products ON products.sku = coalesce(exact.sku, staged.product)
    {MOMENTS.format(time="effective_from")}
    LEFT JOIN reorder_points AS current
           ON current.store_id = stores.store_id AND current.product_id = products.product_id
          AND current.effective_to IS NULL
    LEFT JOIN reorder_points AS dated
           ON dated.store_id = stores.store_id AND dated.product_id = products.product_id
          AND dated.effective_from = moment
    CROSS JOIN LATERAL (
        SELECT (CASE WHEN dated.effective_to IS NULL THEN current ELSE dated END).*) AS base
    CROSS JOIN LATERAL (
        SELECT CASE WHEN base.reorder_point_id IS NOT NULL THEN jsonb_build_object(
                   'reorder_point', base.reorder_point, 'order_up_to', base.order_up_to,
                   'order_multiple', base.order_multiple,
                   'lead_time_days', base.lead_time_days) END AS before,
               jsonb_build_object(
                   'reorder_point', staged.reorder_point, 'order_up_to', staged.order_up_to,
                   'order_multiple', coalesce(staged.order_multiple, base.order_multiple, 1),
                   'lead_time_days', staged.lead_time_days) - %(absent)s::text[] AS given,
               CASE WHEN 'order_up_to' = ANY(%(absent)s) THEN base.order_up_to
                    ELSE staged.order_up_to END AS up_to,
               CASE WHEN moment <> base.effective_from OR base.reorder_point_id IS NULL
                    THEN moment END AS starts) AS both_sides
    CROSS JOIN LATERAL (
        SELECT coalesce(dated.reorder_point_id = base.reorder_point_id
                        AND before || given = before, false) AS same) AS verdict
"""

LOCKED = """
SELECT FROM reorder_points
WHERE reorder_point_id IN (SELECT target_id FROM import_draft_rows
                           WHERE draft_id = %(draft_id)s AND outcome = 'changed')
ORDER BY reorder_point_id FOR NO KEY UPDATE
"""
# Also where the user no longer works in the store.
STALE = """
SELECT line_number FROM import_draft_rows AS draft
LEFT JOIN reorder_points AS current ON current.reorder_point_id = draft.target_id
WHERE draft_id = %(draft_id)s AND outcome <> 'refused'
  AND (CASE outcome
       WHEN 'changed' THEN NOT coalesce(to_jsonb(current) @> before, false)
                           OR current.effective_to IS NOT NULL
       WHEN 'created' THEN EXISTS (
           SELECT FROM reorder_points AS other
           WHERE other.store_id = (after ->> 'store_id')::uuid
             AND other.product_id = (after ->> 'product_id')::uuid
             AND other.effective_to IS NULL) END
       OR %(stores)s::uuid[] IS NOT NULL AND (after ->> 'store_id')::uuid <> ALL(%(stores)s))
"""
# Every line is a new reorder point, which closes the current one by trigger. What the file does
# not say is as in that one.
PLACED = """
WITH made AS MATERIALIZED (
    SELECT draft.line_number, draft.outcome, draft.target_id AS closes, draft.before, draft.after,
           CASE outcome WHEN 'created' THEN target_id ELSE gen_random_uuid() END AS new_id,
           point.reorder_point, point.order_up_to, coalesce(point.order_multiple, 1) AS multiple,
           point.lead_time_days,
           coalesce((draft.after ->> 'effective_from')::timestamptz, now()) AS starts
    FROM import_draft_rows AS draft
    LEFT JOIN reorder_points AS current ON current.reorder_point_id = draft.target_id
    CROSS JOIN LATERAL jsonb_populate_record(current, draft.after - 'effective_from') AS point
    WHERE draft.draft_id = %(draft_id)s AND draft.outcome <> 'refused'
),
kept AS (
    INSERT INTO import_changes (batch_id, line_number, target_id, before, after)
    SELECT %(batch_id)s, line_number, new_id,
           before || jsonb_build_object('reorder_point_id', closes),
           after - '{effective_from,in_force_from}'::text[]
    FROM made
),
inserted AS (
    INSERT INTO reorder_points (reorder_point_id, store_id, product_id, reorder_point,
                                order_up_to, order_multiple, lead_time_days, effective_from)
    SELECT new_id, (after ->> 'store_id')::uuid, (after ->> 'product_id')::uuid, reorder_point,
           order_up_to, multiple, lead_time_days, starts
    FROM made
)
SELECT count(*) FILTER (WHERE outcome = 'created'), count(*) FILTER (WHERE outcome = 'changed')
FROM made
"""

REORDER_POINTS = Kind(
    name="reorder_points",
    title="Reorder points",
    one="reorder point",
    many="reorder points",
    identity="store and SKU",
    fields=FIELDS,
    changelist="admin:inventory_reorderpoint_changelist",
    permissions=("inventory.add_reorderpoint",),
    layout=("store", "store_name", "product", "product_name", "reorder_point", "order_up_to")
    + ("order_multiple", "lead_time_days", "effective_from", "effective_to"),
    notes=NOTES,
    reads=("store__time_zone",),
    sql={
        "found": FOUND,
        "locked": LOCKED,
        "stale": STALE,
        "placed": PLACED,
    },
)
