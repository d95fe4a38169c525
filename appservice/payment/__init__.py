"""Paying at Stripe: sessions of its Checkout, its signed reports, and our own links that lead there.

`stripe` alone imports Stripe's SDK, and only a service that is paid that way loads it. Imports domain and config.
"""
