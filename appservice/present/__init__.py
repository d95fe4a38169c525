"""What people see: facts become messages, cards and receipts here. Pure.

Every sentence that a person reads is in `words`. May import `wire` (for the keys that cards carry) and `domain`.
"""
