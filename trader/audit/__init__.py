"""Audits the books of another program: what was recorded twice, what is missing, what the cash should be.

It only reads. A repair adds rows of its own and changes none; an import writes new books of ours. Nothing that trades
imports this package.
"""
