"""What only the queen does. Nothing here is imported on a worker."""
