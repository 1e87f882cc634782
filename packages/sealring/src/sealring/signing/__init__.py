"""Signing: the keys, and the seal that keeps them; may import ports and sealring_verify.jose."""
