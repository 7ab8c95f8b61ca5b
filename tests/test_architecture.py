"""Data flows one way: what a file may import is part of the design."""

import ast
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import cvxrelu

ROOT = Path(cvxrelu.__file__).parent

# The rooms in the order of the data. A file imports from its own room and from those above, also where it does so late.
ROOMS = [
    "errors",
    "runtime",
    "numerics",
    "problem",
    "plots",
    "arrangement",
    "pricing",
    "certificate",
    "program",
    "relaxation",
    "line",
    "generation",
    "solving",
    "analysis",
    "estimators",
    "cli",
]
# What is at the top beside the rooms: the package, its command, and a public name of a room.
DOORS = {"__init__", "__main__", "function_space"}
# What proves a result never sees what produced it, and what only computes knows nothing of problems.
FORBIDDEN = {
    "runtime": {"cvxpy", "scipy"},
    "pricing": {"cvxrelu.problem.losses", "cvxrelu.problem.problem", "cvxpy"},
    "arrangement": {"cvxrelu.problem.problem", "cvxpy"},
    "certificate": {"cvxpy", "piqp", "clarabel"},
    "certificate/multipliers.py": {"cvxrelu.problem.losses", "cvxrelu.problem.problem"},
    "certificate/rational": {"cvxrelu.pricing", "cvxrelu.arrangement", "scipy", "numba"},
    "problem/losses": {"cvxrelu.problem.network", "cvxrelu.problem.problem"},
    "problem/network.py": {"cvxrelu.problem.problem", "cvxpy"},
}

# Lines of a file.
LONGEST = 300

FILES = sorted(ROOT.rglob("*.py"))


def name_of(file):
    """The name under which a file is imported."""
    return ".".join(["cvxrelu", *file.relative_to(ROOT).with_suffix("").parts]).removesuffix(".__init__")


NAMES = {name_of(file) for file in FILES}


@cache
def imports_of(file, late=True):
    """Names that a file imports: files of this package by their whole names, other packages by their first."""
    tree = ast.parse(file.read_text())
    found = set()
    for node in ast.walk(tree) if late else tree.body:
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            for alias in node.names:
                inner = f"{module}.{alias.name}"
                found.add(inner if inner in NAMES else module if module in NAMES else module.partition(".")[0])
        elif isinstance(node, ast.Import):
            found |= {alias.name if alias.name in NAMES else alias.name.partition(".")[0] for alias in node.names}
    return found


def room_of(name):
    return name.split(".")[1]


def each_file():
    for file in FILES:
        place = file.relative_to(ROOT)
        if place.parts[0].removesuffix(".py") not in DOORS:
            yield pytest.param(str(place), file, id=str(place))


def test_the_rooms_are_all_there_is():
    tops = {file.relative_to(ROOT).parts[0].removesuffix(".py") for file in FILES}
    assert tops == {*ROOMS, *DOORS}


@pytest.mark.parametrize(("place", "file"), list(each_file()))
def test_imports_follow_the_flow(place, file):
    room = room_of(name_of(file))
    ours = {room_of(name) for name in imports_of(file) if name.startswith("cvxrelu.")}
    assert ours <= set(ROOMS[: ROOMS.index(room) + 1])
    forbidden = set().union(*(names for where, names in FORBIDDEN.items() if place.startswith(where)))
    assert not {name for name in imports_of(file) if any(f"{name}.".startswith(f"{bad}.") for bad in forbidden)}


def test_no_file_imports_itself_through_others():
    graph = {name_of(file): {name for name in imports_of(file) if name in NAMES - {"cvxrelu"}} for file in FILES}
    TopologicalSorter(graph | {"cvxrelu": set()}).prepare()


@pytest.mark.parametrize(("place", "file"), list(each_file()))
def test_files_are_short_and_say_what_they_are(place, file):
    text = file.read_text()
    assert text.count("\n") <= LONGEST
    assert ast.get_docstring(ast.parse(text))


def test_optional_dependencies_are_not_needed_to_import():
    for file in FILES:
        assert "matplotlib" not in imports_of(file, late=False) - {"cvxrelu"}, file


def test_nobody_prints():
    for file in FILES:
        if room_of(f"{name_of(file)}.") != "cli":
            calls = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
            assert not [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"], file


def run_python(code):
    """Return what a fresh interpreter prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_the_package_imports_nothing_slow():
    slow = "{'cvxpy', 'sklearn', 'scipy', 'numba', 'joblib', 'pandas', 'matplotlib'}"
    code = f"import sys, cvxrelu; print(sorted({slow} & set(sys.modules)))"
    assert run_python(code) == "[]\n"


def test_problems_and_solve_do_not_import_modelling_and_compilers():
    slow = "{'cvxpy', 'sklearn', 'numba', 'pandas', 'matplotlib'}"
    code = f"import sys; from cvxrelu import Problem, certify, path, solve; print(sorted({slow} & set(sys.modules)))"
    assert run_python(code) == "[]\n"


def test_every_name_is_there_and_listed():
    assert set(cvxrelu.__all__) == set(cvxrelu._MODULES)
    assert {*cvxrelu.__all__, "__version__", "function_space", "plots"} <= set(dir(cvxrelu))
    for name in cvxrelu.__all__:
        assert getattr(cvxrelu, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        cvxrelu.nothing  # noqa: B018


def test_no_room_hides_a_public_name():
    """Importing cvxrelu.x sets the attribute x of the package."""
    assert not {*ROOMS, *DOORS} & set(cvxrelu.__all__)
