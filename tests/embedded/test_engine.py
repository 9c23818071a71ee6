"""Starting, stopping, and saying clearly why not."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from shelfops.embedded import config, database_urls
from shelfops.embedded.engine import Engine
from shelfops.embedded.errors import AlreadyRunning, DataFolderError, EngineError, PortOccupied
from tests.embedded.conftest import provision

ROOT = Path(__file__).parents[2]


def test_it_remembers_the_urls_without_starting_anything(tmp_path):
    urls = database_urls(tmp_path)
    assert sorted(urls) == ["DATABASE_OPERATOR_URL", "DATABASE_OWNER_URL", "DATABASE_URL"]
    assert urls["DATABASE_URL"].startswith("postgresql://shelfops_app:")
    assert database_urls(tmp_path) == urls
    directory = tmp_path / ".shelfops" / "embedded"
    assert [path.name for path in directory.iterdir()] == ["state.json"]
    assert stat.S_IMODE((directory / "state.json").stat().st_mode) == 0o600
    assert Engine(directory).url("owner") == urls["DATABASE_OWNER_URL"]
    assert not Engine(directory).status().running
    assert database_urls(tmp_path / "another")["DATABASE_URL"] != urls["DATABASE_URL"]


def test_the_urls_need_no_django(tmp_path):
    code = (
        "import sys, pathlib, shelfops.embedded as e; e.database_urls(pathlib.Path(sys.argv[1]));"
        "sys.exit('django' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def test_it_starts_stops_and_starts_again(tmp_path):
    engine = Engine(tmp_path, provision=provision)
    assert engine.stop() is False
    engine.start(detached=True)
    url = engine.url("app")
    try:
        assert Engine(tmp_path).status().running
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT current_database()").fetchone() == ("shelfops",)
        for path in ["state.json", "server.log"]:
            assert stat.S_IMODE((tmp_path / path).stat().st_mode) & 0o077 == 0, path
        with pytest.raises(AlreadyRunning, match=r"already runs on 127\.0\.0\.1:\d+ \(process \d"):
            Engine(tmp_path).start()
        with pytest.raises(AlreadyRunning):
            Engine(tmp_path).reset()
    finally:
        assert Engine(tmp_path).stop() is True
    assert not engine.status().running
    engine.start(detached=True)
    assert engine.url("app") == url
    engine.stop()
    engine.reset()
    assert not (tmp_path / "data").exists()
    assert engine.url("app") == url


def test_it_provisions_again_after_a_provisioning_that_failed(tmp_path):
    def fail(connection, passwords):
        raise RuntimeError("not today")

    with pytest.raises(RuntimeError):
        Engine(tmp_path, provision=fail).start()
    engine = Engine(tmp_path, provision=provision)
    assert not engine.status().running
    with engine:
        assert psycopg.connect(engine.url("app")).close() is None


def test_it_gives_the_provisioning_a_superuser_and_the_passwords(tmp_path):
    seen = {}

    def look(connection, passwords):
        seen["passwords"] = passwords
        seen["super"] = connection.execute("SHOW is_superuser").fetchone()[0]
        seen["autocommit"] = connection.autocommit

    with Engine(tmp_path, provision=look):
        pass
    kept = config.load_state(tmp_path).passwords
    assert seen == {
        "passwords": {key: kept[f"shelfops_{key}"] for key in ["owner", "app", "operator"]},
        "super": "on",
        "autocommit": True,
    }


def test_it_says_that_its_port_is_occupied(tmp_path):
    port = config.load_state(tmp_path).port
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(PortOccupied, match=f"Port {port} .* --port"):
            Engine(tmp_path, provision=provision).start()
        assert not (tmp_path / "data").exists()
        another = config.free_port()
        engine = Engine(tmp_path, provision=provision)
        engine.start(another)
        assert engine.status().port == another
        engine.stop()
    assert config.load_state(tmp_path).port == another


@pytest.fixture
def stopped(tmp_path):
    engine = Engine(tmp_path, provision=provision)
    engine.start()
    engine.stop()
    return engine


def test_it_says_that_the_data_is_damaged(stopped):
    (stopped.data / "PG_VERSION").write_text("16\n")
    with pytest.raises(DataFolderError, match=r"PostgreSQL 16.*embedded reset"):
        stopped.start()
    (stopped.data / "PG_VERSION").write_text("17\n")
    control = (stopped.data / "global" / "pg_control").read_bytes()
    (stopped.data / "global" / "pg_control").unlink()
    with pytest.raises(DataFolderError, match=r"pg_control is missing.*embedded reset"):
        stopped.start()
    (stopped.data / "global" / "pg_control").write_bytes(b"\0" * len(control))
    with pytest.raises(DataFolderError, match="embedded reset"):
        stopped.start()
    assert not stopped.status().running
    stopped.reset()
    stopped.start()
    stopped.stop()


def test_it_ignores_a_half_made_data_folder(tmp_path):
    (tmp_path / "data.new" / "base").mkdir(parents=True)
    with Engine(tmp_path, provision=provision):
        assert not (tmp_path / "data.new").exists()


def test_it_says_that_its_state_cannot_be_read(tmp_path):
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(DataFolderError, match="embedded reset"):
        Engine(tmp_path).start()
    Engine(tmp_path).reset()
    assert json.loads(json.dumps(config.load_state(tmp_path).port)) > 0


def test_it_does_not_touch_a_process_that_is_not_its_own(tmp_path):
    """The file's process id counts only while the lock is held."""
    config.load_state(tmp_path)
    (tmp_path / "lock").write_text(str(os.getpid()))
    engine = Engine(tmp_path)
    assert not engine.status().running
    assert engine.stop() is False


@pytest.mark.parametrize("in_memory", [True, False])
def test_it_ends_with_its_parent(tmp_path, in_memory):
    where = "None" if in_memory else f"pathlib.Path({str(tmp_path)!r})"
    code = (
        "import pathlib, time; from shelfops.embedded.engine import Engine;"
        f"from tests.embedded.conftest import provision; e = Engine({where}, provision=provision);"
        "e.start(); print(e.status().pid, e.directory, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with parent:
        pid, directory = parent.stdout.readline().split()
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while Engine(Path(directory)).status().running if Path(directory).exists() else False:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert Path(directory).exists() is not in_memory
    with pytest.raises(ProcessLookupError):
        for _ in range(100):
            os.kill(int(pid), 0)
            time.sleep(0.05)


def test_it_survives_its_parent_when_detached(tmp_path):
    code = (
        "import pathlib; from shelfops.embedded.engine import Engine;"
        "from tests.embedded.conftest import provision;"
        f"Engine(pathlib.Path({str(tmp_path)!r}), provision=provision).start(detached=True)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    engine = Engine(tmp_path)
    try:
        assert (done.returncode, done.stderr) == (0, "")
        with psycopg.connect(engine.url("app")) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        assert engine.stop()


def test_its_log_is_limited(tmp_path):
    script = (
        f"import {{ openLog }} from '{ROOT}/shelfops/embedded/server/log.mjs';"
        f"const log = openLog('{tmp_path}/a.log');"
        "for (let i = 0; i < 12000; i++) log('x'.repeat(1000))"
    )
    from shelfops.embedded.install import node

    subprocess.run([node(), "--input-type=module", "-e", script], check=True)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert sorted(sizes) == ["a.log", "a.log.1"]
    assert max(sizes.values()) < 6 << 20


def test_it_cannot_wait_for_an_engine_of_another_process(tmp_path):
    with pytest.raises(EngineError):
        Engine(tmp_path).wait()
