"""The database: SQLite by default, PostgreSQL for production, the same SQL on both.

`db` is the only door to mautrix's async_db; a `Unit` is one database transaction with one `now`. May import `domain`
and what is below it.
"""
