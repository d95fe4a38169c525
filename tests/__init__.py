"""Tests of Coterie; `harness` is the real software that they (and the demo) run against."""
