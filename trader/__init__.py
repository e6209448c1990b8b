"""An automated stock trader: one decision becomes at most one order, and the books always agree."""

from trader import sources

__version__ = "0.1.0"

sources.install(__file__)
