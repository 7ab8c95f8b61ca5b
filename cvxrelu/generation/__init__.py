"""The neurons that matter: master problems over some neurons, and pricing, which finds the ones that are missing."""
