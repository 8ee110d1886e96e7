"""The README's tables that are generated, one a module."""
