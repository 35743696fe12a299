"""How much the monitor costs and how well it measures: `python -m bench` (see bench/README.md)."""
