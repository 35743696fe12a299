"""Configurations and lists of other programs, turned into one of this program.

    draft     a website to be, and where its secrets go
    gatus, uptime_kuma, prometheus, sitemap, plain    a format each: `read` takes what it recognises
    formats   which format it is
    trial     what this program would refuse is left out, in words
    writing   the text of the configuration

A new format is a module with a `read`, and its line in `formats.DATA` or `formats.TEXTS`.
"""
