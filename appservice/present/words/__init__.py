"""Sentences that people read; those of cards and news stand with their layout. One voice: short, plain, no cheer."""
