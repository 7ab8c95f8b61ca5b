"""Put realistic bugs in, one at a time, and see whether the tests notice: `python -m tests.mutants`.

    killed      a named test fails; the first that does is printed
    timeout     the tests do not end: counted as killed, since nobody would overlook it
    survived    every named test passes: here is a promise that no test keeps
    stale       the old text is not in the file exactly once any more; restate the mutant on today's code
    broken      the tests could not be run, which says nothing
    equivalent  not run: nothing that is promised changes, for the reason given in the table

The bugs are in `mutants.toml`, each with the promise that it breaks. They are put into copies of the working tree,
never into the checkout. The same tests run first on a copy without a bug, and have to pass; that compiles the kernels
as well. A bug in a compiled file has that file, and all that inline it, compiled anew, in a cache of its own.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).parent.parent
TABLE = Path(__file__).with_name("mutants.toml")
SUITE = ("tests", "cvxrelu")
PASSED, FAILED, NO_SUCH_TEST = 0, 1, 4  # exit codes of pytest
CAUGHT = ("killed", "timeout")
KERNEL = re.compile(r"^@(?:njit|kernel)\b", re.MULTILINE)  # what makes numba compile a function


@dataclass(frozen=True)
class Mutant:
    """A bug: in `file`, the text `old` becomes `new`, which breaks a promise and should make some of `tests` fail."""

    name: str
    breaks: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    equivalent: str = ""

    def applies(self, tree: Path) -> bool:
        """Tell whether the old text is in the file exactly once."""
        return (tree / self.file).is_file() and (tree / self.file).read_text().count(self.old) == 1


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant, after how many seconds, and the test that noticed, if any."""

    mutant: Mutant
    outcome: str
    seconds: float = 0.0
    witness: str = ""

    def __str__(self) -> str:
        return f"{self.outcome:<10} {self.seconds:6.1f} s  {self.mutant.name:<44} {self.witness}"


class Copy:
    """A copy of the working tree, with compiled kernels beside it."""

    def __init__(self, folder: Path) -> None:
        self.tree, self.cache = folder / "tree", folder / "kernels"
        shutil.rmtree(self.tree, ignore_errors=True)
        for name in _tracked():
            (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, self.tree / name)

    def run(self, tests: Iterable[str], limit: float, cache: Path | None = None) -> tuple[int | None, str]:
        """Return the exit code of pytest, None if the limit is exceeded, and the first failure or the last line."""
        options = ["-x", "-q", "-p", "no:cacheprovider", "--tb=no", "-rfE"]
        own = {"PYTHONPATH": str(self.tree), "NUMBA_CACHE_DIR": str(cache or self.cache), "OPENBLAS_NUM_THREADS": "1"}
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *options, *tests],
            cwd=self.tree,
            env=os.environ | own,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return None, f"more than {limit:g} s"
        failure = re.search(r"^(?:FAILED|ERROR) (\S+(?: \S+\])?)", output, flags=re.MULTILINE)
        return process.returncode, failure[1] if failure else output.strip().rpartition("\n")[2]

    def judge(self, mutant: Mutant, limit: float, everything: bool) -> Verdict:
        """Return what becomes of a mutant."""
        if mutant.equivalent:
            return Verdict(mutant, "equivalent", witness=mutant.equivalent)
        if not mutant.applies(self.tree):
            return Verdict(mutant, "stale", witness=mutant.file)
        started, file = time.monotonic(), self.tree / mutant.file
        text, times = file.read_text(), (file.stat().st_atime_ns, file.stat().st_mtime_ns)
        with tempfile.TemporaryDirectory(dir=self.tree.parent) as scratch:
            cache = _cache_without(self.tree, self.cache, mutant.file, Path(scratch) / "kernels")
            file.write_text(text.replace(mutant.old, mutant.new))
            try:
                code, witness = self.run(mutant.tests, limit, cache)
                if code == NO_SUCH_TEST:  # renamed since: its file is still there, perhaps
                    code, witness = self.run(sorted({test.split("::")[0] for test in mutant.tests}), limit, cache)
                if code == PASSED and everything:
                    code, witness = self.run(SUITE, limit, cache)
            finally:
                file.write_text(text)
                os.utime(file, ns=times)
        outcome = {None: "timeout", FAILED: "killed", PASSED: "survived"}.get(code, "broken")
        return Verdict(mutant, outcome, time.monotonic() - started, "" if outcome == "survived" else witness)


def _tracked() -> list[str]:
    """Return the files that git knows, or would be given, apart from deleted ones."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def _cache_without(tree: Path, cache: Path, file: str, scratch: Path) -> Path:
    """Return a cache of compiled kernels without those that the file is part of; the given one if it has none.

    Numba compares the times of a kernel's own file only, so whatever inlines that kernel has to go as well.
    """
    if not KERNEL.search((tree / file).read_text()) or not cache.exists():
        return cache
    sources = {path: path.read_text() for path in (tree / "cvxrelu").rglob("*.py")}
    compiled = {path: text for path, text in sources.items() if KERNEL.search(text)}
    stale, growing = {tree / file}, True
    while growing:
        modules = {".".join(path.relative_to(tree).with_suffix("").parts) for path in stale}
        users = {path for path, text in compiled.items() if any(f"from {module} import" in text for module in modules)}
        growing = not users <= stale
        stale |= users
    shutil.copytree(cache, scratch, copy_function=os.link)
    for path in stale:
        for kernel in scratch.rglob(f"{path.stem}.*.nb?"):
            kernel.unlink()
    return scratch


def read_table() -> list[Mutant]:
    """Return the mutants of the table.

    Raises
    ------
    ValueError
        If two have the same name.
    """
    rows = tomllib.loads(TABLE.read_text())["mutant"]
    mutants = [Mutant(**row | {"tests": tuple(row["tests"])}) for row in rows]
    twice = [name for name, count in Counter(mutant.name for mutant in mutants).items() if count > 1]
    if twice:
        raise ValueError(f"several mutants are called {', '.join(twice)}")
    return mutants


def main() -> int:
    """Run the mutants that the command line asks for; 0 if all are caught, equivalent ones aside."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", metavar="TEXT", default=[""], help="mutants with this in name or file")
    parser.add_argument("--jobs", type=int, default=1, help="copies to work on at a time (default 1)")
    parser.add_argument("--suite", action="store_true", help="run the whole suite on what the named tests let pass")
    parser.add_argument("--limit", type=float, default=1800, help="seconds until tests are stopped (default 1800)")
    parser.add_argument("--folder", type=Path, help="where to put the copies, to keep compiled kernels between runs")
    parser.add_argument("--list", action="store_true", help="say which mutants are stale, and run nothing")
    parser.add_argument("--trust", action="store_true", help="do not run the tests without a bug first")
    arguments = parser.parse_args()
    mutants = [m for m in read_table() if any(text in m.name or text in m.file for text in arguments.only)]
    if arguments.list:
        stale = [mutant for mutant in mutants if not mutant.applies(ROOT)]
        print("\n".join(f"stale: {mutant.name} ({mutant.file})" for mutant in stale))
        print(f"{len(mutants)} mutants, {len(stale)} stale")
        return bool(stale)
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.folder or Path(temporary)).resolve()
        copies: SimpleQueue[Copy] = SimpleQueue()
        for k in range(arguments.jobs):
            copies.put(Copy(folder / str(k)))

        def clean(_: int) -> tuple[int | None, str]:
            copy = copies.get()
            try:
                return copy.run(sorted({test for mutant in mutants for test in mutant.tests}), arguments.limit)
            finally:
                copies.put(copy)

        def judge(mutant: Mutant) -> Verdict:
            copy = copies.get()
            try:
                verdict = copy.judge(mutant, arguments.limit, arguments.suite)
            finally:
                copies.put(copy)
            print(verdict, flush=True)
            return verdict

        with ThreadPoolExecutor(arguments.jobs) as pool:
            for code, last in () if arguments.trust else pool.map(clean, range(arguments.jobs)):
                print("without a bug:", last, flush=True)
                if code != PASSED:
                    return 2
            verdicts = list(pool.map(judge, mutants))
    counts = Counter(verdict.outcome for verdict in verdicts)
    caught = sum(counts[outcome] for outcome in CAUGHT)
    told = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    print(f"\n{caught} of {len(verdicts) - counts['equivalent']} noticed: {told}")
    for verdict in verdicts:
        if verdict.outcome not in (*CAUGHT, "equivalent"):
            print(f"{verdict.outcome}: {verdict.mutant.name}: {verdict.mutant.breaks}")
    return caught + counts["equivalent"] < len(verdicts)


if __name__ == "__main__":
    sys.exit(main())
