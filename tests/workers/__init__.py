"""Inbox, outbox and timers at work: order, calm, and what becomes of what fails."""
