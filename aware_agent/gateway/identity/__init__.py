"""Who somebody is as others say it. Imported when the first one is asked: most gateways never need it."""
