"""The statements, by noun, as text; both engines share one text wherever their dialects agree."""
