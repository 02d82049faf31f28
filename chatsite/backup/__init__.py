"""Backup and restore of the whole site. Imports accounts."""
