"""What people type: one `Command` value each, in one table (table.py). May import `actions` and below."""
