"""Where checks, summaries and alerts are kept: the local file, and the databases that have a copy."""
