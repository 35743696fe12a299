"""Modes that run until they are stopped, and what they are made of.

monitor      `-m`; page_process is the status page beside it
print        `-p`; printer reads each window of the stores when rounds says that it is due
terminal     the keys and the signals of a live screen
viewer       the interactive viewer of `-p` and `-a`; viewer_feed reads what it shows
web          `-w`; series reads the marks of its charts
gateway      `-g`; gateway_page is the status page at its address
"""
