"""The interactive viewer on a terminal: sites, one site, incidents and explanations. It only reads.

    snapshot   what has been read, what is wanted, and the interface of the reader
    state      what a person has chosen, and the effect of each key      (pure)
    prompt     the line in which a filter or a time is typed             (pure)
    keys       the keys and terms of the help page                       (pure)
    frames     draws a state and a snapshot as the lines of a screen     (pure, imports rich)
    background the colour of the terminal's background
    canvas     lines on a terminal                                       (imports textual)
    app        keys in, lines out                                        (imports textual)

Nothing else imports textual, and it is imported only when a viewer starts.
"""
