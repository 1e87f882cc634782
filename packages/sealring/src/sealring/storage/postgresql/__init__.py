"""The store on PostgreSQL, by noun: the same statements as on SQLite wherever the dialects agree."""
