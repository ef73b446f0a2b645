"""AWARE: a cluster that organises itself like an ant colony."""

__version__ = "0.1.0"
