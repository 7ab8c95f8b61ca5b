"""scikit-learn estimators that fit certified networks to tables of data."""
