"""Runs trainings in separate processes, one or several at a time."""
