"""Conversations and their message trees: models, access, actions. Imports accounts only."""
