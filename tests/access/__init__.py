"""Who may do what: a table for each area of the site, asked as everybody (docs/testing.md)."""
