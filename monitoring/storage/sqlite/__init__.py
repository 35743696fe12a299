"""The local SQLite file: how it is opened, locked, watched and saved; nothing here knows its tables."""
