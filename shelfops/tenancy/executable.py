"""Which functions of PostgreSQL and of its extensions everybody may execute.

PostgreSQL lets everybody execute every function, which ends others' sessions, takes their locks,
fills the disk with large objects, and lets TimescaleDB's jobs and policies be made and run. So
provisioning takes away all that is not named here, and a check finds what is open again: after an
update of an extension, which makes its functions anew, or after a restore.
"""

from psycopg import Connection, sql

# PostgreSQL's own functions that are not volatile change nothing and read what the caller may
# read; those that count what everybody does are taken away, too (pg_stat_get_...). Of the
# volatile ones these only make values, or belong to the caller's own session or sequences.
VOLATILE = [
    *("array_sample", "array_shuffle", "random", "random_normal", "setseed"),
    *("clock_timestamp", "timeofday", "gen_random_uuid", "uuidv4", "uuidv7"),
    *("nextval", "currval", "lastval", "setval", "set_config", "current_query"),
    *("pg_is_in_recovery", "pg_partition_ancestors", "pg_partition_tree"),
    *("pg_stat_clear_snapshot", "pg_advisory_unlock_all", "ts_rewrite"),
]

# Of an extension everything immutable, and these: what queries over hypertables and aggregates
# call, and what makes or formats values.
OF_EXTENSIONS = [
    *("cagg_watermark", "cagg_watermark_materialized"),
    *("time_bucket_gapfill", "locf", "interpolate", "generate_uuidv7", "to_uuidv7"),
]

OPEN = r"""
SELECT p.oid::regprocedure::text
FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE CASE WHEN n.nspname = 'pg_catalog'
           THEN (p.provolatile = 'v' OR p.proname LIKE 'pg\_stat\_get\_%')
                AND p.proname <> ALL ({volatile})
           ELSE p.provolatile <> 'i' AND p.proname <> ALL ({of_extensions})
                AND EXISTS (SELECT FROM pg_depend AS d
                            WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
                              AND d.deptype = 'e') END
  AND (has_function_privilege('public', p.oid, 'EXECUTE')
       OR has_function_privilege('shelfops_app', p.oid, 'EXECUTE')
       OR has_function_privilege('shelfops_operator', p.oid, 'EXECUTE'))
ORDER BY 1
"""

# The owner runs jobs, and makes functions that take locks; a monitor reads what counts for all.
CLOSE = r"""
DO $$
DECLARE
    routine text;
BEGIN
    FOR routine IN {open} LOOP
        EXECUTE 'REVOKE EXECUTE ON ROUTINE ' || routine
            || ' FROM PUBLIC, shelfops_app, shelfops_operator';
        EXECUTE 'GRANT EXECUTE ON ROUTINE ' || routine || ' TO shelfops_owner'
            || CASE WHEN routine LIKE 'pg\_stat\_get\_%' THEN ', pg_monitor' ELSE '' END;
    END LOOP;
END $$;
"""


def open_routines() -> sql.Composed:
    """A SELECT of those that everybody, the web or an operator may execute, and should not."""
    return sql.SQL(OPEN).format(volatile=VOLATILE, of_extensions=OF_EXTENSIONS)


def close(connection: Connection) -> None:
    """Take them from everybody; `connection` is a superuser's."""
    connection.execute(sql.SQL(CLOSE).format(open=open_routines()))
