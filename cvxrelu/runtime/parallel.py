"""Independent tasks on the workers of joblib, which end with the caller."""

import os
import warnings
from collections.abc import Callable, Generator, Iterable
from typing import Any

from joblib import Parallel, delayed

from cvxrelu.errors import InputError
from cvxrelu.runtime.warned import warn

__all__ = ["results_of"]

# A warning: its text and category.
Told = tuple[str, type[Warning]]


def results_of(tasks: Iterable[Any], n_jobs: int, prefer: str | None = None) -> Generator[Any]:
    """Yield the results of delayed tasks in their order, each as soon as it is there.

    Parameters
    ----------
    tasks : iterable
        What `joblib.delayed` makes.
    n_jobs : int
        Workers, as in joblib; a single one is this process.
    prefer : {"threads", "processes"}, optional
        What workers are unless `joblib.parallel_config` says otherwise.

    Yields
    ------
    object
        One result a task. If the caller is interrupted, so are the workers. What a task warns of in another process
        is warned of here when its result is there.

    Raises
    ------
    InputError
        If `joblib.parallel_config` names workers that do not hand over results one by one.

    Examples
    --------
    >>> from joblib import delayed
    >>> list(results_of((delayed(abs)(k) for k in (-1, 2)), 1))
    [1, 2]
    """
    if n_jobs == 1:
        for function, args, kwargs in tasks:
            yield function(*args, **kwargs)
        return
    # Other processes get large arrays as files, by default to read only: here they may write into their copies.
    try:
        workers = Parallel(n_jobs=n_jobs, return_as="generator", prefer=prefer, mmap_mode="c")
    except ValueError as error:
        raise InputError(
            "joblib.parallel_config names a backend that does not hand over results one by one, such as "
            "'multiprocessing'; choose 'loky' or 'threading'."
        ) from error
    home = os.getpid()
    results: Any = workers(delayed(_called)(home, task, *args, **kwargs) for task, args, kwargs in tasks)
    try:
        for result, told in results:
            for warning in told:
                warn(*warning)
            yield result
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # joblib counts what is done and not asked for any more
            results.close()


def _called(home: int, function: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[Any, list[Told]]:
    """Return what a function returns and, unless the process is home, what it warns of: nobody would see it here."""
    if os.getpid() == home:
        return function(*args, **kwargs), []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")  # the filters are those at home
        result = function(*args, **kwargs)
    return result, [(str(each.message), each.category) for each in caught]
