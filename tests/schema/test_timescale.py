"""Hypertables, aggregates and policies are what the architecture says."""

from django.core.management import call_command
from django.db import connections

from shelfops.timescale.jobs import run_due_jobs


def owner(statement: str) -> list[tuple]:
    with connections["owner"].cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def test_it_has_the_hypertables_in_weekly_chunks_with_columnstore() -> None:
    rows = owner(
        """
        SELECT h.hypertable_name, d.column_name, d.time_interval::text, h.compression_enabled
        FROM timescaledb_information.hypertables h
        JOIN timescaledb_information.dimensions d USING (hypertable_schema, hypertable_name)
        WHERE h.hypertable_schema = 'timeseries' ORDER BY 1
        """
    )
    assert rows == [
        ("forecasts", "forecast_for", "7 days", True),
        ("inventory_levels", "timestamp", "7 days", True),
        ("transactions", "sold_at", "7 days", True),
    ]


def test_it_segments_by_customer() -> None:
    rows = owner(
        """
        SELECT hypertable::text, segmentby
        FROM timescaledb_information.hypertable_columnstore_settings
        WHERE hypertable::text LIKE 'timeseries.%' ORDER BY 1
        """
    )
    assert [segment for _, segment in rows] == ["customer_id"] * len(rows)
    assert len(rows) >= 3


def test_it_keeps_two_years_and_refreshes_hourly() -> None:
    rows = owner(
        """
        SELECT proc_name, hypertable_name, schedule_interval::text, config ->> 'drop_after',
               config ->> 'start_offset', config ->> 'end_offset'
        FROM timescaledb_information.jobs
        WHERE proc_name IN ('policy_retention', 'policy_refresh_continuous_aggregate')
        """
    )
    kept = {name: drop for kind, name, _, drop, _, _ in rows if kind == "policy_retention"}
    assert kept == dict.fromkeys(("transactions", "inventory_levels", "forecasts"), "2 years")
    refreshed = [row[2:] for row in rows if row[0] != "policy_retention"]
    assert set(refreshed) == {("01:00:00", None, "1 mon", "01:00:00")}
    assert len(refreshed) >= 2


def test_it_answers_from_aggregates_in_real_time() -> None:
    rows = owner(
        "SELECT view_name, materialized_only, compression_enabled"
        " FROM timescaledb_information.continuous_aggregates"
    )
    assert {"daily_sales", "daily_store_sales"} <= {name for name, _, _ in rows}
    assert {(only, compressed) for _, only, compressed in rows} == {(False, True)}


def test_it_runs_due_jobs_once(capsys) -> None:
    """After a round none is due, on an engine with a scheduler and without."""
    call_command("run_jobs")
    assert "FAILED" not in capsys.readouterr().out
    assert [run for run in run_due_jobs() if run.procedure.startswith("policy_")] == []
