"""Verifiers of other issuers' tokens, a file for each provider; what they differ in is data, a ProviderProfile."""
