"""What the examples take on the command line: a folder for their picture, ``python examples/hero.py [FOLDER]``."""

import argparse
from pathlib import Path

__all__ = ["output_folder"]


def output_folder(description: str | None) -> Path:
    """Return the folder that was asked for, which is there then; anything else ends the program with a sentence."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", default="example_output", help="for the picture (default: %(default)s)")
    folder = parser.parse_args().folder
    if not folder:
        parser.error("the name of the folder is empty.")
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"{folder!r} cannot be a folder: {error.strerror}.")
    return Path(folder)
