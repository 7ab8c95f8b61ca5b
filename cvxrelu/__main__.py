"""`python -m cvxrelu`: see `cvxrelu.cli.main`."""

from cvxrelu.cli.main import main

raise SystemExit(main())
