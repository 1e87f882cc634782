"""The verifier of this site, and its middleware."""

import os

from sealring_verify.integrations.django import Verifier

# Fails here, with a sentence, where SEALRING_ISSUER or SEALRING_AUDIENCE is missing or wrong.
verifier = Verifier.from_environment(resource=os.environ.get("ORDERS_RESOURCE"))
# Named in settings.MIDDLEWARE: a view that demands nothing of its own demands a good token.
middleware = verifier.require_everywhere()
