"""The homeserver: what comes from it and what is asked of it.

With `store/db` the only importer of mautrix. May import wire, store, domain, clock and config.
"""
