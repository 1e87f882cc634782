from sealring.signing.signed_tokens import MAX_TOKENS, SignedTokens


def test_a_token_is_known_octet_for_octet() -> None:
    signed = SignedTokens()
    signed.note("header.payload.signature")
    assert "header.payload.signature" in signed
    for other in ("header.payload.signaturE", "header.payload.", "header.payload", "", "\u00e9", "\ud800"):
        assert other not in signed


def test_what_was_signed_last_is_known_however_much_was_signed_before() -> None:
    signed = SignedTokens()
    for number in range(MAX_TOKENS * 2):
        signed.note(str(number))
    assert len(signed) <= MAX_TOKENS
    assert all(str(number) in signed for number in range(MAX_TOKENS * 3 // 2, MAX_TOKENS * 2))
    assert "0" not in signed
