"""AWARE: a cluster that organises itself like an ant colony."""

__version__ = "0.1.0"
# The oldest release that can live in one colony with this one and read what this one wrote, files and etcd alike.
# Upgrades and ways back across it are refused by the playbooks.
COMPATIBLE_FROM = "0.1.0"
