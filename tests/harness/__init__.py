"""Real software as test fixtures, without Docker: Synapse, PostgreSQL, the service, members' clients, spec.

Used by the tests and by the demo, so nothing here needs pytest. Server objects (`Synapse`, `Service`,
`Postgres`) hold no event-loop state and may be shared between loops; a `Person` belongs to one loop.
May import nothing of `appservice`: the harness knows the service only from outside.
"""
