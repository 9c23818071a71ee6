"""SQL that all kinds of master data share: comparing a staged file, applying a draft, its rows.

A kind gives the parts: `found` (what each line says, beside what is there), `locked`, `stale`
(lines of which the target is no longer as it was shown), `placed`, and `kept` if that does not
keep what it changed. Each works on whole sets; there is no statement per row.
"""

# Both fit into memory, also for a whole catalogue.
SETTINGS = "SELECT set_config('work_mem', '64MB', true)"

# What `found` gives for every line: key and title to show, `identity` (two lines may not share
# one), `target_id` (NULL: it is new), `before` (the fields as they are), `given` (those that the
# file has), `also` (what else `after` holds), `problem` ({field, reason} or NULL).
#
# Rows are compared as jsonb, in which 1.5 is 1.5000. Spaces at the ends of a text, which files
# lose easily, are no change of it. Rows that change nothing are not kept.
COMPARE = """
WITH {staged},
found AS MATERIALIZED (
    {found}
),
judged AS MATERIALIZED (
    SELECT line_number, key, title, target_id, before, given, also,
           CASE WHEN problem IS NOT NULL THEN problem
                WHEN line_number > first_line THEN
                    ARRAY[%(key)s, 'the same ' || %(what)s || ' as in line ' || first_line]
           END AS problem
    FROM (SELECT *, min(line_number) OVER (PARTITION BY identity) AS first_line
          FROM found) AS numbered
),
differing AS (
    SELECT line_number, jsonb_object_agg(field, before -> field) AS before,
           jsonb_object_agg(field, value) AS after
    FROM judged CROSS JOIN LATERAL jsonb_each(given) AS cells (field, value)
    WHERE problem IS NULL AND target_id IS NOT NULL AND before || given <> before
      AND value IS DISTINCT FROM before -> field
      AND (jsonb_typeof(value) <> 'string'
           OR btrim(before ->> field, %(spaces)s) IS DISTINCT FROM value #>> '{{}}')
    GROUP BY line_number
),
kept AS (
    INSERT INTO import_draft_rows
           (draft_id, line_number, outcome, key, title, target_id, before, after, field, reason,
            content)
    SELECT %(draft_id)s, line_number,
           CASE WHEN problem IS NOT NULL THEN 'refused'
                WHEN target_id IS NULL THEN 'created' ELSE 'changed' END,
           left(coalesce(key, ''), 300), left(coalesce(title, ''), 600),
           CASE WHEN problem IS NULL THEN coalesce(target_id, gen_random_uuid()) END,
           differing.before,
           CASE WHEN problem IS NULL THEN coalesce(differing.after, judged.given) || also END,
           left(problem[1], 64), left(problem[2], 255),
           CASE WHEN problem IS NOT NULL THEN to_jsonb(staged) - 'line_number' - 'flaw' END
    FROM judged JOIN staged USING (line_number) LEFT JOIN differing USING (line_number)
    WHERE problem IS NOT NULL OR target_id IS NULL OR differing.line_number IS NOT NULL
    RETURNING outcome
)
SELECT count(*) FILTER (WHERE outcome = 'created'), count(*) FILTER (WHERE outcome = 'changed'),
       count(*) FILTER (WHERE outcome = 'refused')
FROM kept
"""

# By the primary key.
REFUSED_LINES = """
SELECT line_number FROM import_draft_rows WHERE draft_id = %(draft_id)s AND outcome = 'refused'
"""
KEEP_ORIGINALS = """
UPDATE import_draft_rows SET content = content || jsonb_build_object('original', given.original)
FROM unnest(%(lines)s::bigint[], %(originals)s::text[]::jsonb[]) AS given (line, original)
WHERE draft_id = %(draft_id)s AND line_number = given.line
"""
FORGET_ROWS = "DELETE FROM import_draft_rows WHERE draft_id = %(draft_id)s"

# A page of rows by the primary key, which gives them in the file's order.
PAGE = """
SELECT line_number, outcome, key, title, before, after, field, reason
FROM import_draft_rows
WHERE draft_id = %(draft_id)s AND (%(outcome)s = '' OR outcome = %(outcome)s)
ORDER BY line_number LIMIT %(limit)s OFFSET %(offset)s
"""

# Stores with sales or counts whose zone the draft changes.
ZONE_CHANGES = """
SELECT count(*) FROM import_draft_rows
WHERE draft_id = %(draft_id)s AND outcome = 'changed' AND before ? 'time_zone'
  AND store_has_history(target_id)
"""

KEEP_REFUSED = """
INSERT INTO refused_rows AS refused
       (batch_id, kind, source_hash, line_number, field, reason, content)
SELECT %(batch_id)s, %(kind)s, %(source_hash)s, line_number, field, reason, content
FROM import_draft_rows WHERE draft_id = %(draft_id)s AND outcome = 'refused'
ON CONFLICT (customer_id, kind, source_hash, line_number) DO UPDATE
SET batch_id = excluded.batch_id, field = excluded.field, reason = excluded.reason,
    content = excluded.content
"""
# What became of products and stores; reorder points, which are all new, tell by themselves.
# Of a row that was made all of it is kept, to see later whether anybody has changed it.
KEEP_CHANGES = """
INSERT INTO import_changes (batch_id, line_number, target_id, before, after)
SELECT %(batch_id)s, line_number, target_id, before,
       CASE outcome WHEN 'changed' THEN after
                    ELSE to_jsonb(target)
                    - '{{created_at,updated_at,version,changed_at,changed_by}}'::text[] END
FROM import_draft_rows JOIN {table} AS target ON target.{key} = target_id
WHERE draft_id = %(draft_id)s AND outcome <> 'refused'
"""
