"""Announcements to everybody. Imports nothing of the site."""
