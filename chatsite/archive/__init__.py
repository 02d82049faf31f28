"""Migrations of tables that `jobs`, `retention` and `account_deletion` own now. No code lives here.

Sites and backups made before 0.1 have applied them, and a new site's tables are still made by them.
"""
