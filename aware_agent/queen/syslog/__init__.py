"""The audit log to a syslog receiver: the queen's part (duty) and the process that sends (courier)."""
