"""Where text goes: a terminal, a pipe, or nowhere.

outputs        the outputs of a monitor and of print mode
screen_output  the live screen; navigation says what its keys do
history        the outputs of the history of alerts
thread         draws in a thread of its own
progress       what is shown while something takes long
streams        standard output and standard error
consoles       what draws on a terminal, with colours for its ground
keyboard       keys from the terminal; keys says which bytes they are
"""
