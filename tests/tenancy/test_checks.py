"""Each system check, made to fail and seen to name what is wrong."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connections

from shelfops.tenancy import checks


def ids(*aliases: str) -> list[str]:
    return [message.id for message in checks.check_database(databases=aliases or ["default"])]


@contextmanager
def changed(change: str, back: str) -> Iterator[None]:
    with connections["owner"].cursor() as cursor:
        cursor.execute(change)
        try:
            yield
        finally:
            cursor.execute(back)


def test_it_finds_nothing_wrong_as_migrated() -> None:
    assert checks.check_database(databases=["default", "owner", "operator"]) == []


def answers(monkeypatch, version, licence="timescale", server=17) -> list[str]:
    monkeypatch.setattr(checks, "rows", lambda *args: [(version, licence, server)])
    return [error.id for error in checks.engine_errors("default")]


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ((None,), ["shelfops.E001"]),
        (("2.25.0", "apache"), ["shelfops.E002"]),
        (("2.22.1",), ["shelfops.E003"]),
        (("2.9.3",), ["shelfops.E003"]),
        (("2.25.0", "timescale", 15), ["shelfops.E008"]),
        (("2.23.0-dev",), []),
        (("2.100.0",), []),
        (("3.0.0",), []),
    ],
)
def test_it_names_an_engine_that_will_not_do(monkeypatch, server, expected) -> None:
    assert answers(monkeypatch, *server) == expected


def test_it_stops_a_start_with_one_message(monkeypatch) -> None:
    monkeypatch.setattr(checks, "rows", lambda *args: [(None, None, 17)])
    with pytest.raises(SystemCheckError, match="E001.*no TimescaleDB"):
        call_command("check", databases=["default"])


@pytest.mark.parametrize(
    ("change", "back"),
    [
        ("CREATE TABLE forgotten (customer_id uuid)", "DROP TABLE forgotten"),
        ("CREATE TABLE forgotten (note text)", "DROP TABLE forgotten"),
        (
            "CREATE TABLE forgotten (customer_id uuid);"
            " ALTER TABLE forgotten ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
            "DROP TABLE forgotten",
        ),
        (
            "CREATE VIEW forgotten AS SELECT customer_id FROM timeseries.transactions",
            "DROP VIEW forgotten",
        ),
        (
            "CREATE VIEW forgotten WITH (security_barrier = true)"
            " AS SELECT customer_id FROM timeseries.transactions",
            "DROP VIEW forgotten",
        ),
        (
            "CREATE VIEW forgotten AS SELECT customer_id FROM timeseries.transactions"
            " WHERE customer_id = (SELECT current_customer_id())",
            "DROP VIEW forgotten",
        ),
        (
            "CREATE MATERIALIZED VIEW forgotten AS SELECT customer_id FROM timeseries.transactions",
            "DROP MATERIALIZED VIEW forgotten",
        ),
    ],
)
def test_it_finds_a_relation_that_nobody_guards(change: str, back: str) -> None:
    with changed(change, back):
        assert ids() == ["shelfops.E004"]
        [error] = checks.check_database(databases=["default"])
        assert "forgotten" in error.msg


def test_it_finds_a_policy_that_its_owner_is_not_under() -> None:
    with changed(
        "ALTER TABLE products NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE products FORCE ROW LEVEL SECURITY",
    ):
        assert ids() == ["shelfops.E005"]


@pytest.mark.parametrize(
    ("change", "back"),
    [
        (
            "GRANT USAGE ON SCHEMA timeseries TO shelfops_app",
            "REVOKE ALL ON SCHEMA timeseries FROM shelfops_app",
        ),
        (
            "GRANT SELECT ON timeseries.forecasts TO shelfops_app",
            "REVOKE ALL ON timeseries.forecasts FROM shelfops_app",
        ),
        (
            "GRANT SELECT ON timeseries.forecasts TO PUBLIC",
            "REVOKE ALL ON timeseries.forecasts FROM PUBLIC",
        ),
    ],
)
def test_it_finds_a_way_to_the_base_tables(change: str, back: str) -> None:
    with changed(change, back):
        assert set(ids()) == {"shelfops.E006"}


def test_it_finds_a_login_that_is_above_the_policies(monkeypatch) -> None:
    monkeypatch.setattr(checks, "reachable_base_tables", lambda alias: iter(()))
    monkeypatch.setattr(checks, "rows", lambda *args: [("boss", True, True, True, True)])
    found = [error.msg for error in checks.powers("default")]
    assert len(found) == 4
    assert all("logs in as boss" in message for message in found)


def test_it_refuses_the_owner_as_the_webs_login() -> None:
    """What happens when somebody puts the owner's URL into DATABASE_URL."""
    assert {error.id for error in checks.powers("owner")} == {"shelfops.E006"}


def test_it_names_the_variable_of_a_server_that_does_not_answer(monkeypatch) -> None:
    wrong = {**connections["owner"].get_connection_params(), "port": 1}
    monkeypatch.setattr(connections["owner"], "get_connection_params", lambda: wrong)
    [error] = checks.check_database(databases=["owner"])
    assert error.id == "shelfops.E007"
    assert error.msg.startswith("DATABASE_OWNER_URL cannot be used: ")


def test_it_names_the_variable_of_a_wrong_password(monkeypatch, database_urls) -> None:
    """At once, though the web's connections come from a pool."""
    wrong = {**connections["default"].get_connection_params(), "password": "wrong"}
    if not logs_in(wrong):
        monkeypatch.setattr(connections["default"], "get_connection_params", lambda: wrong)
        [error] = checks.check_database(databases=["default"])
        assert (error.id, error.msg.split()[0]) == ("shelfops.E007", "DATABASE_URL")


def logs_in(params: dict) -> bool:
    """A server that trusts local connections takes any password."""
    try:
        psycopg.connect(**params).close()
    except psycopg.OperationalError:
        return False
    return True
