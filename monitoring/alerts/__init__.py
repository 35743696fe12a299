"""Alerts: the rule that decides (pure), and the evaluator that applies it to the stored checks and keeps the records."""
