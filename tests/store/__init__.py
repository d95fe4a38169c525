"""The database: every test on SQLite and on PostgreSQL."""
