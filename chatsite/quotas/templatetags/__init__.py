"""Names of limits and budgets in templates."""
