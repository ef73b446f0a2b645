"""The mutually authenticated stream between a node and a council member."""

from aware_agent.postponed import postpone

# websockets loads these to know its version when it is no release, and to ask for proxies; channels use none.
postpone("importlib.metadata", "urllib.request")
