"""Lines of text and of JSON, for pipes, logs and other programs; and explanations, which screens show too. Pure.

jsonlines    one JSON object a line
plain        statistics and alerts, a line each
feed         the history of alerts, a line an incident
explanation  why a site is in its state
backtest     what another rule would have raised
"""
