"""Debian hosts with systemd for tests: podman containers on a bridge of their own (docs/testing-hosts.md)."""
