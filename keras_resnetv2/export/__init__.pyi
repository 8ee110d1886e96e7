from .saved_model import export_saved_model as export_saved_model
from .single_file import export_litert as export_litert
from .single_file import export_onnx as export_onnx
