"""Backup and restore of the whole site: one file with a manifest and checksums. Commands use this alone."""
