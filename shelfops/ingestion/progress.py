"""Progress of long steps on the command line: bars on a terminal, lines elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from time import monotonic

from django.core.management.base import OutputWrapper
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)

# Opens a step by its title and number of rows (0: unknown), and gives what advances it.
Steps = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


def show(output: OutputWrapper) -> AbstractContextManager[Steps]:
    """Bars where `output` is a terminal, one line a step where it is not."""
    return bars() if output.isatty() else lines(output)


@contextmanager
def bars() -> Iterator[Steps]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn()) as progress:

        @contextmanager
        def step(title: str, rows: int) -> Iterator[Callable[[int], None]]:
            task = progress.add_task(title, total=rows or None)
            yield lambda done: progress.advance(task, done)
            progress.update(task, total=max(rows, 1), completed=max(rows, 1))

        yield step


@contextmanager
def lines(output: OutputWrapper) -> Iterator[Steps]:
    @contextmanager
    def step(title: str, rows: int) -> Iterator[Callable[[int], None]]:
        start = monotonic()
        yield lambda done: None
        amount = f"{rows:,} rows, " if rows else ""
        output.write(f"{title}: {amount}{monotonic() - start:.1f} s\n")

    yield step


@contextmanager
def silent() -> Iterator[Steps]:
    @contextmanager
    def step(title: str, rows: int) -> Iterator[Callable[[int], None]]:
        yield lambda done: None

    yield step
