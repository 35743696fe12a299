"""What there is to show, as values. Pure, but for `latest`.

values     what is shown: the reports, and a row for each site
latest     the newest of everything, kept for whoever draws or serves it
incidents  outages, from the alert records
series     the marks of a chart
months     what a month adds up to
ranking    the order of states, and which sites are shown when there is not room for all
selection  which sites a filter leaves
viewing    which sites are shown, in which order, over which window, of which moment
overview   all sites at once, for the page and its numbers
"""
