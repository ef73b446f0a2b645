"""A real OpenStack for tests, on one machine, from Debian's packages, in namespaces of its own (docs/testing-cloud.md).

Runs under Debian's own Python with nothing but the standard library, except ``bootstrap``, which uses the packaged
openstacksdk. Runs in two halves: ``cli`` outside, as the caller; ``inside`` in the namespaces, which ``cli`` starts.
"""
