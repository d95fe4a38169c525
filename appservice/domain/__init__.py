"""Pure rules: what may happen in a group and a group buy, and what follows from it.

No I/O, no clock, no logging, no await. Requests come in, facts or refusals come out; time and fresh ids are
arguments. Imports nothing of Coterie above this floor.
"""
