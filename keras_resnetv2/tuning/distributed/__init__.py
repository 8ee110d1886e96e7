"""A search on several machines: keras-tuner's chief and workers, hardened.

`chief.serve` and `worker.connect` are what `search` takes; `roles` says which.
"""
