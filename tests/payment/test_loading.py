"""Stripe's SDK is large: who is not paid there does without it."""

import subprocess
import sys


def test_a_service_that_is_not_paid_at_stripe_does_not_load_its_sdk() -> None:
    program = "import sys, appservice.app, appservice.cli.service; sys.exit('stripe' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
