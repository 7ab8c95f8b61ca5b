"""The experiments of the papers with the certified optimum beside them, one script each.

``python -m benchmarks.experiments.NAME`` writes ``NAME.json``, ``NAME.png`` and its tables on the page of results;
``--large`` runs more of everything.
"""
