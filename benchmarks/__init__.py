"""Benchmarks: problems, methods, and one objective that scores every method by its raw network alone.

``python -m benchmarks`` runs all of them and writes ``benchmarks/results``; each also runs by itself, for instance
``python -m benchmarks.experiments.widths``.
"""
