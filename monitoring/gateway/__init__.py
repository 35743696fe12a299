"""The gateway (`-g`): an HTTP interface between monitors and readers on one side and the database on the other.

`serve` opens the database and starts the server. `application` authorises each request and passes it to one of three
interfaces: `store_api` for monitors and readers, `public_api` for people and scripts, `legacy_api` for version 1.1.0.
`requests` validates every value of a client before it reaches the database; clients cannot send statements.
"""
