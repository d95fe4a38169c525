"""Inbox, outbox and timers: the only place where tasks are born."""
