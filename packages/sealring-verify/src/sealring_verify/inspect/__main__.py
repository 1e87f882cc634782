"""`python -m sealring_verify.inspect`."""

import sys

from sealring_verify.inspect.command import main

sys.exit(main())
