"""Where text goes: a terminal, a pipe, or nowhere.

outputs        the outputs of a monitor and of print mode
screen_output  the live screen; navigation says what its keys do
history        the outputs of the history of alerts
thread         draws in a thread of its own
progress       a sign of life while something takes long
streams        standard output and standard error
consoles       rich's console, with colours for the terminal's background
keyboard       reads keys from the terminal; keys decodes their bytes
"""
