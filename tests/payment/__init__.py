"""Stripe: amounts, links, reports."""
