"""One use case per function: lock, decide, record. May import `present`, `matrix`, `wire`, `store`, `domain`."""
