"""The status page (`-w`): HTML for browsers, and numbers for programs.

One thread reads the newest view of all sites from the store and keeps it on the `board`. Requests are answered from there,
so a thousand browsers cost the store no more than one. The page writes nothing and accepts only GET.

    board        the newest view of all sites, and its age
    cells        the parts of the overview that change, as HTML
    drawing      bars, charts and badges, as SVG
    detail       the page of one site, also as JSON and CSV
    history      incidents, the feed, and the report of a month
    pages        all pages, from the board to HTML
    metrics      the numbers for Prometheus
    application  routes, authorisation and the form of answers
    serve        the server
"""
