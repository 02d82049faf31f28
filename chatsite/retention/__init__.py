"""How long conversations are kept: the site's policy, a conversation's own days, and the cleanup by both."""
