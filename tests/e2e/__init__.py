"""The real site in processes of its own: killed, frozen, reloaded, driven by a browser."""
