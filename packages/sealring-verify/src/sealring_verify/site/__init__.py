"""A site whose server renders its pages: sign-in by the code flow, and a session that is looked up on every request.

`settings` says which site at which issuer; `id_token`, `sign_in` and `session` are pure; `site` joins them with the
network. The frameworks' own are `integrations/flask_site.py` and `integrations/django_site.py`.
"""
