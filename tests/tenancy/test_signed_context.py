"""Attacks on the signed context, with SQL as the application's role.

The attacker reads everything that role can read, keeps what it has seen, and runs any statement;
it has no key.
"""

import hmac
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from uuid import UUID, uuid4

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connection, connections, transaction
from psycopg import errors

from inventory.models import Product
from shelfops.tenancy import keys
from shelfops.tenancy.context import set_local, tenant
from shelfops.tenancy.sessions import visible
from shelfops.tenancy.signing import (
    Identity,
    Purpose,
    digest,
    key_of,
    opening,
    say,
    token,
)
from tests.cast import Cast
from tests.sql import Sql

SEEN = "SELECT current_customer_id(), (SELECT count(*) FROM products), (SELECT count(*) FROM users)"
NOTHING = (None, 0, 0)


@pytest.fixture
def app(database_urls) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_urls["app"], autocommit=True) as opened:
        yield opened


@pytest.fixture
def other(database_urls) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_urls["app"], autocommit=True) as opened:
        yield opened


def put(session: psycopg.Connection, value: str, name: str = "app.context") -> None:
    session.execute("SELECT set_config(%s, %s, false)", [name, value])


def made_of(cast: Cast, opened: tuple[int, int], **changes: object) -> str:
    return token(Identity(**{"customer": cast.customer.pk, **changes}), opened)


def test_it_believes_what_is_signed_for_this_transaction(cast: Cast, app) -> None:
    session = Sql(app)
    session.act_as(cast.customer.pk, cast.admin.pk)
    assert session.execute(SEEN).fetchone() == (cast.customer.pk, 1, 4)


@pytest.mark.parametrize(
    "name",
    [
        "app.current_customer_id",
        "app.current_user_id",
        "app.login_email",
        "app.session_key",
        "app.import_batch_id",
    ],
)
def test_it_believes_no_setting_that_is_not_signed(cast: Cast, client_of, app, name) -> None:
    cookie = client_of(cast.admin).cookies["sessionid"].value
    for value in (cast.customer.pk, cast.operator.pk, cast.admin.email, cookie, digest(cookie)):
        put(app, str(value), name)
        assert app.execute(SEEN).fetchone() == NOTHING
        assert app.execute("SELECT count(*) FROM customers").fetchone() == (0,)
        assert app.execute("SELECT count(*) FROM django_session").fetchone() == (0,)
        assert app.execute("SELECT current_import_batch_id()").fetchone() == (None,)
        assert app.execute("SELECT count(*) FROM customers_overview(10)").fetchone() == (0,)


def test_a_token_opens_nothing_in_another_transaction(cast: Cast, app, other) -> None:
    """The one of a transaction that is still open, in another backend; and after its end."""
    with app.transaction():
        say(app, Identity(cast.customer.pk), opening(app))
        [stolen] = app.execute("SELECT current_setting('app.context')").fetchone()
    time.sleep(0.01)  # the embedded engine's clock is coarse
    for session in (app, other):
        put(session, stolen)
        assert session.execute(SEEN).fetchone() == NOTHING
        with session.transaction():
            put(session, stolen)
            assert session.execute(SEEN).fetchone() == NOTHING
        session.execute("RESET app.context")


def test_a_token_opens_nothing_in_another_backend(cast: Cast, app, other, admin_url) -> None:
    """Both transactions are open at once, which the embedded engine's one backend cannot do."""
    with app.transaction():
        say(app, Identity(cast.customer.pk), opening(app))
        [stolen] = app.execute("SELECT current_setting('app.context')").fetchone()
        put(other, stolen)
        assert other.execute(SEEN).fetchone() == NOTHING
        _, began = opening(app)
        theirs = other.execute("SELECT pg_backend_pid()").fetchone()[0]
        put(other, stolen.replace(str(app.info.backend_pid), str(theirs), 1))
        assert other.execute(SEEN).fetchone() == NOTHING
        assert app.execute(SEEN).fetchone() == (cast.customer.pk, 1, 4)


def unhex(text: str) -> str:
    return text[:-1] + ("0" if text[-1] != "0" else "1")


FORGERIES: dict[str, Callable[[str, Cast], str]] = {
    "another customer": lambda t, c: t.replace(str(c.customer.pk), str(c.other_customer.pk)),
    "another digit of the mac": lambda t, c: unhex(t),
    "a shorter mac": lambda t, c: t[:-1],
    "no mac": lambda t, c: t.rpartition("|")[0] + "|",
    "no fields": lambda t, c: "|||||||",
    "one field too many": lambda t, c: t.replace("|", "||", 1),
    "another key": lambda t, c: "000000000000" + t[12:],
    "no key": lambda t, c: t[12:],
    "another purpose": lambda t, c: t.replace("|work|", "|login|"),
    "a quote": lambda t, c: t + "'; --",
    "not a token": lambda t, c: str(c.customer.pk),
    "a mac without key": lambda t, c: resigned(t, b""),
    "a mac with the key's name": lambda t, c: resigned(t, t[:12].encode()),
}


def resigned(signed: str, secret: bytes) -> str:
    payload = signed.rpartition("|")[0]
    return f"{payload}|{hmac.digest(secret, payload.encode(), 'sha256').hex()}"


@pytest.mark.parametrize("forgery", FORGERIES)
def test_it_believes_no_forgery_and_does_not_say_why(cast: Cast, app, forgery) -> None:
    with app.transaction():
        opened = opening(app)
        good = made_of(cast, opened)
        put(app, good)
        assert app.execute(SEEN).fetchone() == (cast.customer.pk, 1, 4)
        put(app, FORGERIES[forgery](good, cast))
        assert app.execute(SEEN).fetchone() == NOTHING


def test_a_token_serves_its_own_purpose_alone(cast: Cast, client_of, app) -> None:
    cookie = client_of(cast.admin).cookies["sessionid"].value
    sees = (
        "SELECT (SELECT count(*) FROM products), (SELECT count(*) FROM users),"
        " (SELECT count(*) FROM django_session), current_import_batch_id()"
    )
    batch = uuid4()
    both = (cast.customer.pk, cast.admin.pk)
    expected = {
        (Purpose.WORK, str(batch)): (1, 4, 0, None),
        (Purpose.IMPORT, str(batch)): (1, 4, 0, batch),
        (Purpose.LOGIN, digest(cast.outsider.email)): (0, 1, 0, None),
        (Purpose.LOGIN, digest("nobody@example.com")): (0, 0, 0, None),
        (Purpose.SESSION, digest(cookie)): (0, 0, 1, None),
        (Purpose.SESSION, cookie): (0, 0, 0, None),
    }
    for (purpose, detail), counts in expected.items():
        session = Sql(app)
        session.act_as(*both, purpose, detail)
        assert session.execute(sees).fetchone() == counts, purpose


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM private.context_keys",
        "SELECT * FROM private.address_key",
        "SELECT * FROM private.addresses",
        "INSERT INTO private.context_keys VALUES ('mine', '', '')",
        "EXPLAIN SELECT * FROM private.addresses",
        "SELECT private.context()",
        "SELECT private.mac(NULL, 'x')",
        "SELECT private.work_for(gen_random_uuid())",
        "SELECT private.hash_of_address('a@example.com')",
        "SELECT private.hash_of('a')",
        "SELECT has_schema_privilege('private', 'USAGE') AND 1 / 0 = 1 FROM private.context_keys",
        "CREATE FUNCTION private.context() RETURNS text[] LANGUAGE sql AS 'SELECT NULL'",
        "ALTER FUNCTION public.current_customer_id() SECURITY INVOKER",
        "ALTER FUNCTION public.current_customer_id() RESET ALL",
        "COPY private.context_keys TO STDOUT",
        "ALTER TABLE users DISABLE TRIGGER users_keep_address",
        "SET session_authorization = shelfops_owner",
    ],
)
def test_it_keeps_its_keys_and_helpers_to_itself(cast: Cast, app, statement) -> None:
    session = Sql(app)
    session.act_as(cast.customer.pk, cast.admin.pk)
    with pytest.raises(errors.InsufficientPrivilege):
        session.execute(statement)


def test_nothing_in_a_callers_path_stands_in_for_what_it_calls(cast: Cast, database_urls) -> None:
    """Functions and operators of the attacker's, found first by whoever does not look away.

    As the owner, under the same policies: the application may make no temporary objects at all.
    """
    with psycopg.connect(database_urls["owner"], autocommit=True) as session:
        stand_in(cast, session)


def stand_in(cast: Cast, app: psycopg.Connection) -> None:
    say_so = "LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'stood in'; RETURN {}; END $$"
    heard: list[str] = []
    app.add_notice_handler(lambda notice: heard.append(notice.message_primary))
    with app.transaction():
        for made in (
            f"pg_temp.sha256(bytea) RETURNS bytea {say_so.format('$1')}",
            f"pg_temp.current_setting(text, boolean) RETURNS text {say_so.format('$1')}",
            f"pg_temp.pg_backend_pid() RETURNS integer {say_so.format('1')}",
            f"pg_temp.now() RETURNS timestamptz {say_so.format('NULL')}",
            f"pg_temp.same(text, text) RETURNS boolean {say_so.format('true')}",
            f"pg_temp.current_customer_id() RETURNS uuid {say_so.format('NULL')}",
        ):
            app.execute(f"CREATE FUNCTION {made}")
        for name in ("=", "<>"):
            app.execute(
                f"CREATE OPERATOR pg_temp.{name}"
                " (LEFTARG = text, RIGHTARG = text, PROCEDURE = pg_temp.same)"
            )
        app.execute("SET LOCAL search_path = pg_temp, public, pg_catalog")
        put(app, made_of(cast, opening_unmoved(app), customer=cast.customer.pk))
        assert app.execute("SELECT count(*) FROM public.products").fetchone() == (1,)
        put(app, unhex(made_of(cast, opening_unmoved(app))))
        assert app.execute("SELECT count(*) FROM public.products").fetchone() == (0,)
    assert heard == []


def opening_unmoved(session: psycopg.Connection) -> tuple[int, int]:
    return session.execute(
        "SELECT pg_catalog.pg_backend_pid(),"
        " (extract(epoch FROM pg_catalog.now()) OPERATOR(pg_catalog.*) 1000000)::bigint"
    ).fetchone()


def test_a_savepoint_that_is_undone_takes_its_word_back(cast: Cast) -> None:
    with tenant(cast.customer):
        set_local("current_user_id", cast.admin.pk)
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            set_local("current_user_id", cast.operator.pk)
            raise ZeroDivisionError
        assert who() == (cast.customer.pk, cast.admin.pk)
        set_local("import_batch_id", cast.store.pk)  # what Python remembers is what holds
        assert who() == (cast.customer.pk, cast.admin.pk)
        with transaction.atomic():
            set_local("current_user_id", cast.staff.pk)
        assert who() == (cast.customer.pk, cast.staff.pk)
        with tenant(cast.other_customer), visible("x"):
            assert who() == (None, None)
        assert who() == (cast.customer.pk, cast.staff.pk)
        assert batch() == cast.store.pk
    with transaction.atomic():
        assert who() == (None, None)
        set_local("current_user_id", cast.admin.pk)
        assert who() == (None, cast.admin.pk)


def test_it_says_nothing_that_an_error_has_left(cast: Cast) -> None:
    """A statement that fails inside a savepoint, then another customer's turn."""
    with tenant(cast.customer):
        for _ in range(2):
            with pytest.raises(DatabaseError), tenant(cast.other_customer):
                Product.objects.raw("SELECT 1 / 0 AS product_id")[0]
            assert who() == (cast.customer.pk, None)


def who() -> tuple[UUID | None, UUID | None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_customer_id(), current_user_id()")
        return cursor.fetchone()


def batch() -> UUID | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_import_batch_id()")
        return cursor.fetchone()[0]


def test_a_prepared_statement_asks_anew(cast: Cast, app) -> None:
    """Its plan outlives the customer that it was made for; generic plans, too."""
    app.execute("SET plan_cache_mode = force_generic_plan")
    app.execute("PREPARE mine AS SELECT name FROM products")
    app.execute("PREPARE sold AS SELECT count(*) FROM transactions")
    session = Sql(app)
    for _ in range(3):
        for customer, name in ((cast.customer, "Milk 1 l"), (cast.other_customer, "Rival milk")):
            session.act_as(customer.pk)
            assert session.execute("EXECUTE mine").fetchall() == [(name,)]
        session.act_as(None)
        assert session.execute("EXECUTE mine").fetchall() == []
        assert session.execute("EXECUTE sold").fetchone() == (0,)


def test_a_cursor_goes_on_as_whoever_opened_it(cast: Cast, app) -> None:
    """One statement sees one customer, whatever is set while it is read."""
    with app.transaction():
        opened = opening(app)
        say(app, Identity(cast.customer.pk), opened)
        app.execute("DECLARE mine CURSOR FOR SELECT name FROM products, generate_series(1, 2)")
        assert app.execute("FETCH mine").fetchall() == [("Milk 1 l",)]
        say(app, Identity(cast.other_customer.pk), opened)
        assert app.execute("FETCH ALL mine").fetchall() == [("Milk 1 l",)]


def test_it_works_in_parallel_plans(cast: Cast, app, admin_url) -> None:
    """Workers are other backends, for which the context is not signed: the leader asks."""
    with tenant(cast.customer):
        Product.objects.bulk_create(Product(sku=f"P{n}", name="x" * 200) for n in range(2000))
    session = Sql(app)
    for setting in (
        "max_parallel_workers_per_gather = 2",
        "parallel_setup_cost = 0",
        "parallel_tuple_cost = 0",
        "min_parallel_table_scan_size = 0",
        "enable_indexscan = off",
        "enable_bitmapscan = off",
        "enable_indexonlyscan = off",
    ):
        app.execute(f"SET {setting}")
    session.act_as(cast.customer.pk)
    counted = "SELECT count(*) FROM products WHERE name > ''"
    plan = "".join(line for (line,) in session.execute(f"EXPLAIN {counted}").fetchall())
    assert "Parallel" in plan
    assert session.execute(counted).fetchone() == (2001,)
    session.act_as(cast.other_customer.pk)
    assert session.execute(counted).fetchone() == (1,)


def test_the_owner_alone_may_say_it_plainly(cast: Cast, database_urls) -> None:
    """Its jobs go through the customers; operator and application cannot."""
    for role, expected in (("owner", cast.customer.pk), ("operator", None), ("app", None)):
        with psycopg.connect(database_urls[role]) as session:
            put(session, str(cast.customer.pk), "app.current_customer_id")
            found = session.execute("SELECT current_customer_id()").fetchone()
            assert found == (expected,), role


def test_an_operators_word_must_be_signed_to_see_every_customer(cast: Cast, app) -> None:
    session = Sql(app)
    session.act_as(None, cast.operator.pk)
    listed = session.execute("SELECT customer_id, users FROM customers_overview(100000)")
    assert {cast.customer.pk, cast.other_customer.pk} <= {row[0] for row in listed.fetchall()}
    with app.transaction():
        say(app, session.identity, opening(app))
        before = app.execute("SELECT current_setting('app.context')").fetchone()
        app.execute("SELECT count(*) FROM customers_overview(3)")
        assert app.execute("SELECT current_setting('app.context')").fetchone() == before
    session.act_as(None, cast.admin.pk)
    assert session.execute("SELECT count(*) FROM customers_overview(9)").fetchone() == (0,)


def test_a_session_stands_in_the_database_by_its_digest_alone(cast: Cast, client_of) -> None:
    """Neither the table nor the context has what a browser could send."""
    cookie = client_of(cast.admin).cookies["sessionid"].value
    with visible(cookie), connection.cursor() as cursor:
        cursor.execute("SELECT session_key, current_setting('app.context') FROM django_session")
        [(kept, context)] = cursor.fetchall()
    assert kept == digest(cookie)
    assert cookie not in context
    client = client_of(cast.staff)
    client.cookies["sessionid"] = kept
    assert client.get("/").status_code == 302


def test_no_secret_stands_in_a_statements_text(cast: Cast, client_of) -> None:
    """Tokens, password hashes and sessions are parameters, which the server binds."""
    client = client_of(cast.admin)
    pgconn = connections["default"].connection.pgconn
    with tempfile.TemporaryFile("w+") as sent:
        pgconn.trace(sent.fileno())
        client.get("/")
        with tenant(cast.customer):
            cast.staff.set_password("a new one, for a while")
            cast.staff.save()
        pgconn.untrace()
        sent.seek(0)
        texts = [line for line in sent if re.search(r"\t(Query|Parse)\t", line)]
    assert connections["default"].connection.pgconn is pgconn
    assert [text for text in texts if "set_config('app.context', $1" in text]
    assert [text for text in texts if "UPDATE" in text and "users" in text]
    cookie = client.cookies["sessionid"].value
    for secret in (cookie, digest(cookie), cast.staff.password, "|work|"):
        assert not [text for text in texts if secret in text]


def test_a_key_may_be_changed_while_others_still_sign_with_the_old_one(
    cast: Cast, app, monkeypatch, capsys
) -> None:
    session = Sql(app)
    session.act_as(cast.customer.pk)
    old = settings.CONTEXT_KEY
    monkeypatch.setattr(settings, "CONTEXT_KEY", "another key, of more than 32 characters")
    assert session.execute(SEEN).fetchone() == NOTHING
    assert [error.id for error in keys.unknown_key("default")] == ["shelfops.E010"]
    keys.install_key()
    assert session.execute(SEEN).fetchone() == (cast.customer.pk, 1, 4)
    assert list(keys.unknown_key("default")) == []
    monkeypatch.setattr(settings, "CONTEXT_KEY", old)
    assert session.execute(SEEN).fetchone() == (cast.customer.pk, 1, 4)
    call_command("context_keys", "--remove-others")
    assert key_of("another key, of more than 32 characters").key_id in capsys.readouterr().out
    monkeypatch.setattr(settings, "CONTEXT_KEY", "another key, of more than 32 characters")
    assert session.execute(SEEN).fetchone() == NOTHING
