"""Other ways to a network, one file a method; each makes a network and leaves the scoring to the harness."""
