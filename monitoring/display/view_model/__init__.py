"""What there is to show, as values. Everything but `latest` is pure.

values     what is shown: the reports, and a row for each site
latest     the newest of everything, kept for whoever draws or serves it
incidents  outages, from the alert records
series     the marks of a chart: the statistics of each minute, hour or day
months     what a month adds up to
ranking    the order of sites by state, and a summary of those that do not fit
selection  the sites that match a filter
viewing    which sites to show, in which order, in which window, at which moment
overview   all sites at once, for the page and its numbers
"""
