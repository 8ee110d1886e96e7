"""What an export can be asked for, without what it takes to make one."""

# Names of the export's, and the dtype policies that they mean.
PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
PIXEL_LIMIT = 50_000_000
