"""Generations: the row is the job. Submit, cancel, the status machine.

Imports accounts, conversations, quotas.
"""
