"""Numbered SQL files, each applied once and in order, inside one transaction with its own record."""
