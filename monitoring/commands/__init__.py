"""The command line and its modes.

program    from the arguments to the exit status
cli        the modes, the options, and which mode each option goes with
invocation one run of the program, as its mode sees it
reading    questions that several modes ask the stores
oneshot/   modes that do one thing and end
live/      modes that run until they are stopped, and what they are made of
"""
