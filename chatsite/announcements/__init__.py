"""Announcements: banners for all users. Imports nothing of the site."""
