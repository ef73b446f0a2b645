"""Webhooks: the queen's part (commands, keeper) and the process that calls receivers (sender)."""
