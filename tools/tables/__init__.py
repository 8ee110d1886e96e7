"""The documents' tables that are generated, one a module."""
