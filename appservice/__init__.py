"""Coterie: a Matrix application service for small private groups that ask, look and buy together.

Each package is a room with a floor, named in docs/architecture.md; a room imports only what is below it.
"""

__version__ = "0.1.0"
