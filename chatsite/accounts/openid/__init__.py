"""Single sign-on by OpenID Connect: allauth's provider, with every answer of the provider read by a schema.

`provider` is what allauth's registry finds, `views` serve its routes. `provider_calls` makes the HTTP calls,
`discovery` caches metadata and keys; `claims` and `id_token` are pure.
"""
