"""User accounts, API keys, invitations, sessions, sign-in. Imports no other package but audit."""
