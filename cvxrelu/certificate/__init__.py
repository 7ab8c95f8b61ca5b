"""What is proven: bounds on the optimum over networks of every width, and how they are said, stored and proved again.

Nothing in this room solves a program; it needs the problem, a network, and a dual vector with or without multipliers.
"""
