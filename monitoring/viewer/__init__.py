"""The interactive viewer: sites, one site, incidents, explanations, on a terminal, by keys and mouse. It only reads.

    snapshot   what was read, what is wanted, and who reads it
    state      what a person has chosen, and what each key makes of it   (pure)
    keys       the keys and the words of the help page                   (pure)
    frames     a state and a snapshot as the lines of a screen           (pure, imports rich)
    ground     the colour of the terminal's ground
    canvas     lines on a terminal                                       (imports textual)
    app        keys in, lines out                                        (imports textual)

Nothing but this room imports textual, and it is imported only when a viewer starts.
"""
