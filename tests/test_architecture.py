"""Data flows one way: what a module may import is part of the design."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import cvxrelu

ROOT = Path(cvxrelu.__file__).parent

# Each row may import the rows above it, and `also`; what proves a result never sees what produced it.
LAYERS = [
    {"clock", "compiled", "endings", "errors"},
    {"files", "lengths", "parallel", "solvers", "span", "validation", "wording", "worker"},
    {"caratheodory", "powers"},
    {"losses", "norms"},
    {"network"},
    {"enclosure", "problem", "plots"},
    {"arrangement"},
    {"pricing"},
    {"multipliers"},
    {"multiplier_record"},
    {"evidence", "rational", "records"},
    {"certificate"},
    {"certificate_file", "margins"},
    {"scaling", "zero_cost"},
    {"relaxation"},
    {"program"},
    {"backend"},
    {"decode", "master", "ties"},
    {"function_space"},
    {"columns", "sliding"},
    {"column_generation"},
    {"methods"},
    {"ladder"},
    {"fit"},
    {"foreign"},
    {"certification", "optima", "regularisation_path"},
    {"estimators", "tables"},
    {"demo", "estimators_cv"},
    {"__main__"},
]
FORBIDDEN = {
    "evidence": {"certificate", "program", "backend", "decode", "scaling", "cvxpy"},
    "certificate": {"program", "backend", "decode", "scaling", "cvxpy"},
    "pricing": {"losses", "problem", "program", "backend", "decode", "cvxpy"},
    "multipliers": {"losses", "problem", "certificate", "relaxation", "cvxpy"},
    "rational": {"pricing", "certificate", "arrangement", "scipy", "numba"},
    "arrangement": {"problem", "pricing", "cvxpy"},
    "losses": {"network", "problem"},
    "network": {"problem", "cvxpy"},
}


def imports_of(file):
    """Names of modules of this package, and of others, that a file imports when it is loaded."""
    for node in ast.parse(file.read_text()).body:
        names = []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.split(".")
            yield parts[1] if parts[0] == "cvxrelu" and len(parts) > 1 else parts[0]


def modules():
    for file in sorted(ROOT.rglob("*.py")):
        room = file.relative_to(ROOT).parts[0].removesuffix(".py")
        if room != "__init__":
            yield pytest.param(room, file, id=str(file.relative_to(ROOT)))


@pytest.mark.parametrize(("room", "file"), list(modules()))
def test_imports_follow_the_flow(room, file):
    allowed = set().union(*LAYERS[: [room in layer for layer in LAYERS].index(True)]) | {room}
    ours = {name for name in imports_of(file) if any(name in layer for layer in LAYERS)}
    assert ours <= allowed
    assert not FORBIDDEN.get(room, set()) & set(imports_of(file))


def test_optional_dependencies_are_not_needed_to_import():
    for room, file in (parameter.values for parameter in modules()):
        assert "matplotlib" not in set(imports_of(file)), room


def test_nobody_prints():
    for room, file in (parameter.values for parameter in modules()):
        if room not in ("__main__", "demo"):
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


def test_no_module_hides_a_public_name():
    """Importing cvxrelu.x sets the attribute x of the package."""
    assert not {file.stem for file in ROOT.glob("*.py")} & set(cvxrelu.__all__)
