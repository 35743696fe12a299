"""From a configuration's files to single checked values, with all errors and their places.

syntax     bytes to plain data; structure makes plain JSON of it, positions knows the line of each key
files      the file that is named, and those that it includes
section    the keys of one object, and everything that is wrong with them
text       strings, with `${NAME}` from the environment
values     converters: each checks type and range of one value
addresses  URLs: one normal form each, and one without secrets
durations  durations and times, as users write them
"""
