"""The way in: HTTP, streams and dashboard on the queen, a signpost on every worker."""
