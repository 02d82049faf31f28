"""Numbers in groups of three, as the page writes them. Dates are Django's, months without a zero."""

MONTH_DAY_FORMAT = "n月j日"

THOUSAND_SEPARATOR = ","
NUMBER_GROUPING = 3
