"""The audit log: who of the staff did what, when, from what to what. Imports nothing of the site."""
