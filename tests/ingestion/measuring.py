"""How much memory reading a file takes, in a process of its own."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

READ = """
import re, sys
from pathlib import Path
from shelfops.ingestion.files import FileProblem, open_rows
from shelfops.ingestion.master.files import MasterRows

def feed(path):
    with open_rows(path) as rows:
        wanted = list(range(min(len(rows.header), 8)))
        return sum(len(group.lines) for group in rows.rows(wanted))

def master(path):
    rows = MasterRows(path.read_bytes(), {})
    return sum(len(group.lines) for group in rows.rows(list(range(len(rows.header)))))

try:
    said = f"{locals()[sys.argv[1]](Path(sys.argv[2]))} rows"
except FileProblem as problem:
    said = str(problem)
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]
print(int(peak) // 1024, said[:1000])
"""


def read(path: Path, door: str = "feed") -> tuple[int, str]:
    """Peak memory in MB, and the number of rows or what is wrong with the file."""
    done = subprocess.run(
        [sys.executable, "-c", READ, door, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    megabytes, _, said = done.stdout.strip().partition(" ")
    return int(megabytes), said
