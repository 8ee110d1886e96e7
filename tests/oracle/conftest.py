import importlib.util

# `make test` installs no PyTorch, which these files import.
if importlib.util.find_spec("torch") is None:
    collect_ignore_glob = ["test_*.py"]
