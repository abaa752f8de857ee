"""What a benchmark says of a target, and by its exit code."""

from __future__ import annotations


def verdict(told: str, good: bool) -> bool:
    """Print a ratio or a measure, and whether it is as good as it has to be."""
    print(f"{'ok    ' if good else 'MISSED'} {told}", flush=True)
    return good
