"""The benchmark: the real service beside its peers, in one run (``python -m tests.bench``)."""
