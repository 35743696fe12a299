"""The status page (`-w`): what readers of a browser see, and numbers for machines.

`board` keeps the newest view of all sites, which one thread reads from the store. Every request is answered from there, so
that a thousand browsers ask the store no more than one does. Nothing here writes, and nothing but GET is answered.

    board        the newest view, and how old it is
    cells        the parts of the page that change, as HTML
    drawing      bars, charts and badges, as SVG
    metrics      the same numbers for Prometheus
    application  who may ask, and what for
    serve        the server
"""
