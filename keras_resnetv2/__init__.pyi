# The public names, here and nowhere else: `lazy_loader` reads this file when
# the package is imported, and type checkers read it. It is written by hand but
# for the named networks, which tools/generate_stubs.py takes from MODELS.

from . import analysis as analysis
from . import data as data
from . import export as export
from . import studies as studies
from . import training as training
from . import tuning as tuning
from ._version import __version__ as __version__
from .data import decode_predictions as decode_predictions
from .data import load_arrays as load_arrays
from .data import preprocess_input as preprocess_input
from .export import export_litert as export_litert
from .export import export_onnx as export_onnx
from .export import export_saved_model as export_saved_model
from .models.backbones import load_backbone as load_backbone
from .models.batch_normalization import (
    BatchNormalization as BatchNormalization,
)
from .models.builder import ResNetV2 as ResNetV2
from .models.builder import feature_taps as feature_taps
from .models.complexity import Complexity as Complexity
from .models.complexity import complexity as complexity
from .models.configs import MODELS as MODELS
from .models.configs import ResNetConfig as ResNetConfig
from .models.model_card import ModelCard as ModelCard
from .models.network import ResNet as ResNet
from .models.published import list_models as list_models
from .models.save_as import save_weights_as as save_weights_as
from .models.sharing import from_pretrained as from_pretrained
from .models.sharing import save_pretrained as save_pretrained
from .training import classify as classify
from .training import load_trained as load_trained

# isort: off
# tools/generate_stubs.py: the rest of the file
from .models.applications import PreActResNet20 as PreActResNet20
from .models.applications import PreActResNet32 as PreActResNet32
from .models.applications import PreActResNet44 as PreActResNet44
from .models.applications import PreActResNet56 as PreActResNet56
from .models.applications import PreActResNet110 as PreActResNet110
from .models.applications import PreActResNet1202 as PreActResNet1202
from .models.applications import PreActResNet164 as PreActResNet164
from .models.applications import PreActResNet1001 as PreActResNet1001
from .models.applications import ResNet18V2 as ResNet18V2
from .models.applications import ResNet34V2 as ResNet34V2
from .models.applications import ResNet50V2 as ResNet50V2
from .models.applications import ResNet101V2 as ResNet101V2
from .models.applications import ResNet152V2 as ResNet152V2
from .models.applications import ResNet200V2 as ResNet200V2
