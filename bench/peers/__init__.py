"""Peers and floors: what AWARE's figures stand beside. Each raises ``Unavailable`` where it cannot run."""
