"""Backups: their file format, their targets, the process that makes one, and the queen's part in it."""
