"""What the page fetches: JSON over HTTP. Each view parses, asks for access, acts and answers.

Nobody imports it but the routes.
"""
