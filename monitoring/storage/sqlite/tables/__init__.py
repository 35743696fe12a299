"""The tables of the local file: each function works on a connection that it is given."""
