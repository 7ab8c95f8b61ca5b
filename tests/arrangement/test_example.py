"""The picture of an arrangement is drawn, and is in the repository."""

import importlib.util
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "arrangement_plane.py"


def test_example_draws_its_picture(tmp_path):
    spec = importlib.util.spec_from_file_location("arrangement_plane", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(tmp_path / "new")
    for folder in (tmp_path / "new", EXAMPLE.parent / "figures"):
        assert (folder / "arrangement_plane.png").stat().st_size > 10_000
