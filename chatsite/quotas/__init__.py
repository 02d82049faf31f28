"""Budgets: plans, grants, and the ledger that every token goes through. Imports accounts, conversations.

reserve → run → settle, inside the transactions of generations.submit and of the recorder.
"""
