"""The parts of screens, as rich texts. Pure.

theme        the colours, by name
brief        numbers and times as narrow tables show them
grid         columns and lines of an exact width
sparkline    response times as a line of bars
chart        response times and causes as bars of several lines
columns      the table of sites
events       the newest outages, one a line
pane         one site, beside the table
screen       the live screen, made of these
site_screen  everything about one site
guide        the help of the live screen
closing      what remains on the terminal when a run is over

The names of sites, URLs and errors are data. `names.printable` makes them harmless, and rich gets them only inside `Text`,
which does not interpret markup.
"""
