"""The gateway (`-g`): an HTTP interface between monitors and readers on one side and the database on the other.

`serve` opens the database, `application` answers requests, and everything that comes in passes `wire` and `minutes`
first: no value of a client reaches a database unchecked, and no statement of a client ever does.
"""
