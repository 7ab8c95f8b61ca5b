"""What a run needs around the mathematics: its clock, why it ended, compiled kernels, processes and files."""
