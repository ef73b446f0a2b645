"""How nodes find each other: authenticated UDP beacons, seeds, and the members remembered from last time."""
