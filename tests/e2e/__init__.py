"""Tests against real Synapse, with real clients and the service as an operator runs it."""
