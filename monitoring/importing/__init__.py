"""Imports configurations and lists of other programs.

    draft     an imported website, with variables in place of secrets
    gatus, uptime_kuma, prometheus, sitemap, plain    one module for each format; `read` returns None for other formats
    formats   finds the format of a file
    trial     leaves out what this program would refuse, with a comment
    writing   the text of the new configuration

A new format is a module with a `read`, and its line in `formats.DATA` or `formats.TEXTS`.
"""
