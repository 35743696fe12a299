"""What windows of checks add up to."""
