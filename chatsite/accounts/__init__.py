"""Who may come in: User, sign-in policy, the first administrator. Imports no other package of the site."""
