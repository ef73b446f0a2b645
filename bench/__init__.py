"""Benchmarks of AWARE, each beside a peer or a floor measured in the same run: ``python -m bench --list``."""
