"""Kernels are compiled when they are called, and find a place for their code."""

import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from cvxrelu.runtime import compiled
from cvxrelu.runtime.compiled import kernel

MODULE = """
import tempfile

from cvxrelu.runtime.compiled import kernel

tempfile.tempdir = {folder!r}  # gettempdir looks for another folder where this one cannot be written to

@kernel()
def double(x):
    return 2 * x

@kernel()
def quadruple(x):
    return double(double(x))

print(quadruple(3))
"""


@kernel(error_model="numpy")
def ratio(x, y):
    return x / y


@kernel()
def half(x):
    return ratio(x, 2.0)


def test_kernels_call_kernels():
    assert half(3.0) == 1.5
    with np.errstate(divide="ignore"):
        assert ratio(1.0, 0.0) == np.inf


def test_nothing_is_compiled_before_the_first_call(caplog):
    namespace = {}
    exec("def third(x): return x / 3", namespace)  # what is not read from a file is not kept on disk
    third, again = kernel()(namespace["third"]), kernel()(namespace["third"])
    assert "dispatcher" not in vars(third)
    compiled._say_once.cache_clear()
    with caplog.at_level(logging.INFO, compiled.__name__):
        assert [third(3.0), third(6.0), again(3.0)] == [1.0, 2.0, 1.0]
    notice, *names = [record.getMessage() for record in caplog.records]
    assert "once after installation" in notice
    assert caplog.records[0].levelno == logging.WARNING
    assert names == ["compiling third, once after installation"] * 2


@pytest.mark.parametrize("anywhere", [True, False])
def test_a_read_only_install_compiles(tmp_path, anywhere):
    """Neither the source's folder nor the user's home can be written to, or nothing can."""
    (tmp_path / "__pycache__").touch()
    folder = tmp_path / "temporary"
    folder.mkdir()
    (tmp_path / "module.py").write_text(MODULE.format(folder=str(folder) if anywhere else os.devnull))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA", "XDG"))}
    run = subprocess.run(
        [sys.executable, "module.py"],
        cwd=tmp_path,
        env=environment | {"HOME": os.devnull, "PYTHONPATH": str(Path(compiled.__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (0, "12\n")
    (notice,) = run.stderr.splitlines()
    assert "compiles its kernels" in notice
    assert bool([*folder.rglob("*.nbi")]) == anywhere


def test_a_shared_folder_is_not_trusted(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = compiled._private_folder()
    assert folder is not None
    folder.chmod(0o777)
    assert compiled._private_folder() is None
    folder.rmdir()
    folder.symlink_to(tmp_path)
    assert compiled._private_folder() is None


@pytest.mark.parametrize("depth", [0, 1])
def test_ctrl_c_that_numba_turns_into_another_error_is_ctrl_c(depth):
    """An interrupt while a kernel is loaded is wrapped once, and again by what loads it."""

    def loading(depth):
        try:
            if depth == 0:
                raise KeyboardInterrupt
            loading(depth - 1)
        except BaseException as error:
            raise SystemError("returned a result with an exception set") from error

    interrupted, broken = (kernel()(lambda: None) for _ in range(2))
    vars(interrupted)["dispatcher"] = lambda: loading(depth)
    with pytest.raises(KeyboardInterrupt):
        interrupted()

    def fail():
        raise SystemError("of another kind")

    vars(broken)["dispatcher"] = fail
    with pytest.raises(SystemError, match="of another kind"):
        broken()
