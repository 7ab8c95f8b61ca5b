"""The command line: `python -m cvxrelu fit | predict | demo`."""
