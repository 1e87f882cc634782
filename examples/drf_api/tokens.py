"""The verifier of this site."""

import os

from sealring_verify.integrations.drf import Verifier

# Fails here, with a sentence, where SEALRING_ISSUER or SEALRING_AUDIENCE is missing or wrong.
verifier = Verifier.from_environment(resource=os.environ.get("ORDERS_RESOURCE"))
# Named in settings.REST_FRAMEWORK: a view that says nothing of its own demands a good token.
Authentication = verifier.authentication
GoodToken = verifier.require()
