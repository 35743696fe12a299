"""The local file: plain rows in SQLite, what they add up to, and how the file is opened, locked, watched and saved."""
