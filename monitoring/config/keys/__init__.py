"""The keys of a configuration: a module for each group of them, with the values that they are read into.

websites       all keys of a website
assertions     those that say what is expected of its answers
transport      those that say how it is reached
maintenance    the key `maintenance`, and when maintenance is
notifications  the key `notifications`, and the registry of the kinds of channels
databases      addresses of databases, and the registry of their kinds
"""
