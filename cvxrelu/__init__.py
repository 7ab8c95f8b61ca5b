"""Globally optimal one-hidden-layer (leaky) ReLU networks by convex optimisation."""
