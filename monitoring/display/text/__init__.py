"""Lines of text and JSON for pipes, logs and other programs, and explanations, which screens show, too. Pure.

jsonlines    one JSON object on each line
plain        statistics and alerts, one line each
feed         the history of alerts, one line for each incident
explanation  why a site is in its state
backtest     the comparison of a rule with another one
"""
