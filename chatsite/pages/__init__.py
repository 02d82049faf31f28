"""The HTML pages of the site, and what a browser fetches beside them. Imported by the routes only."""
