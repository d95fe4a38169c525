"""The demo: the main job, played on a real homeserver by ten people at real clients, and printed as it happens.

    python -m tests.demo --once

Built on `tests.harness`; knows the service only from outside. Every line is printed when the clients have seen it.
"""
