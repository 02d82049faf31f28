"""The tables of the authorisation matrix, one module for each area. matrix.py says how they read."""
