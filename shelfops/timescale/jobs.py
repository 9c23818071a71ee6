"""Run TimescaleDB's jobs where no scheduler does: the embedded engine, or one switched off."""

from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic

from django.db import DatabaseError, connections

# A scheduler keeps next_start; where there is none it is empty or stays as it was, and our own
# record of the last run decides.
DUE = """
SELECT j.job_id, coalesce(j.hypertable_name, j.proc_name), j.proc_name
FROM timescaledb_information.jobs j
LEFT JOIN timeseries.job_runs r USING (job_id)
WHERE j.scheduled AND j.owner::text = current_user
  AND coalesce(greatest(j.next_start, r.finished_at + j.schedule_interval), '-infinity') <= now()
ORDER BY j.job_id
"""
RECORD = """
INSERT INTO timeseries.job_runs (job_id, finished_at) VALUES (%s, now())
ON CONFLICT (job_id) DO UPDATE SET finished_at = EXCLUDED.finished_at
"""


@dataclass(frozen=True)
class Run:
    """One job's run: what it worked on, how long it took (s), and the error if it failed."""

    job_id: int
    subject: str
    procedure: str
    seconds: float
    error: str = ""


def run_due_jobs() -> Iterator[Run]:
    """Run every job that is due, as the owner; one that fails does not stop the others."""
    connection = connections["owner"]
    with connection.cursor() as cursor:
        cursor.execute(DUE)
        due = cursor.fetchall()
    for job_id, subject, procedure in due:
        started = monotonic()
        error = ""
        with connection.cursor() as cursor:
            try:
                cursor.execute("CALL run_job(%s)", [job_id])
            except DatabaseError as failure:
                error = str(failure).splitlines()[0]
            cursor.execute(RECORD, [job_id])
        yield Run(job_id, subject, procedure, monotonic() - started, error)
