"""The administrators' console, inside Django's admin. Imported by the routes and asgi.py only."""
