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
    found = checks.check_database(databases=["default", "owner", "operator"])
    assert not found, "\n".join(f"{message.msg} {message.hint}" for message in found)


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


OWN = "customer_id = (SELECT current_customer_id())"
LEAKS = {
    "a policy that asks nothing": (
        "ALTER POLICY products_tenant ON products USING (true)",
        f"ALTER POLICY products_tenant ON products USING ({OWN})",
        "shelfops.E012",
    ),
    "a policy that asks for the customer or something else": (
        f"ALTER POLICY products_tenant ON products USING ({OWN} OR sku = 'x')",
        f"ALTER POLICY products_tenant ON products USING ({OWN})",
        "shelfops.E012",
    ),
    "a policy that names the function and lets all through": (
        "ALTER POLICY products_tenant ON products"
        " USING ((customer_id = (SELECT current_customer_id())) IS NOT NULL)",
        f"ALTER POLICY products_tenant ON products USING ({OWN})",
        "shelfops.E012",
    ),
    "a policy that lets others' rows be written": (
        "ALTER POLICY products_tenant ON products WITH CHECK (true)",
        f"ALTER POLICY products_tenant ON products WITH CHECK ({OWN})",
        "shelfops.E012",
    ),
    "a second permissive policy": (
        "CREATE POLICY second ON products FOR SELECT USING (sku <> '')",
        "DROP POLICY second ON products",
        "shelfops.E012",
    ),
    "a second policy of the application's": (
        "CREATE POLICY second ON products FOR DELETE TO shelfops_app USING (true)",
        "DROP POLICY second ON products",
        "shelfops.E012",
    ),
    "a policy with a function of the same name in another schema": (
        "CREATE SCHEMA other; CREATE FUNCTION other.current_customer_id() RETURNS uuid"
        " LANGUAGE sql AS 'SELECT NULL::uuid';"
        "CREATE POLICY second ON products"
        " USING (customer_id = (SELECT other.current_customer_id()))",
        "DROP SCHEMA other CASCADE",
        "shelfops.E012",
    ),
    "a table with a policy for another role alone": (
        "CREATE TABLE forgotten (customer_id uuid);"
        " ALTER TABLE forgotten ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
        f" CREATE POLICY forgotten_other ON forgotten TO shelfops_operator USING ({OWN})",
        "DROP TABLE forgotten",
        "shelfops.E004",
    ),
    "a part of a table that has its own policy": (
        "CREATE TABLE whole (customer_id uuid) PARTITION BY LIST (customer_id);"
        " ALTER TABLE whole ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
        f" CREATE POLICY whole_tenant ON whole USING ({OWN});"
        " CREATE TABLE forgotten PARTITION OF whole DEFAULT",
        "DROP TABLE whole",
        "shelfops.E004",
    ),
    "an heir of a table": (
        "CREATE TABLE forgotten () INHERITS (products)",
        "DROP TABLE forgotten",
        "shelfops.E004",
    ),
    "a view that names the function without filtering": (
        "CREATE VIEW forgotten WITH (security_barrier = true) AS"
        " SELECT customer_id, current_customer_id() AS mine FROM timeseries.transactions",
        "DROP VIEW forgotten",
        "shelfops.E004",
    ),
    "a view that asks for the customer in one of two parts": (
        "CREATE VIEW forgotten WITH (security_barrier = true) AS"
        " SELECT customer_id FROM timeseries.transactions UNION ALL"
        f" SELECT customer_id FROM timeseries.transactions WHERE {OWN}",
        "DROP VIEW forgotten",
        "shelfops.E004",
    ),
    "a view that joins what it does not filter": (
        "CREATE VIEW forgotten WITH (security_barrier = true) AS"
        " SELECT a.customer_id, b.sku FROM timeseries.transactions AS a, products AS b"
        " WHERE a.customer_id = (SELECT current_customer_id())",
        "DROP VIEW forgotten",
        "shelfops.E004",
    ),
    "a view with a sub-select of everybody's rows": (
        "CREATE VIEW forgotten WITH (security_barrier = true) AS"
        " SELECT customer_id, (SELECT max(quantity) FROM timeseries.transactions) AS most"
        f" FROM timeseries.transactions WHERE {OWN}",
        "DROP VIEW forgotten",
        "shelfops.E004",
    ),
    "a view in another schema": (
        "CREATE SCHEMA other; CREATE VIEW other.forgotten AS"
        " SELECT customer_id FROM timeseries.transactions;"
        " GRANT SELECT ON other.forgotten TO PUBLIC",
        "DROP SCHEMA other CASCADE",
        "shelfops.E004",
    ),
    "a column of a table in another schema": (
        "CREATE SCHEMA other; CREATE TABLE other.forgotten (customer_id uuid, note text);"
        " GRANT SELECT (note) ON other.forgotten TO shelfops_app",
        "DROP SCHEMA other CASCADE",
        "shelfops.E004",
    ),
    "a function with the owner's rights": (
        "CREATE FUNCTION leak() RETURNS SETOF timeseries.transactions"
        " LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp"
        " AS 'SELECT * FROM timeseries.transactions'",
        "DROP FUNCTION leak()",
        "shelfops.E013",
    ),
    "one in another schema that names the function": (
        "CREATE SCHEMA other; CREATE FUNCTION other.leak() RETURNS bigint"
        " LANGUAGE sql SECURITY DEFINER"
        " AS 'SELECT count(*) FROM timeseries.transactions"
        "     WHERE public.current_customer_id() IS NOT NULL'",
        "DROP SCHEMA other CASCADE",
        "shelfops.E013",
    ),
    "a trigger's function with the owner's rights": (
        "CREATE FUNCTION leak() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
        " AS 'BEGIN UPDATE timeseries.transactions SET quantity = 0; RETURN NULL; END';"
        " REVOKE ALL ON FUNCTION leak() FROM PUBLIC;"
        " CREATE TRIGGER leak AFTER UPDATE ON products EXECUTE FUNCTION leak()",
        "DROP FUNCTION leak() CASCADE",
        "shelfops.E013",
    ),
    "a reviewed function that has been changed": (
        "ALTER FUNCTION take_turn(text, boolean) SET search_path = public",
        "ALTER FUNCTION take_turn(text, boolean) SET search_path = pg_catalog, pg_temp",
        "shelfops.E013",
    ),
    "a rule with the owner's rights": (
        "CREATE RULE leak AS ON UPDATE TO products DO ALSO"
        " UPDATE timeseries.transactions SET quantity = 0",
        "DROP RULE leak ON products",
        "shelfops.E013",
    ),
    "what everybody may do in the schema": (
        "GRANT USAGE, CREATE ON SCHEMA public TO PUBLIC",
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        "shelfops.E015",
    ),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_it_finds_a_leak(leak: str) -> None:
    change, back, expected = LEAKS[leak]
    with changed(change, back):
        assert set(ids()) == {expected}
    assert ids() == []


@contextmanager
def altered(change: str, back: str) -> Iterator[None]:
    """What a role changes about itself, or who may enter: by the log-in that may do so."""
    with connections["default"].cursor() as cursor:
        cursor.execute(change)
        try:
            yield
        finally:
            cursor.execute(back)


@pytest.mark.parametrize("where", ["", "IN DATABASE {}"])
def test_it_finds_what_a_role_has_set_for_its_sessions_to_come(where: str) -> None:
    """It lasts for everybody, and nobody but the check would see it."""
    role = f"ALTER ROLE shelfops_app {where.format(connections['default'].settings_dict['NAME'])}"
    with altered(f"{role} SET work_mem = '64kB'", f"{role} RESET work_mem"):
        [error] = checks.check_database(databases=["default"])
    assert error.id == "shelfops.E016"
    assert "shelfops_app SET work_mem=64kB" in error.msg


@pytest.mark.parametrize("right", ["CONNECT", "TEMPORARY"])
def test_it_finds_a_restored_database_that_everybody_may_enter(admin_url: str, right: str) -> None:
    """A restore brings the rows and not who may enter; the hint says what to run."""
    name = connections["owner"].settings_dict["NAME"]
    with changed(
        f"GRANT {right} ON DATABASE {name} TO PUBLIC",
        f"REVOKE {right} ON DATABASE {name} FROM PUBLIC",
    ):
        [error] = checks.check_database(databases=["default"])
    assert error.id == "shelfops.E015"
    assert "provision_database" in error.hint and "restore" in error.hint


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
