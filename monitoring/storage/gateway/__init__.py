"""The database on the other side of a gateway."""
