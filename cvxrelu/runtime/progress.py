"""A line on the screen that says what is being done, where the caller asked for one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm.auto import tqdm

__all__ = ["progress_line", "progress_stages"]


@contextmanager
def progress_line(shown: bool) -> Iterator[Callable[[str], None]]:
    """Show a line with the time that has gone; call the value with what it is to say.

    Examples
    --------
    >>> with progress_line(shown=False) as say:
    ...     say("round 1")
    """
    with tqdm(disable=not shown, bar_format="{desc} [{elapsed}]") as bar:
        yield lambda text: bar.set_description(text)


@contextmanager
def progress_stages(shown: bool, count: int) -> Iterator[Callable[[str], None]]:
    """Show a bar over so many stages; call the value with the name of each as it begins.

    Examples
    --------
    >>> with progress_stages(shown=False, count=1) as stage:
    ...     stage("solving")
    """
    with tqdm(total=count, disable=not shown, bar_format="{desc:<24}{bar}| {n}/{total} [{elapsed}]") as bar:

        def stage(name: str) -> None:
            bar.set_description(name)
            bar.update()

        yield stage
