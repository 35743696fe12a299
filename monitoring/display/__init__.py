"""Everything that is shown: values in, text out. Nothing but `output` prints or does I/O, and nothing reads a clock.

    words        numbers, times and sentences as people read them
    view_model/  what there is to show, as values
    text/        lines of text and of JSON
    drawing/     what screens consist of (imports rich)
    output/      where text goes: terminals and pipes

Plain and JSON output start without rich: `output` imports it only where it draws on a terminal.
"""
