"""The mutually authenticated stream between a node and a council member."""
