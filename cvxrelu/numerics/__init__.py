"""Numbers that can be trusted: lengths and units that neither over- nor underflow, and spans of data."""
