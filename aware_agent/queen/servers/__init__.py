"""Servers that the queen keeps: who provides them, what is on record, and the duty that makes it so."""
