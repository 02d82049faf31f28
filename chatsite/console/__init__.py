"""The administrators' console, inside Django's admin. Nobody imports it."""
