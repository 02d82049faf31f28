"""The audit log: what staff did, and who made keys: when, from what to what. Imports nothing of the site."""
