"""The generated tables of the documents, one per module."""
