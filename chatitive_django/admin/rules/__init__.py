"""The rules that staff make, in the admin."""

from .page import EventRuleAdmin

__all__ = ["EventRuleAdmin"]
