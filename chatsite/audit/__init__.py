"""The audit log of changes by staff and to keys, connections and invitations. Imports nothing of the site."""
