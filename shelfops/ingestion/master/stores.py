"""Stores in files."""

from shelfops.ingestion.master.kinds import Field, Kind
from shelfops.ingestion.master.queries import KEEP_CHANGES
from shelfops.ingestion.master.words import yes_or_no

FIELDS = (
    Field(
        "code",
        "text",
        ("store", "storecode", "storeid", "storenumber", "storeno", "shop", "branch", "branchcode"),
        label="Code",
        path="code",
        is_key=True,
        hint="The store's key, at most 50 characters.",
    ),
    Field(
        "name",
        "text",
        ("storename", "title", "branchname", "shopname"),
        required=False,
        label="Name",
        path="name",
        hint="At most 255 characters. A new store needs one.",
    ),
    Field(
        "time_zone",
        "text",
        ("zone", "tz"),
        required=False,
        label="Time zone",
        path="time_zone",
        hint="Such as America/New_York. A new store needs one.",
    ),
    Field(
        "is_active",
        "text",
        ("active", "enabled", "open"),
        required=False,
        label="Active",
        path="is_active",
        hint="Yes or no; a new store is active.",
        shown=lambda row: yes_or_no(row["is_active"]),
    ),
)

# Codes are compared as the file has them and, if that one does not exist, without spaces at
# their ends, by stores_customer_id_code_key.
FOUND = """
    SELECT line_number, staged.code AS key, coalesce(store.name, staged.name) AS title,
           coalesce(store.store_id::text, staged.code) AS identity,
           store.store_id AS target_id, before, given, '{}'::jsonb AS also,
           coalesce(flaw, CASE
               WHEN coalesce(staged.code, '') = '' THEN ARRAY['code', 'no code']
               WHEN length(staged.code) > 50 THEN ARRAY['code', 'longer than 50 characters']
               WHEN store.store_id IS NULL AND staged.code ~ %(shortened)s
                   THEN ARRAY['code', 'a number that a spreadsheet has shortened']
               WHEN store.store_id IS NULL AND zeros.code IS NOT NULL
                   THEN ARRAY['code', 'not a store yet, but ' || zeros.code
                              || ' is: has a spreadsheet dropped its zeros?']
               WHEN coalesce(staged.name, store.name, '') = '' THEN ARRAY['name', 'no name']
               WHEN length(staged.name) > 255 THEN ARRAY['name', 'longer than 255 characters']
               WHEN coalesce(nullif(staged.time_zone, ''), store.time_zone) IS NULL
                   THEN ARRAY['time_zone', 'no time zone']
               WHEN staged.time_zone <> '' AND staged.time_zone <> ALL(%(zones)s)
                   THEN ARRAY['time_zone', 'not a time zone such as America/New_York']
               WHEN staged.is_active <> '' AND active IS NULL
                   THEN ARRAY['is_active', 'neither yes nor no']
           END) AS problem
    FROM staged
    LEFT JOIN stores AS exact ON exact.code = staged.code_exact
    LEFT JOIN stores AS store ON store.code = coalesce(exact.code, staged.code)
    LEFT JOIN (SELECT ltrim(code, '0') AS bare, min(code) AS code FROM stores
               WHERE code LIKE '0%%' GROUP BY 1) AS zeros ON zeros.bare = staged.code
    CROSS JOIN LATERAL (
        SELECT CASE WHEN lower(staged.is_active) = ANY(%(yes)s) THEN true
                    WHEN lower(staged.is_active) = ANY(%(no)s) THEN false END AS active) AS words
    CROSS JOIN LATERAL (
        SELECT CASE WHEN store.store_id IS NOT NULL THEN jsonb_build_object(
                   'name', store.name, 'time_zone', store.time_zone,
                   'is_active', store.is_active) END AS before,
               jsonb_build_object(
                   'name', staged.name,
                   'time_zone', coalesce(nullif(staged.time_zone, ''), store.time_zone),
                   'is_active', coalesce(active, store.is_active, true)) - %(absent)s::text[]
                   AS given) AS both_sides
"""

LOCKED = """
SELECT FROM stores
WHERE store_id IN (SELECT target_id FROM import_draft_rows
                   WHERE draft_id = %(draft_id)s AND outcome = 'changed')
ORDER BY store_id FOR NO KEY UPDATE
"""
STALE = """
SELECT line_number FROM import_draft_rows AS draft
LEFT JOIN stores AS store ON store.store_id = draft.target_id
WHERE draft_id = %(draft_id)s
  AND CASE outcome
      WHEN 'changed' THEN NOT coalesce(to_jsonb(store) @> before, false)
      WHEN 'created' THEN EXISTS (SELECT FROM stores AS taken WHERE taken.code = draft.key) END
"""
PLACED = """
WITH changed AS (
    UPDATE stores AS store
    SET (name, time_zone, is_active) =
        (SELECT name, time_zone, is_active FROM jsonb_populate_record(store, draft.after))
    FROM import_draft_rows AS draft
    WHERE draft.draft_id = %(draft_id)s AND draft.outcome = 'changed'
      AND store.store_id = draft.target_id
    RETURNING 1
),
created AS (
    INSERT INTO stores (store_id, code, name, time_zone, is_active)
    SELECT draft.target_id, draft.key, made.name, made.time_zone, coalesce(made.is_active, true)
    FROM import_draft_rows AS draft
    CROSS JOIN LATERAL jsonb_populate_record(NULL::stores, draft.after) AS made
    WHERE draft.draft_id = %(draft_id)s AND draft.outcome = 'created'
    RETURNING 1
)
SELECT (SELECT count(*) FROM created), (SELECT count(*) FROM changed)
"""

STORES = Kind(
    name="stores",
    title="Stores",
    one="store",
    many="stores",
    identity="code",
    fields=FIELDS,
    changelist="admin:inventory_store_changelist",
    permissions=("inventory.add_store", "inventory.change_store"),
    layout=tuple(field.name for field in FIELDS),
    sql={
        "found": FOUND,
        "locked": LOCKED,
        "stale": STALE,
        "placed": PLACED,
        "kept": KEEP_CHANGES.format(table="stores", key="store_id"),
    },
)
