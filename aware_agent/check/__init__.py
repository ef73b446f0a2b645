"""A check of a colony that runs: clients that write and read, and what their answers prove."""
