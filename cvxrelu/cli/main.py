"""The command line: ``python -m cvxrelu fit | predict | demo``."""

import argparse
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from cvxrelu.cli.demo import run_demo
from cvxrelu.cli.fit import fit_table
from cvxrelu.cli.parser import make_parser
from cvxrelu.cli.predict import predict_table
from cvxrelu.cli.wording import in_options
from cvxrelu.errors import CvxReluError

__all__ = ["main"]

logger = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code: 0, or 2 after an error that is then on standard error."""
    options = make_parser(fit_table, predict_table, _demo).parse_args(arguments)
    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING, format="%(message)s")
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: _say(f"warning: {message}")
        return _run(options)


def _run(options: argparse.Namespace) -> int:
    """Run the command of the options, and turn whatever goes wrong into a line."""
    try:
        code = options.run(options)
        sys.stdout.flush()
        return code
    except CvxReluError as error:
        _say(str(error))
        return 2
    except OSError as error:
        if not isinstance(error, BrokenPipeError):  # else whoever reads has enough
            _say(f"Standard output cannot be written ({error.strerror}); save what you need with --output.")
        # Python would complain again when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2
    except UnicodeEncodeError as error:
        _say(
            f"Standard output takes {error.encoding} and has no {error.object[error.start]!a}; use --output, or set "
            "PYTHONIOENCODING to utf-8."
        )
        return 2
    except Exception as error:
        logger.info("what went wrong", exc_info=True)
        _say(f"{type(error).__name__}: {error}; this is a mistake of cvxrelu, and 'cvxrelu --verbose' says where.")
        return 2
    except KeyboardInterrupt as interrupt:
        _say(str(interrupt) or "interrupted")
        return 130


def _say(message: str) -> None:
    """Print a message on standard error, on one line."""
    print(f"cvxrelu: {' '.join(in_options(message).split())}", file=sys.stderr)


def _demo(options: argparse.Namespace) -> int:
    return run_demo(Path(options.output))
