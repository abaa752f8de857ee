"""Sees the transitions of watched models and records what they emit, in the same transaction."""
