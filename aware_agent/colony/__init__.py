"""What a colony is and how it decides. Pure: no I/O, clock, randomness or asyncio anywhere below here."""
