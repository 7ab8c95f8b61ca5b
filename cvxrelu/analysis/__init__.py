"""What to ask of networks and solutions: how good any network is, paths along alpha, margins, and all optima."""
