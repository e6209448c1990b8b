"""An automated stock trader: one decision becomes at most one order, and the books always agree."""

__version__ = "0.1.0"
