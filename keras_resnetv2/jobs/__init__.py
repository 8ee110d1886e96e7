"""Trainings in processes of their own, one or several at once."""
