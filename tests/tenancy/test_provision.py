"""Provisioning a server: idempotent, with log-ins that work and no power too many."""

from io import StringIO

import psycopg
import pytest
from django.core.management import CommandError, call_command
from psycopg import conninfo

from shelfops.tenancy import provision
from shelfops.tenancy.management.commands.provision_database import provision_server


def test_it_derives_the_same_passwords_for_the_same_server() -> None:
    first = provision.derive_passwords("secret", "db", 5432)
    assert first == provision.derive_passwords("secret", "db", 5432)
    others = [
        provision.derive_passwords(*arguments)
        for arguments in (("other", "db", 5432), ("secret", "db2", 5432), ("secret", "db", 5433))
    ]
    every = [password for passwords in (first, *others) for password in passwords.values()]
    assert len(set(every)) == 12


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


def test_it_may_be_run_again_on_a_server(admin_url: str, database_urls) -> None:
    """The second run prints the same URLs and changes nothing; only where a server is given."""
    name = conninfo.conninfo_to_dict(database_urls["app"])["dbname"]
    outputs = []
    for _ in range(2):
        output = StringIO()
        call_command("provision_database", admin_url, database=name, stdout=output)
        outputs.append(output.getvalue())
    assert outputs[0] == outputs[1]
    variables = dict(line.split("=", 1) for line in outputs[0].splitlines())
    assert list(variables) == ["DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_OPERATOR_URL"]
    assert variables["DATABASE_URL"] == database_urls["app"]
    with psycopg.connect(variables["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("shelfops_app",)


def test_it_refuses_a_server_without_timescaledb(admin_url: str, monkeypatch) -> None:
    monkeypatch.setattr(provision, "AVAILABLE", "SELECT 1 WHERE false")
    with pytest.raises(provision.ProvisionError, match="Install TimescaleDB Community 2.23"):
        provision_server(admin_url, "shelfops_test_never_made", "tests-only")
    with psycopg.connect(admin_url) as connection:
        made = connection.execute(
            "SELECT 1 FROM pg_database WHERE datname = 'shelfops_test_never_made'"
        )
        assert made.fetchone() is None
