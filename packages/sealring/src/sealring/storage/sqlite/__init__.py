"""The SQLite engine: one process per file, WAL, `synchronous=FULL`, acts committed in groups."""
