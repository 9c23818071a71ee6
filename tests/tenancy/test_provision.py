"""Provisioning a server: idempotent, with log-ins that work and no power too many."""

import os
from collections.abc import Iterator
from io import StringIO

import psycopg
import pytest
from django.core.management import CommandError, call_command
from psycopg import conninfo, sql

from shelfops.tenancy import provision
from shelfops.tenancy.management.commands.provision_database import VARIABLES, provision_server


def test_it_gives_roles_no_power_that_they_do_not_need(database_urls) -> None:
    with psycopg.connect(database_urls["app"]) as app:
        rows = app.execute(
            """
            SELECT rolname, rolcanlogin, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb,
                   rolreplication,
                   EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid)
            FROM pg_roles r WHERE rolname LIKE 'shelfops%' ORDER BY 1
            """
        ).fetchall()
    assert rows == [
        (role, True, *[False] * 6)
        for role in ("shelfops_app", "shelfops_operator", "shelfops_owner")
    ]


def test_it_logs_each_url_in_as_its_role(database_urls) -> None:
    for key, role in provision.ROLES.items():
        with psycopg.connect(database_urls[key]) as connection:
            assert connection.execute("SELECT current_user").fetchone() == (role,)


@pytest.mark.parametrize("url", ["", "nonsense", "http://host/db", "postgresql:///db"])
def test_it_says_what_an_admin_url_looks_like(url: str) -> None:
    with pytest.raises(CommandError, match="must look like postgresql://"):
        call_command("provision_database", url)


def test_it_says_that_a_server_does_not_answer() -> None:
    with pytest.raises(CommandError, match="could not be provisioned: .*"):
        call_command("provision_database", "postgresql://nobody@127.0.0.1:1/postgres")


def provisioned(admin_url: str, database: str, **options: bool) -> tuple[dict[str, str], str]:
    """The variables that the command prints, and what it says beside them."""
    output, errors = StringIO(), StringIO()
    call_command(
        "provision_database",
        admin_url,
        database=database,
        stdout=output,
        stderr=errors,
        **options,
    )
    lines = output.getvalue().splitlines()
    return dict(line.split("=", 1) for line in lines), errors.getvalue()


def test_it_may_be_run_again_on_a_server(admin_url: str, database_urls) -> None:
    """Nobody's password changes: the log-ins that were there work on, and it says where."""
    name = conninfo.conninfo_to_dict(database_urls["app"])["dbname"]
    variables, said = provisioned(admin_url, name)
    assert list(variables) == ["DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_OPERATOR_URL"]
    for key, role in provision.ROLES.items():
        assert f"{role}:PASSWORD@" in variables[VARIABLES[key]]
        with psycopg.connect(database_urls[key]) as connection:
            assert connection.execute("SELECT current_user").fetchone() == (role,)
    assert "shelfops_app" in said and "--new-passwords" in said


@pytest.fixture
def roles_of_a_second_server(admin_url: str, monkeypatch) -> Iterator[dict[str, str]]:
    """Roles of other names, since those of this server are in use by whoever tests on it."""
    names = {key: f"shelfops_test_{os.getpid()}_{key}" for key in provision.ROLES}
    monkeypatch.setattr(provision, "ROLES", names)
    yield names
    with psycopg.connect(admin_url, autocommit=True) as connection:
        for name in names.values():
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))


def test_it_makes_random_passwords_once(admin_url: str, roles_of_a_second_server) -> None:
    with psycopg.connect(admin_url, autocommit=True) as connection:
        first = provision.provision_roles(connection)
        assert first.keys() == provision.ROLES.keys()
        assert len(set(first.values())) == 3
        assert all(len(password) >= 40 for password in first.values())
        assert provision.provision_roles(connection) == {}
        assert logs_in(admin_url, first)
        told = provision.provision_roles(connection, dict.fromkeys(first, "told"))
        assert not logs_in(admin_url, first)
        assert logs_in(admin_url, told)


def logs_in(admin_url: str, passwords: dict[str, str]) -> bool:
    for key, role in provision.ROLES.items():
        try:
            psycopg.connect(admin_url, user=role, password=passwords[key]).close()
        except psycopg.OperationalError:
            return False
    return True


def test_it_undoes_what_a_role_has_set_for_itself(admin_url: str, roles_of_a_second_server) -> None:
    role = roles_of_a_second_server["app"]
    settings = "SELECT coalesce(rolconfig, '{}') FROM pg_roles WHERE rolname = %s"
    with psycopg.connect(admin_url, autocommit=True) as connection:
        passwords = provision.provision_roles(connection)
        made = connection.execute(settings, [role]).fetchone()
        with psycopg.connect(admin_url, user=role, password=passwords["app"]) as itself:
            itself.execute(f"ALTER ROLE {role} SET search_path = pg_temp")
        assert connection.execute(settings, [role]).fetchone() != made
        provision.provision_roles(connection)
        assert connection.execute(settings, [role]).fetchone() == made


def test_it_refuses_a_server_without_timescaledb(admin_url: str, monkeypatch) -> None:
    monkeypatch.setattr(provision, "AVAILABLE", "SELECT 1 WHERE false")
    with pytest.raises(provision.ProvisionError, match="Install TimescaleDB Community 2.23"):
        provision_server(admin_url, "shelfops_test_never_made")
    with psycopg.connect(admin_url) as connection:
        made = connection.execute(
            "SELECT 1 FROM pg_database WHERE datname = 'shelfops_test_never_made'"
        )
        assert made.fetchone() is None
